"""Scoring people one by one: what is complete is not done again, what changed is refused."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.scan import Scan
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.evaluate import evaluate, summarize
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.study.methods import Method
from rmqnet.pipeline.study.people import Panel, Person
from rmqnet.pipeline.study.scores import Lineup, read_share, score_panel

sys.path.append(str(Path(__file__).parents[1] / "evaluate"))
from synthetic_cases import make_cases

CONFIG = EvaluateConfig(regions=("cartilage",), quantities=("T1", "T1rho"), n_bootstrap=20, n_permutations=20)


@pytest.fixture(scope="module")
def cases():
    return make_cases(n_subjects=3)


class Bench:
    """A panel of synthetic people and methods that give what the cases hold, with counts of the work done."""

    def __init__(self, cases) -> None:
        self.loads: list[int] = []
        self.predictions: list[tuple[str, str]] = []
        names = list(dict.fromkeys(case.subject.name for case in cases))
        held = {(case.subject.name, case.input_set): case for case in cases}

        def load(index: int) -> Person:
            self.loads.append(index)
            one = held[names[index], "4FA+7TSL"]
            return Person(
                one.subject,
                Scan(one.subject, {}),
                one.reference,
                one.reference_segmentation,
                one.truth,
                one.truth_segmentation,
                one.cartilage_fraction,
            )

        def method(label: str) -> Method:
            def predict(person: Person):
                self.predictions.append((person.subject.name, label))
                return held[person.subject.name, label].prediction

            return Method(label, "synthetic", label, {"version": 1}, predict)

        self.panel = Panel("fresh", "synthetic people", {"seed": 1}, tuple(names), load)
        self.methods = tuple(method(label) for label in ("4FA+7TSL", "1FA+1TSL"))

    def score(self, out: Path, *lineups: Lineup):
        return score_panel(out, self.panel, lineups or [Lineup("networks", self.methods)], CONFIG, Quiet())


def test_scores_from_disk_are_those_of_the_cases(cases, tmp_path: Path):
    bench = Bench(cases)
    found = summarize(bench.score(tmp_path)["networks"], CONFIG)
    whole = evaluate(cases, CONFIG)
    assert found.subjects == whole.subjects
    assert len(found.scores) == len(whole.scores)
    for one, other in zip(found.scores, whole.scores, strict=True):
        assert dataclasses.asdict(one) == pytest.approx(dataclasses.asdict(other), nan_ok=True)
    for one, other in zip(found.voxels, whole.voxels, strict=True):
        np.testing.assert_array_equal(one.counts, other.counts)
    assert found.dropped.equals(whole.dropped)


def test_a_second_run_loads_nobody_and_a_lost_person_alone_is_done_again(cases, tmp_path: Path):
    Bench(cases).score(tmp_path)
    again = Bench(cases)
    again.score(tmp_path)
    assert again.loads == []
    lost = tmp_path / "fresh" / "networks" / "sub-002"
    for path in lost.iterdir():
        path.unlink()
    lost.rmdir()
    again.score(tmp_path)
    assert again.loads == [1]


def test_a_person_is_loaded_and_predicted_once_for_all_lineups(cases, tmp_path: Path):
    bench = Bench(cases)
    first, _ = bench.methods
    found = bench.score(
        tmp_path, Lineup("networks", bench.methods), Lineup("baselines", (first,), n_people=2)
    )
    assert bench.loads == [0, 1, 2]
    assert len(bench.predictions) == len(set(bench.predictions)) == 6
    assert list(found["baselines"].subjects) == ["001", "002"]


def test_shares_of_the_people_add_up_to_all_of_them(cases, tmp_path: Path):
    bench = Bench(cases)
    lineup = [Lineup("networks", bench.methods)]
    for text, expected in (("1/2", [0, 2]), ("2/2", [1])):
        bench.loads.clear()
        assert score_panel(tmp_path, bench.panel, lineup, CONFIG, Quiet(), read_share(text)) == {}
        assert bench.loads == expected
    bench.loads.clear()
    assert list(bench.score(tmp_path)["networks"].subjects) == list(bench.panel.names)
    assert bench.loads == []
    for wrong in ("3/2", "0/2", "half", "1"):
        with pytest.raises(InputError, match="share must be K/N"):
            read_share(wrong)


def test_other_weights_are_not_taken_for_those_that_were_scored(cases, tmp_path: Path):
    bench = Bench(cases)
    bench.score(tmp_path)
    other = dataclasses.replace(bench.methods[0], settings={"version": 2})
    with pytest.raises(InputError, match="another configuration"):
        bench.score(tmp_path, Lineup("networks", (other, bench.methods[1])))


def test_a_damaged_table_is_named(cases, tmp_path: Path):
    bench = Bench(cases)
    bench.score(tmp_path)
    path = tmp_path / "fresh" / "networks" / "sub-001" / "roi.csv.gz"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match=r"roi\.csv\.gz: is damaged"):
        bench.score(tmp_path)
