"""Every snippet of the documentation runs, and the generated page is current."""

import contextlib
import importlib.util
import io
import re
import shlex
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from rmqnet.cli.main import main
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.subject import Subject
from rmqnet.io.bids_labels import write_segmentation
from rmqnet.io.bids_maps import write_maps

ROOT = Path(__file__).parent.parent.parent
OWN_TEST = ("your-own-nifti.md", "your-own-regions.md", "look-at-a-knee.md")
"""Pages whose snippets need images: tests/io/test_io_how_to.py, tests/end_to_end and below make them and run them."""
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page, "python") and page.name not in OWN_TEST],
    ids=lambda page: page.name,
)
def test_python_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks(page, "python"):
            exec(compile(block, str(page), "exec"), space)  # noqa: S102
    assert printed.getvalue().strip()


def test_the_napari_snippet_shows_maps_and_regions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """napari itself is not installed: a stand-in sees what it is given."""
    grid = centered_grid((3, 8, 8), (3.0, 0.6, 0.5))
    folder, subject = tmp_path / "OUT" / "sub-001", Subject("001", "right")
    folder.mkdir(parents=True)
    values, labels = np.full(grid.shape, 0.04, np.float32), np.ones(grid.shape, np.uint8)
    maps = MapSet({"T1rho": values}, {"T1rho": np.zeros(grid.shape, np.uint8)}, grid)
    write_maps(folder, maps, subject, desc="predicted", sidecar={})
    write_segmentation(folder, Segmentation(labels, ("femoral_cartilage",), grid), subject, desc="predicted")
    shown: dict[str, tuple[np.ndarray, tuple[float, ...]]] = {}

    class Viewer:
        def add_image(self, volume, *, scale, contrast_limits):
            assert contrast_limits == (0, 0.1)
            shown["image"] = volume, scale

        def add_labels(self, volume, *, scale):
            shown["labels"] = volume, scale

    stand_in = types.SimpleNamespace(Viewer=Viewer, run=lambda: None)
    monkeypatch.setitem(sys.modules, "napari", stand_in)
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(ROOT / "docs" / "how-to" / "look-at-a-knee.md", "python")
    exec(compile(block, "look-at-a-knee.md", "exec"), {})  # noqa: S102
    np.testing.assert_allclose(shown["image"][0], values)
    np.testing.assert_array_equal(shown["labels"][0], labels)
    assert shown["image"][1] == shown["labels"][1] == pytest.approx((3.0, 0.6, 0.5))


def test_the_tutorial_runs_word_by_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    lines = [
        line
        for block in blocks(ROOT / "docs" / "tutorials" / "first-study.md", "sh")
        for line in block.splitlines()
        if line.strip()
    ]
    assert len(lines) >= 6
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "rmqnet"
        assert main(words[1:]) == 0, line
    assert (tmp_path / "report" / "report.html").is_file()
    assert (tmp_path / "fitted" / "sub-001" / "figures" / "knee.html").is_file()


def test_the_page_of_tables_is_current():
    spec = importlib.util.spec_from_file_location("write_reference", ROOT / "scripts" / "write_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.page() == module.PAGE.read_text(), "run: python scripts/write_reference.py"


def test_the_record_of_the_cohort_is_what_its_results_say():
    spec = importlib.util.spec_from_file_location("record", ROOT / "scripts" / "write_cohort_record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.page() == module.PAGE.read_text(), "run: python scripts/write_cohort_record.py --page"


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
