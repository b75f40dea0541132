"""Rules of the source tree that no other tool checks."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "rmqnet"
FILES = sorted(SOURCE.rglob("*.py"))
HEAVY = ("torch", "numba", "lightning", "monai", "matplotlib", "pandas", "scipy", "sympy", "nibabel")


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def offenders(pattern: str, *, allowed: tuple[str, ...] = ()) -> list[str]:
    """Lines "file:number: text" that match, outside the allowed files and folders."""
    found = []
    for path in FILES:
        if name(path).startswith(allowed):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{name(path)}:{number}: {line.strip()}")
    return found


def test_there_is_a_source_tree_to_check() -> None:
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_is_short_says_what_it_holds_and_has_short_functions(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 350
    assert ast.get_docstring(tree), "module docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


def test_milliseconds_occur_only_where_people_read_them() -> None:
    assert not offenders(r"_ms\b|\* 1000\b|\b1e3\b", allowed=("report/", "domain/quantities.py"))


def test_no_error_is_swallowed_whatever_it_is() -> None:
    assert not offenders(r"except\s*:|except Exception")


def test_annotations_are_not_postponed_and_nothing_is_left_to_do() -> None:
    assert not offenders(r"from __future__ import annotations|\bTODO\b|\bFIXME\b|\bXXX\b")


def test_the_environment_sets_nothing() -> None:
    assert not offenders(r"os\.environ|getenv")


def test_imports_point_down() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def loaded_by(statement: str) -> list[str]:
    """Heavy libraries that a fresh interpreter has loaded after this statement."""
    code = f"{statement}\nimport sys\nprint(*(m for m in {HEAVY!r} if m in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout.split()


@pytest.mark.parametrize(
    "module",
    ["rmqnet", "rmqnet.domain.protocols", "rmqnet.domain.scan", "rmqnet.domain.tissues"]
    + [
        f"rmqnet.{name(path).removesuffix('.py').replace('/', '.')}"
        for path in FILES
        if path.name == "config.py"
    ],
)
def test_what_the_help_needs_loads_no_heavy_library(module: str) -> None:
    assert loaded_by(f"import {module}") == []
