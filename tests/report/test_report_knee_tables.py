"""Tables of one knee, and figures of single maps."""

import numpy as np
import pytest

from rmqnet.domain.acquisition import METHODS, Acquisition
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.protocols import adiabatic_t1rho, vfa
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.report.fit_words import MODEL_WORDS, REASON_WORDS, map_words
from rmqnet.report.knee_tables import acquisition_table, reason_table, series_table, value_table
from rmqnet.report.slice_figure import map_png, spread_slices

GRID = centered_grid((6, 20, 24), (3.0, 0.6, 0.6))


@pytest.fixture
def scan():
    images = np.ones((2, *GRID.shape), np.float32)
    lock = ImageSeries(images, (adiabatic_t1rho(0.0), adiabatic_t1rho(0.048)), GRID)
    return Scan(
        Subject("a1", "left", age=41, kl_grade=2),
        {"vfa": ImageSeries(images, (vfa(5.0), vfa(30.0)), GRID), "adiabatic_t1rho": lock},
    )


@pytest.fixture
def maps():
    T1 = np.full(GRID.shape, np.nan, np.float32)
    T1[1:5, 4:16, 4:20] = np.linspace(0.5, 1.5, 4 * 12 * 16).reshape(4, 12, 16)
    reason = np.where(np.isfinite(T1), Reason.VALID, Reason.BACKGROUND).astype(np.uint8)
    T1rho = 0.04 * T1
    return MapSet({"T1": T1, "T1rho": T1rho}, {"T1": reason, "T1rho": reason}, GRID)


def test_every_outcome_and_every_model_is_put_in_words():
    assert set(REASON_WORDS) == set(Reason)
    assert set(MODEL_WORDS) == set(METHODS)
    assert "T1 50 to 5000 ms" in REASON_WORDS[Reason.AT_BOUND]


def test_m0_without_vfa_images_is_not_called_proton_density(scan):
    assert "proton density" in map_words("M0", scan)
    lock = ImageSeries(
        np.ones((1, *GRID.shape), np.float32), (Acquisition("spin_lock", spin_lock_time=0.0),), GRID
    )
    assert map_words("M0", Scan(scan.subject, {"spin_lock": lock})) == "signal at spin-lock time 0"


def test_series_and_images_are_listed_with_their_models_and_times(scan):
    words = " ".join(cell.text for row in series_table(scan).rows for cell in row)
    assert "spoiled gradient echo" in words
    assert "multispoke adiabatic T1rho" in words
    rows = [[cell.text for cell in row] for row in acquisition_table(scan).rows]
    assert rows[-1] == ["adiabatic T1rho", "TSL 48 ms", "10", "\N{EN DASH}", "0.032", "48", "500", "25"]


def test_values_are_shown_in_ms(maps):
    first = [cell.text for cell in value_table(maps).rows[0]]
    assert first == ["T1 [ms]", "1000", "750 to 1250", "\N{EN DASH}", "768 (100.0 % of tissue)"]


def test_outcomes_are_counted_by_reason(maps):
    rows = {row[0].text: row[1].text for row in reason_table(maps).rows}
    assert rows == {"valid": "768 (26.7 %)", "background": "2,112 (73.3 %)"}


def test_a_map_without_any_value_still_gives_a_figure():
    nothing = np.full(GRID.shape, np.nan, np.float32)
    failed = np.full(GRID.shape, Reason.NOT_CONVERGED, np.uint8)
    for name in ("T1", "M0"):
        empty = MapSet({name: nothing}, {name: failed}, GRID)
        assert len(map_png(empty, name)) > 1000
        assert value_table(empty).rows[0][1].text == "\N{EN DASH}"


def test_slices_are_spread_over_the_part_with_values(maps):
    assert spread_slices(maps.values["T1"], 2) == [2, 4]
    assert spread_slices(maps.values["T1"], 9) == [1, 2, 3, 4]
