"""A run of subjects without AFI images, whose B1 a network predicts."""

import dataclasses

import numpy as np
import pytest
from run_cases import Ear, Here

from rmqnet.domain.b1_map import B1Map
from rmqnet.domain.errors import InputError
from rmqnet.fit.config import FitConfig
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.text import read_json
from rmqnet.pipeline import network_b1
from rmqnet.pipeline.run.config import RunConfig
from rmqnet.pipeline.run.study import plan_run, run_study


@dataclasses.dataclass
class Field:
    """A stand-in for the network: the same B1 everywhere."""

    b1: float
    inputs: dict[str, str]
    words: str = "B1 was predicted."

    def of(self, _study, _name, scan, _source):
        grid = scan.series["vfa"].grid
        b1 = B1Map(np.full(grid.shape, self.b1, np.float32), grid, "the network", network_b1.ALGORITHM)
        return b1, ("doubt it",), ("a remark",)


def fields(monkeypatch: pytest.MonkeyPatch, found: Field | InputError) -> None:
    def network_for(*_):
        if isinstance(found, InputError):
            raise found
        return found

    monkeypatch.setattr(network_b1, "network_for", network_for)


def test_subjects_are_fitted_with_predicted_b1_and_anew_where_a_network_changes(
    block_study, tmp_path, monkeypatch
):
    plan = plan_run(block_study, tmp_path / "out", RunConfig(steps=("fit",), b1_from_network=True))
    fields(monkeypatch, Field(0.9, {"network for B1": "first"}))
    ear = Ear()
    assert run_study(plan, Here, ear).failures == {}
    maps = load_maps(plan.out / "maps" / "sub-001", desc="fitted")
    inside = np.isfinite(maps.values["B1"])
    np.testing.assert_allclose(maps.values["B1"][inside], 0.9, rtol=1e-5)
    again = Ear()
    outcome = run_study(plan, Here, again)
    assert set(again.outcomes.values()) == {"kept"}
    # what a person must read before using a map is told by every run, and stands beside the map
    assert [one.sentence for one in outcome.findings if one.subject == "001"] == ["doubt it"]
    sidecar = read_json(next((plan.out / "maps" / "sub-001").rglob("*_TB1map.json")))
    assert sidecar["Flags"] == ["doubt it"]
    assert {"B1 was predicted.", "a remark"} <= set(sidecar["EstimationNotes"])
    assert sidecar["EstimationAlgorithm"] == "RMQ-Net, smoothed"
    fields(monkeypatch, Field(1.1, {"network for B1": "second"}))
    other = Ear()
    run_study(plan, Here, other)
    assert set(other.outcomes.values()) == {"done"}
    anew = load_maps(plan.out / "maps" / "sub-001", desc="fitted").values["T1"]
    ratio = anew[inside] / maps.values["T1"][inside]
    assert np.nanmedian(ratio) == pytest.approx((0.9 / 1.1) ** 2, rel=0.05)


def test_who_can_not_be_predicted_fails_with_the_reason(block_study, tmp_path, monkeypatch):
    plan = plan_run(block_study, tmp_path / "out", RunConfig(steps=("fit",), b1_from_network=True))
    fields(monkeypatch, InputError("no network can predict B1: because"))
    outcome = run_study(plan, Here, Ear())
    assert outcome.failures["001"] == ["fit: no network can predict B1: because"]
    both = RunConfig(steps=("fit",), fit=FitConfig(assumed_b1=1.0), b1_from_network=True)
    fields(monkeypatch, Field(1.0, {}))
    outcome = run_study(plan_run(block_study, tmp_path / "both", both), Here, Ear())
    assert "--b1-from-network and --assumed-b1 both say what B1 is" in outcome.failures["001"][0]
