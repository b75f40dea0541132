"""`rmqnet protocol`: what it prints and what it writes."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from rmqnet.cli.main import main
from rmqnet.domain.protocols import INPUT_SETS

TISSUES = ("cartilage", "meniscus", "patellar_tendon", "muscle")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("protocol") / "out"
    assert main(["protocol", str(out), "--minutes", "17.4"]) == 0
    return out


def rows_of(text: str, title: str) -> list[str]:
    """Lines of the table with this title."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(title))
    return lines[start : lines.index("", start)]


def test_without_a_folder_the_input_sets_are_printed_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["protocol"]) == 0
    text = capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    times = {line.split()[0]: line.split() for line in rows_of(text, "Scan time")[1:] if line.strip()}
    # minutes without and with AFI, and what the paper prints (PHYSICS 8.1)
    assert times["2FA+3TSL"][-6:] == ["12.43", "17.38", "14.03", "2.21", "2.60", "2.3"]
    assert times["1FA+1TSL"][-6:] == ["4.93", "9.88", "5.73", "5.56", "6.56", "5.7"]
    T1 = rows_of(text, "Standard deviation of T1 [ms]")
    assert any(line.startswith("2FA+3TSL") and "46.3 (4.7 %)" in line for line in T1)
    single = next(line for line in T1 if line.startswith("1FA+1TSL"))
    assert single.count("\N{EN DASH} not identifiable") == 3
    assert "Best for" not in text


def test_the_page_table_and_figure_are_written(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "protocol.csv",
        "protocol.html",
        "provenance.json",
        "sd_against_minutes.png",
    ]
    page = (folder / "protocol.html").read_text()
    for words in (
        "Best for 17.4 min",
        "not identifiable",
        "patellar tendon",
        "data:image/png",
        "without / with 0",
    ):
        assert words in page
    with Image.open(folder / "sd_against_minutes.png") as image:
        assert min(image.size) > 400


def test_the_csv_holds_every_set_tissue_and_kind_of_fit_in_seconds(folder: Path) -> None:
    table = pd.read_csv(folder / "protocol.csv")
    sets = [name for name, inputs in INPUT_SETS.items() if not inputs.afi] + [
        "best, f known",
        "best, f unknown",
    ]
    assert list(dict.fromkeys(table["input_set"])) == sets
    assert tuple(dict.fromkeys(table["tissue"])) == TISSUES
    assert len(table) == len(sets) * len(TISSUES) * 2 * 2 * 2
    assert (table["sd"].notna() == table["identifiable"]).all()
    key = (table["input_set"] == "4FA+7TSL") & (table["tissue"] == "cartilage") & (table["quantity"] == "T1")
    assert table.loc[key & (table["fit"] == "separate"), "sd"].iloc[0] == pytest.approx(0.0391, abs=5e-5)
    best = table.loc[table["input_set"] == "best, f known"]
    assert (best["minutes_with_afi"] <= 17.4).all()
    assert best["spin_lock_times"].str.startswith("0, ").all()


def test_the_same_command_runs_again_and_another_budget_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["protocol", str(folder), "--minutes", "17.4"]) == 0
    capsys.readouterr()
    assert main(["protocol", str(folder), "--minutes", "20"]) == 2
    assert "minutes" in capsys.readouterr().err


def test_tissues_and_the_kind_of_fit_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    line = [
        "protocol",
        "--minutes",
        "12.5",
        "--fit",
        "joint",
        "--tissues",
        "synovial_fluid",
        "--no-count-afi",
    ]
    assert main(line) == 0
    text = capsys.readouterr().out
    assert "synovial fluid" in text
    assert "meniscus" not in text
    assert "joint fit, f known: flip angles" in text
    assert "min without AFI)" in text


def test_a_time_that_is_enough_only_if_f_is_known_is_answered_as_far_as_it_goes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["protocol", "--minutes", "15", "--tissues", "cartilage"]) == 0
    text = capsys.readouterr().out
    assert "Best for 15 min, separate fit, f known" in text
    assert "With f unknown, a separate fit needs at least 17.4 min" in text
