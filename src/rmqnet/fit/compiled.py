"""The compiled functions of a fit problem, kept between runs.

Code made at run time can't be cached by numba, so the generated module is written to the user's cache folder under
the hash of its text; numba keeps the machine code beside it.
"""

import hashlib
import importlib.util
import inspect
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import numba
import platformdirs

from rmqnet.fit import bessel, lane_math, levenberg_marquardt, starts
from rmqnet.fit.problem import FitProblem
from rmqnet.fit.source import module_source

_modules: dict[tuple[object, ...], ModuleType] = {}


def compiled(problem: FitProblem, likelihood: str) -> ModuleType:
    """The module with `search` and `assess` of this problem; one for all settings of its images."""
    key = (problem.name, problem.free, likelihood)
    if key not in _modules:
        _modules[key] = _import(problem.name, module_source(problem, likelihood))
    return _modules[key]


def _import(name: str, source: str) -> ModuleType:
    """The generated module, written where numba can keep its machine code."""
    parts = "".join(inspect.getsource(module) for module in (levenberg_marquardt, starts, lane_math, bessel))
    key = hashlib.sha256(f"{source}{parts}{numba.__version__}".encode()).hexdigest()[:16]
    name = f"rmqnet_{name}_{key}"
    if name in sys.modules:
        return sys.modules[name]
    path = _cache_folder() / f"{name}.py"
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
            file.write(source)
        Path(file.name).replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"can't import the generated module {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _cache_folder() -> Path:
    """The user's cache folder, or a temporary one where that can't be written."""
    folder = platformdirs.user_cache_path("rmqnet") / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="rmqnet-kernels-"))
    if not os.access(folder, os.W_OK):
        folder = Path(tempfile.mkdtemp(prefix="rmqnet-kernels-"))
    return folder
