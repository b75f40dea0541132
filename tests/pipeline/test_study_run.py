"""A whole study, as small as one can be: it goes through, and a second run does nothing again."""

from pathlib import Path

import pytest

from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.study import counterfactual, run, trainings
from rmqnet.pipeline.study.people import simulated_panel
from rmqnet.pipeline.study.presets import StudyPreset
from rmqnet.pipeline.study.report import compared_pairs
from rmqnet.pipeline.study.run import Finished, finish_study
from rmqnet.pipeline.study.scores import Share
from rmqnet.simulate.config import SimulateConfig
from rmqnet.train.config import TrainConfig

PRESET = StudyPreset(
    cohort=SimulateConfig(n_subjects=3, seed=7, shape=(8, 64, 64)),
    train=TrainConfig(epochs=1, base_width=2),
    n_fresh=2,
    n_baselines=1,
    n_shifted=1,
    n_counterfactual=1,
    n_bootstrap=10,
)


def files(folder: Path) -> dict[Path, int]:
    """Time of the last change of every file about a person, a network or a mean."""
    # records and tables at the root of a dataset are written anew with what they held; durations add up
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
        and path.name not in ("provenance.json", "durations.json")
        and (path.suffix == ".safetensors" or any(part.startswith("sub-") for part in path.parts))
    }


def test_a_study_goes_through_and_a_second_run_does_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(trainings, "INPUT_SETS_STUDIED", ("1FA+1TSL",))
    monkeypatch.setattr(counterfactual, "CHANGES", (("T1", (1.2,)),))
    monkeypatch.setattr(run, "CONVENTIONAL", ("2FA+3TSL",))
    monkeypatch.setattr(
        run, "shifted_panels", lambda preset, _: [simulated_panel("same", "as before", preset.unseen(1))]
    )

    def study() -> Finished:
        found = finish_study(tmp_path / "out", "tiny", PRESET, Quiet(), variations=False)
        assert found is not None
        return found

    first = study()
    assert list(first.main.subjects) == ["001", "002"]
    assert list(first.tested.subjects) == [one.name for one in first.split.test]
    assert first.baselines.input_sets == (
        "1FA+1TSL",
        "2FA+3TSL, fit",
        "population mean",
        "position only",
        "truth",
    )
    assert set(first.responses["input_set"]) == {"1FA+1TSL", "2FA+3TSL, fit"}
    # no network of the images of the fit: it is compared with none
    assert [second for _, second in compared_pairs(first)] == ["population mean", "position only"]
    assert (tmp_path / "out" / "checks" / "slices.json").is_file()
    assert list(first.elsewhere) == ["as before"]
    before = files(tmp_path / "out")
    for number in (1, 2):
        share = Share(number, 2)
        assert finish_study(tmp_path / "out", "tiny", PRESET, Quiet(), variations=False, share=share) is None
    again = study()
    assert files(tmp_path / "out") == before
    assert again.responses.equals(first.responses)
    for key, sums in first.main.voxel_sums.items():
        for name, values in sums.items():
            assert again.main.voxel_sums[key][name].tolist() == values.tolist()
