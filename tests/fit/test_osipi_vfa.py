"""VFA fits beside published reference fits: OSIPI, test data of the T1 mapping task force."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import Reason
from rmqnet.fit.problem import single
from rmqnet.fit.voxels import fit_voxels

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "osipi_t1_vfa"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the OSIPI data are not beside the repository")

BOUNDS = {"T1": (0.01, 100.0)}
"""Brain and prostate hold T1 outside the bounds for knees."""


def numbers(text: object) -> np.ndarray:
    return np.array(str(text).split(), float)


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / f"t1_{name}_data.csv").rename(columns=str.strip)


def fitted_rate(row: pd.Series, *, time_unit: float = 1.0, B1: float = 1.0) -> float:
    """R1 [1/s] of one voxel; NaN where the fit failed."""
    angles, times = numbers(row["FA"]), numbers(row["TR"]) * time_unit
    images = [
        Acquisition("vfa", flip_angle=angle, repetition_time_excitation=time)
        for angle, time in zip(angles, times, strict=True)
    ]
    result = fit_voxels(single(images), numbers(row["s"])[:, None], {"B1": np.array([B1])}, bounds=BOUNDS)
    assert np.isfinite(result.values["T1"][0]) == (result.reason[0] == Reason.VALID)
    return float(1 / result.values["T1"][0])


def passes(rate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The published tolerance: 0.05 /s + 5 %."""
    return np.abs(rate - reference) <= 0.05 + 0.05 * reference


def test_brain_voxels_agree_with_the_reference() -> None:
    data = table("brain")
    assert len(data) == 76
    rates = np.array([fitted_rate(row) for _, row in data.iterrows()])
    np.testing.assert_allclose(rates, data["R1"], rtol=1e-4)


def test_simulated_voxels_agree_with_their_truth() -> None:
    data = table("quiba")
    rates = np.array([fitted_rate(row) for _, row in data.iterrows()])
    # this table alone gives R1 per ms
    assert passes(rates, data["R1"].to_numpy() * 1e3).sum() == len(data) == 45


@pytest.fixture(scope="module")
def prostate() -> pd.DataFrame:
    """Prostate rows with fitted rates: B1 ignored, applied, and divided by (wrong on purpose); TR in ms, B1 in %."""
    data = table("prostate")
    for name, power in (("ignored", 0), ("applied", 1), ("divided", -1)):
        data[name] = [
            fitted_rate(row, time_unit=1e-3, B1=(row["B1"] / 100) ** power) for _, row in data.iterrows()
        ]
    return data


def test_prostate_voxels_agree_with_the_nonlinear_reference_without_and_with_b1(
    prostate: pd.DataFrame,
) -> None:
    assert len(prostate) == 50
    np.testing.assert_allclose(prostate["ignored"], 1e3 / prostate["T1 nonlinear"], rtol=1e-5)
    np.testing.assert_allclose(prostate["applied"], 1e3 / prostate["T1 nonlinear B1cor"], rtol=1e-5)


def test_a_wrong_use_of_b1_would_be_seen_in_the_prostate(prostate: pd.DataFrame) -> None:
    """Negative controls: the published tolerance lets only these pass, so passing it means something."""
    reference = 1e3 / prostate["T1 nonlinear B1cor"].to_numpy()
    assert passes(prostate["applied"].to_numpy(), reference).sum() == 50
    assert passes(prostate["ignored"].to_numpy(), reference).sum() == 29
    assert passes(prostate["divided"].to_numpy(), reference).sum() == 19


def test_duplicate_prostate_signals_are_fitted_alike(prostate: pd.DataFrame) -> None:
    """The table repeats the signals of 5 voxels, as its source says; nothing may depend on the neighbors."""
    repeated = prostate[prostate.duplicated(["s"], keep=False)]
    assert prostate.duplicated(["s"]).sum() == 5
    for _, same in repeated.groupby("s"):
        assert same["ignored"].nunique() == 1
