"""The example notebooks run from the first cell to the last."""

import contextlib
import io
import json
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


def cells(notebook: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == kind]


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("notebook", EXAMPLES, ids=lambda path: path.name)
def test_a_notebook_runs_and_prints_values(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for cell in cells(notebook, "code"):
            exec(compile("".join(cell["source"]), str(notebook), "exec"), space)  # noqa: S102
    assert " ms, " in printed.getvalue()
    assert (tmp_path / "one-knee" / "knee.html").is_file()


@pytest.mark.parametrize("notebook", EXAMPLES, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_outputs_and_names_pages_that_exist(notebook: Path):
    assert all(cell["outputs"] == [] for cell in cells(notebook, "code"))
    for cell in cells(notebook, "markdown"):
        for part in "".join(cell["source"]).split("`")[1::2]:
            if part.startswith("docs/"):
                assert (notebook.parents[1] / part).is_file(), part
