"""Whether this installation can do its work: what there is, what is wrong, and what to do about it."""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from rmqnet import __version__
from rmqnet.domain.errors import InputError
from rmqnet.domain.threads import n_processors

Verdict = Literal["fine", "note", "wrong"]

LEAST_MEMORY = 4.0
"""Memory that a knee of the paper's size needs to be fitted and predicted [GB], with room to spare: default."""
LEAST_DISK = 2.0
"""Free disk for the maps and pages of a few knees [GB]: default."""
GIGABYTE = 1e9
ELASTIX_SECONDS = 120
"""Time that importing elastix may take on a busy machine [s]: default."""


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at."""

    what: str
    """What was looked at."""
    verdict: Verdict
    """fine; note: works, but slower or with less; wrong: must be put right."""
    found: str
    """What was found."""
    advice: str = ""
    """What to do about it; "" where all is well."""


def examine(folder: Path, checkpoints: Sequence[Path] = ()) -> Iterator[Diagnosis]:
    """What was found, one after the other; the folder is where outputs will go."""
    yield _versions()
    yield _processor()
    yield _bfloat16()
    yield _gpu()
    yield _memory()
    yield _disk(folder)
    yield _shipped()
    yield _checkpoints(folder, checkpoints)
    yield _elastix()
    yield _fit()
    yield _network()


def _versions() -> Diagnosis:
    names = ("torch", "numba", "numpy", "nibabel", "lightning", "monai")
    found = ", ".join(f"{name} {version(name)}" for name in names)
    return Diagnosis("versions", "fine", f"rmqnet {__version__}, Python {platform.python_version()}, {found}")


def _processor() -> Diagnosis:
    n_cores = n_processors()
    found = f"{n_cores} cores, {platform.system()} {platform.machine()}"
    if n_cores < 2:
        return Diagnosis("processor", "note", found, "fits and training will be slow: use more cores")
    return Diagnosis("processor", "fine", found)


def _bfloat16() -> Diagnosis:
    from rmqnet.train.precision import lightning_precision

    if lightning_precision("auto") == "bf16-mixed":
        return Diagnosis("bfloat16", "fine", "computed directly; training uses it")
    return Diagnosis(
        "bfloat16",
        "note",
        "not computed directly; training uses float32",
        "nothing: the numbers are as good, training takes about twice as long",
    )


def _gpu() -> Diagnosis:
    import torch

    if not torch.cuda.is_available():
        built = torch.version.cuda is not None
        advice = "check the driver with nvidia-smi" if built else "install a CUDA build of torch to use a GPU"
        return Diagnosis("GPU", "note", "none that torch can use", f"nothing is needed; {advice}")
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    free, total = torch.cuda.mem_get_info()
    found = f"{', '.join(names)}; {free / GIGABYTE:.0f} of {total / GIGABYTE:.0f} GB free"
    return Diagnosis("GPU", "fine", found)


def _memory() -> Diagnosis:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE
    free = _available_memory()
    found = f"{total:.1f} GB" if free is None else f"{free:.1f} of {total:.1f} GB available"
    if (free if free is not None else total) < LEAST_MEMORY:
        return Diagnosis(
            "memory", "note", found, f"close other programs: a knee of full size needs {LEAST_MEMORY:g} GB"
        )
    return Diagnosis("memory", "fine", found)


def _available_memory() -> float | None:
    """Memory that programs may still take [GB]; None where the system does not tell."""
    table = Path("/proc/meminfo")
    if not table.is_file():
        return None
    for line in table.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024 / GIGABYTE
    return None


def _disk(folder: Path) -> Diagnosis:
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder: give the one where outputs will go")
    free = shutil.disk_usage(folder).free / GIGABYTE
    found = f"{free:.1f} GB free at {folder}"
    if not os.access(folder, os.W_OK):
        return Diagnosis("disk", "wrong", f"{folder} can't be written", "choose another folder for outputs")
    if free < LEAST_DISK:
        return Diagnosis("disk", "wrong", found, f"free some: a few knees take {LEAST_DISK:g} GB")
    return Diagnosis("disk", "fine", found)


def _shipped() -> Diagnosis:
    """The networks of the package, each loaded as a prediction would."""
    from rmqnet.networks.shipped import shipped_checkpoint, shipped_names

    names, learned_truth = shipped_names(), shipped_names("truth")
    if not names:
        advice = "`rmqnet predict` needs --checkpoint; train one with `rmqnet train`"
        return Diagnosis("networks", "note", "none in the package", advice)
    try:
        for name in names:
            shipped_checkpoint(name)
        for name in learned_truth:
            shipped_checkpoint(name, "truth")
    except InputError as error:
        return Diagnosis("networks", "wrong", str(error), "install rmqnet again")
    found = f"in the package: {', '.join(names)}"
    found += f"; that have learned the truth: {', '.join(learned_truth)}" if learned_truth else ""
    return Diagnosis("networks", "fine", found)


def _checkpoints(folder: Path, named: Sequence[Path]) -> Diagnosis:
    """Checkpoints that were named, or that lie in the folder or right below it."""
    from rmqnet.networks.checkpoint import load_checkpoint

    paths = list(named) or sorted([*folder.glob("*.safetensors"), *folder.glob("*/*.safetensors")])
    if not paths:
        return Diagnosis("checkpoints", "fine", f"none of your own at {folder}")
    try:
        inputs = [f"{path.name} ({load_checkpoint(path).inputs.name})" for path in paths]
    except InputError as error:
        return Diagnosis("checkpoints", "wrong", str(error), "copy it again, with the .json beside it")
    return Diagnosis("checkpoints", "fine", ", ".join(inputs))


def _elastix() -> Diagnosis:
    """What elastix says, tried in a process of its own: where it is broken it ends the whole process."""
    if find_spec("itk") is None:
        return Diagnosis(
            "elastix", "note", "not installed", "only registration needs it: pip install itk-elastix"
        )
    code = "import itk; itk.ElastixRegistrationMethod; print(itk.Version.GetITKVersion())"
    try:
        result = subprocess.run(  # noqa: S603  # our own interpreter and our own words
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=ELASTIX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Diagnosis(
            "elastix", "wrong", f"did not start within {ELASTIX_SECONDS} s", "try again on a quiet machine"
        )
    if result.returncode != 0:
        words = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
        return Diagnosis(
            "elastix", "wrong", words, "pip install --force-reinstall itk-elastix; registration needs it"
        )
    return Diagnosis("elastix", "fine", f"starts (ITK {result.stdout.strip()})")


def _fit() -> Diagnosis:
    """T1 and T1rho of a few voxels of known values, through the compiled fits."""
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.protocols import FULL
    from rmqnet.domain.scan import ImageSeries, Scan
    from rmqnet.domain.subject import Subject
    from rmqnet.fit.fit import fit
    from rmqnet.physics.signals import synthesize

    grid = centered_grid((2, 8, 8), (3.0, 1.0, 1.0))
    truth = {"M0": 1.0, "T1": 1.0, "B1": 0.95, "T1rho": 0.040}
    series = {}
    for method in ("vfa", "adiabatic_t1rho", "afi"):
        images = tuple(item for item in FULL.acquisitions if item.method == method)
        signals = synthesize(images, truth).reshape(-1, 1, 1, 1)
        series[method] = ImageSeries(
            np.broadcast_to(signals, (len(images), *grid.shape)).copy(), images, grid
        )
    start = time.perf_counter()
    maps = fit(Scan(Subject("test", "right"), series))
    seconds = time.perf_counter() - start
    found = {name: float(np.nanmedian(maps.values[name])) for name in ("T1", "B1", "T1rho")}
    words = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
    if all(abs(value / truth[name] - 1) < 0.01 for name, value in found.items()):
        return Diagnosis("self-test: fit", "fine", f"{words}, as it must be ({seconds:.1f} s)")
    expected = ", ".join(f"{name} {truth[name]:g}" for name in found)
    return Diagnosis(
        "self-test: fit",
        "wrong",
        f"{words} instead of {expected}",
        "install again with the versions in constraints.txt",
    )


def _network() -> Diagnosis:
    """One prediction and one gradient of a small network."""
    import torch

    from rmqnet.networks.backbones import build_network

    start = time.perf_counter()
    network = build_network("rmqnet", 2, ("T1", "T1rho"), ("femoral_cartilage",), 4)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        maps, logits = network.to(device)(torch.ones(2, 2, 48, 40, device=device))
        (maps.sum() + logits.sum()).backward()
    except RuntimeError as error:
        words = str(error).splitlines()[0]
        return Diagnosis("self-test: network", "wrong", words, "check torch, its CUDA build and the driver")
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    right = maps.shape == (2, 2, 48, 40) and logits.shape == (2, 1, 48, 40)
    if not right or not gradients or not all(bool(torch.isfinite(one).all()) for one in gradients):
        return Diagnosis(
            "self-test: network",
            "wrong",
            "its numbers are not finite",
            "install torch again (constraints.txt)",
        )
    seconds = time.perf_counter() - start
    return Diagnosis("self-test: network", "fine", f"predicts and learns on {device} ({seconds:.1f} s)")
