"""The page and the tables of a whole study, from synthetic people."""

import importlib.util
import json
import re
import sys
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from rmqnet.evaluate.collect import Collected, collect_subject, merged
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.evaluate import summarize
from rmqnet.evaluate.paired import paired_differences
from rmqnet.pipeline.study.report import compared_pairs, worst_slices
from rmqnet.report.study_conclusion import conclusions, position_sentence, truth_sentence
from rmqnet.report.study_page import write_study_page
from rmqnet.report.study_results import MethodInfo, StudyResults, WorstSlice

sys.path.append(str(Path(__file__).parents[1] / "evaluate"))
from synthetic_cases import make_cases

ROOT = Path(__file__).parents[2]
CONFIG = EvaluateConfig(regions=("cartilage",), n_bootstrap=50, n_permutations=20)
COLUMNS = (
    "input_set,minutes_paper,minutes_without_afi,minutes_with_afi,acceleration_paper,acceleration_without_afi,"
    "acceleration_with_afi,quantity,level,against,r,r_low,r_high,paper_r"
)
BUDGET = "15 epochs, 1512 slices, crop 128, started from the network for 2FA+3TSL"
COMMAND = "rmqnet study OUT --preset small --weights WEIGHTS"
PAIR = ("4FA+7TSL", "1FA+1TSL")


@pytest.fixture(scope="module")
def results() -> StudyResults:
    cases = make_cases(n_subjects=4, shape=(8, 40, 40))
    parts = []
    for _, own in groupby(cases, key=lambda case: case.subject.name):
        parts.append(Collected())
        collect_subject(list(own), CONFIG, parts[-1])
    collected = merged(parts)
    evaluation = summarize(collected, CONFIG)
    name, z, label, error = worst_slices(evaluation)[0]
    worst = next(case for case in cases if (case.subject.name, case.input_set) == (name, label))
    response = {"input_set": "1FA+1TSL", "changed": "T1", "quantity": "T1", "metric": "slope"}
    return StudyResults(
        preset="small",
        fresh=evaluation,
        tested=evaluation,
        baselines=evaluation,
        methods={
            "4FA+7TSL": MethodInfo("network", "4FA+7TSL", "15 epochs"),
            "1FA+1TSL": MethodInfo("a <b>fit</b>", "1FA+1TSL", "", segmentation=False),
        },
        not_possible={"1FA+1TSL": "not possible: two signals"},
        paired=paired_differences(collected, [PAIR], CONFIG),
        paired_baselines=paired_differences(collected, [PAIR], CONFIG, own_mask=False),
        paired_truth=paired_differences(
            collected, [PAIR], CONFIG, region="pure_cartilage", against="truth", own_mask=False
        ),
        elsewhere={"as in the study": evaluation, "SNR 20": evaluation},
        responses=pd.DataFrame([response | {"value": 0.42, "low": 0.3, "high": 0.5, "count": 4}]),
        networks=pd.DataFrame(
            [("4FA+7TSL", "given, trained by version 0", BUDGET, "ab" * 32)],
            columns=["network", "origin", "budget", "weights"],
        ),
        durations={"training": 90.0},
        split={"training": evaluation.subjects[:2], "test": evaluation.subjects[2:]},
        cases=[case for case in cases if case.subject.name == "001"],
        worst=[WorstSlice(worst, z, error)],
        notes=["No other study was given."],
        provenance={"seeds": {"cohort": 2024}},
    )


@pytest.fixture(scope="module")
def folder(results: StudyResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "report"
    folder.mkdir()
    write_study_page(folder, results)
    (folder / "provenance.json").write_text(json.dumps({"config": {"preset": "small"}}))
    return folder


def test_table_1_has_the_agreed_columns_and_the_scores(results: StudyResults, folder: Path):
    assert (folder / "table1.csv").read_text().splitlines()[0] == COLUMNS
    table = pd.read_csv(folder / "table1.csv")
    # two input sets, quantities, levels and targets
    assert len(table) == 16
    row = table.query(
        "input_set == '1FA+1TSL' and quantity == 'T1rho' and level == 'roi' and against == 'reference'"
    ).iloc[0]
    (score,) = (
        s
        for s in results.fresh.scores
        if (s.input_set, s.quantity, s.level, s.against) == ("1FA+1TSL", "T1rho", "roi", "reference")
        and (s.metric, s.tissue, s.group) == ("pearson_r", "cartilage", "all")
    )
    assert row["r"] == pytest.approx(score.value, rel=1e-5)
    assert row["paper_r"] == 0.733
    assert row["minutes_without_afi"] == pytest.approx(296 / 60, rel=1e-5)
    assert row["acceleration_paper"] == 5.7
    # the paper says nothing about the truth, nor about voxels of pure cartilage
    assert table.loc[table["against"] == "truth", "paper_r"].isna().all()
    assert pd.read_csv(folder / "table1_pure_cartilage.csv")["paper_r"].isna().all()


def test_the_page_shows_every_part_and_opens_offline(folder: Path):
    page = (folder / "report.html").read_text()
    assert 'src="http' not in page
    for words in (
        "Is the paper&#39;s number reached?",
        "Input sets against each other",
        "What the network adds",
        "Is it measuring or guessing?",
        "Does it hold elsewhere?",
        "The worst slices",
        "not possible: two signals",
        "SNR 20, n = 4",
        "The same against the truth",
        "not what another seed of the training would give",
        "From both (slope 0.3 to 0.8): T1 of 1FA+1TSL (0.42).",
        "L1 to truth, T1rho [ms]",
        "Voxels of at least 95 % cartilage",
        "Durations",
        "a &lt;b&gt;fit&lt;/b&gt;",
    ):
        assert words in page, words
    verdicts = pd.read_csv(folder / "verdicts.csv")
    # six printed cells and Dice of two input sets, for fresh and for test people
    assert len(verdicts) == 28
    assert verdicts.query("metric == 'dice_mean'")["paper"].eq(0.85).all()
    assert set(verdicts["verdict"]) <= {"reached", "not distinguishable", "below"}


def test_methods_are_not_scored_for_what_they_are_told(folder: Path):
    table = pd.read_csv(folder / "baselines.csv")
    assert table.loc[table["method"] == "1FA+1TSL", "dice"].isna().all()
    assert table.loc[table["method"] == "4FA+7TSL", "dice"].notna().all()
    assert table.loc[table["method"] == "1FA+1TSL, fit", "status"].tolist() == ["not possible: two signals"]


def test_a_variation_is_compared_with_the_network_of_its_own_budget():
    labels = ("2FA+3TSL", "1FA+2TSL, fit", "2FA+3TSL, fit", "position only", "rmqnet", "perceptron")
    inputs = {"2FA+3TSL, fit": "2FA+3TSL", "1FA+2TSL, fit": "1FA+2TSL", "position only": ""}

    def pairs(variations: tuple[str, ...]) -> list[tuple[str, str]]:
        finished: Any = SimpleNamespace(
            baselines=SimpleNamespace(
                input_sets=[one for one in labels if one != "rmqnet" or one in variations]
            ),
            networks=SimpleNamespace(main={"2FA+3TSL": None}, variations=dict.fromkeys(variations)),
            methods={one: SimpleNamespace(inputs=inputs.get(one, "2FA+3TSL")) for one in labels},
        )
        return list(compared_pairs(finished))

    # a fit whose input set has no network here is compared with none
    usual = [("2FA+3TSL", "2FA+3TSL, fit"), ("2FA+3TSL", "position only")]
    both = [("2FA+3TSL", "rmqnet"), ("rmqnet", "perceptron")]
    assert pairs(("rmqnet", "perceptron")) == [*usual, *both]
    assert pairs(("perceptron",)) == [*usual, ("2FA+3TSL", "perceptron")]


def test_a_network_that_learned_the_truth_is_compared_with_that_of_its_images_and_with_the_best_fit():
    labels = ("2FA+3TSL", "4FA+7TSL+AFI, fit", "rmqnet", "2FA+3TSL-truth")
    inputs = {"4FA+7TSL+AFI, fit": "4FA+7TSL+AFI"}
    finished: Any = SimpleNamespace(
        baselines=SimpleNamespace(input_sets=labels),
        networks=SimpleNamespace(main={"2FA+3TSL": None}, variations=dict.fromkeys(labels[2:])),
        methods={one: SimpleNamespace(inputs=inputs.get(one, "2FA+3TSL")) for one in labels},
    )
    assert list(compared_pairs(finished)) == [
        ("2FA+3TSL", "rmqnet"),
        ("2FA+3TSL-truth", "2FA+3TSL"),
        ("2FA+3TSL-truth", "4FA+7TSL+AFI, fit"),
    ]


def test_slopes_say_what_is_measured_and_what_is_guessed():
    rows = [
        ("4FA+7TSL", "T1", 0.93),
        ("4FA+7TSL", "T1rho", 0.41),
        ("1FA+1TSL", "T1", 0.12),
        ("a fit", "T1", 0.9),
    ]
    table = pd.DataFrame(
        [{"input_set": a, "quantity": b, "changed": b, "metric": "slope", "value": c} for a, b, c in rows]
    )
    assert conclusions(table, ["4FA+7TSL", "1FA+1TSL"]) == [
        "From the data (slope at least 0.8): T1 of 4FA+7TSL (0.93).",
        "From both (slope 0.3 to 0.8): T1rho of 4FA+7TSL (0.41).",
        "From the prior, what is usual in the training (slope below 0.3): T1 of 1FA+1TSL (0.12).",
    ]
    assert "voxel r of 0.71 (T1):" in position_sentence({"T1": 0.71, "T1rho": float("nan")})
    assert position_sentence({"T1": float("nan")}) == ""
    assert "voxel r of 0.55 (T1) with the reference" in truth_sentence({"T1": 0.55, "T1rho": float("nan")})
    assert truth_sentence({"T1": float("nan")}) == ""


def results_script():
    spec = importlib.util.spec_from_file_location("write_results", ROOT / "scripts" / "write_results.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_results_page_is_written_from_a_finished_study(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    script = results_script()
    monkeypatch.setattr(script, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["write_results.py", str(folder.parent), COMMAND])
    script.main()
    text = (tmp_path / "results" / "README.md").read_text()
    assert COMMAND in text
    assert "**is** the reference" in text
    assert "From both (slope 0.3 to 0.8): T1 of 1FA+1TSL (0.42)." in text
    assert "| SNR 20 | 1FA+1TSL | T1rho |" in text
    assert "| abababababab |" in text
    assert "| 1FA+1TSL | 0.42 | - | - | - |" in text
    section = text.split("## B1 that was not measured")[1].split("## ")[0]
    assert re.search(r"\| 1FA\+1TSL \| \d+\.\d\d \(.* to .*\) \| \d+\.\d\d \(", section), section
    assert "| 4FA+7TSL, fit, predicted B1 | T1 |" in section
    assert "not possible: two signals" in text
    for name in script.TABLES:
        assert (tmp_path / "results" / f"{name}.csv").is_file()


def test_numbers_of_a_demo_are_no_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    report = tmp_path / "report"
    report.mkdir()
    (report / "table1.csv").touch()
    (report / "provenance.json").write_text(json.dumps({"config": {"preset": "demo"}}))
    script = results_script()
    monkeypatch.setattr(script, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["write_results.py", str(tmp_path), COMMAND])
    with pytest.raises(SystemExit):
        script.main()
    assert "whose numbers mean nothing" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_long_words_of_a_table_wrap_and_numbers_do_not(folder: Path):
    page = " ".join((folder / "report.html").read_text().split())
    assert f'<td class="text">{BUDGET}' in page
    assert "<td>given, trained by version 0" in page
