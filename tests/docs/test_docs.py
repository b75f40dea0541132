"""Every snippet of the documentation runs, and the generated page is current."""

import contextlib
import importlib.util
import io
import re
import shlex
from pathlib import Path

import pytest

from rmqnet.cli.main import main

ROOT = Path(__file__).parent.parent.parent
OWN_TEST = ("your-own-nifti.md", "your-own-regions.md")
"""Pages whose snippets need images: tests/io/test_io_how_to.py and tests/end_to_end make them and run them."""
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
