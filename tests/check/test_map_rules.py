"""Maps and series that can't be right are told; right objects that are no knees are not accused."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmqnet.check.check import check_images
from rmqnet.check.findings import RULES
from rmqnet.check.fitted import check_fitted
from rmqnet.check.images import images_of
from rmqnet.cli.main import main
from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.fit.fit import fit
from rmqnet.io.bids import write_scan
from rmqnet.io.participants import write_participants
from rmqnet.predict.choice import held_back

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (6, 48, 48)
GRID = centered_grid(SHAPE, (5.0, 2.5, 2.5))
SUBJECT = Subject("01", "right")
TIMES = (0.0, 0.01, 0.02, 0.04, 0.06, 0.08)


def noisy(signals: np.ndarray, sigma: float = 5.0) -> np.ndarray:
    rng = np.random.default_rng(8)
    return np.hypot(signals + rng.normal(0, sigma, signals.shape), rng.normal(0, sigma, signals.shape))


def objects() -> np.ndarray:
    """Which of four tissues fills a voxel (z, y, x); 0 for air."""
    labels = np.zeros(SHAPE, int)
    labels[:, 10:38, 8:40] = 1
    labels[:, 14:20, 10:38] = 2
    labels[:, 22:28, 10:38] = 3
    labels[:, 30:35, 10:38] = 4
    return labels


T1RHO = np.array([1.0, 0.045, 0.035, 0.055, 0.07])
BRIGHT = np.array([0.0, 1000.0, 600.0, 800.0, 1200.0])


def spin_lock(times: tuple[float, ...], signals: np.ndarray) -> Scan:
    acquisitions = tuple(Acquisition("spin_lock", spin_lock_time=time) for time in times)
    return Scan(SUBJECT, {"spin_lock": ImageSeries(noisy(signals).astype(np.float32), acquisitions, GRID)})


def decays(times: tuple[float, ...] = TIMES) -> np.ndarray:
    own = objects()
    return np.stack([BRIGHT[own] * np.exp(-time / T1RHO[own]) for time in times])


def alarms(scan: Scan) -> set[str]:
    images = images_of(scan)
    found = {one.rule for one in check_images(images, "01", SUBJECT)}
    found |= {rule for rule, _ in check_fitted(images, fit(scan))}
    return {rule for rule in found if RULES[rule].severity != "note"}


def test_right_decays_give_no_alarm():
    assert alarms(spin_lock(TIMES, decays())) == set()


def test_t2_preparations_among_spin_lock_images_are_found_in_images_and_maps():
    times, t2 = (0.0, 0.01, 0.0128, 0.0257, 0.04, 0.0514, 0.08), 0.6 * T1RHO
    own = objects()
    signals = np.stack(
        [
            BRIGHT[own] * np.exp(-time / (t2 if time in (0.0128, 0.0257, 0.0514) else T1RHO)[own])
            for time in times
        ]
    )
    assert {"spin_lock_times", "misfit"} <= alarms(spin_lock(times, signals))


def test_times_and_decay_ten_times_too_short_are_found_and_a_vial_of_5_ms_is_not_accused():
    short = tuple(time / 10 for time in TIMES)
    assert alarms(spin_lock(short, decays())) == {"time_scale"}
    vial = np.stack([BRIGHT[objects()] * np.exp(-time / 0.006) for time in TIMES])
    found = alarms(spin_lock(TIMES, vial))
    assert "time_scale" not in found
    assert "at_bounds" not in found


def test_an_image_that_was_masked_among_others_and_padding_are_found_by_what_they_are():
    images = images_of(spin_lock(TIMES, decays()))
    masked = replace(images[2], data=np.where(objects() > 0, images[2].data, 0).astype(np.float32))
    findings = check_images([*images[:2], masked, *images[3:]], "01", SUBJECT)
    assert any(one.rule == "other_kind" and "TSL 20 ms" in one.sentence for one in findings)
    padded = [
        replace(one, data=np.where(np.arange(48) < 6, -2000, one.data).astype(np.float32)) for one in images
    ]
    sentences = [one.sentence for one in check_images(padded, "01", SUBJECT) if one.rule == "not_magnitude"]
    assert len(sentences) == len(images)
    assert all("padding" in sentence and "phase" not in sentence for sentence in sentences)


def maps(**values: np.ndarray | float) -> MapSet:
    volumes = {name: np.broadcast_to(value, SHAPE).astype(np.float32) for name, value in values.items()}
    return MapSet(
        volumes,
        {name: np.full(SHAPE, Reason.VALID, np.uint8) for name in volumes},
        GRID,
        sd={name: np.full(SHAPE, 0.02 * float(np.median(v)), np.float32) for name, v in volumes.items()},
    )


RNG = np.random.default_rng(4)
USUAL = {
    "T1": RNG.uniform(0.4, 1.5, SHAPE),
    "B1": RNG.uniform(0.9, 1.1, SHAPE),
    "T1rho": RNG.uniform(0.03, 0.07, SHAPE),
}


def test_usual_values_give_no_finding():
    assert list(check_fitted([], maps(**USUAL))) == []


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ("b1_range", {**USUAL, "B1": 100 * USUAL["B1"]}),
        ("relaxation_order", {**USUAL, "T1": USUAL["T1"] / 50}),
        ("same_everywhere", {**USUAL, "T1": 1.0}),
        ("unlike_knee", {"T1rho": USUAL["T1rho"] / 10}),
        ("unlike_knee", {"T1": 3 * USUAL["T1"] + 2}),
    ],
)
def test_values_that_cannot_be_right_are_found(rule: str, values: dict):
    found = dict(check_fitted([], maps(**values)))
    assert rule in found
    assert found[rule].endswith(".")


def test_a_map_that_mostly_ends_on_its_bounds_is_found():
    made = maps(**USUAL)
    reason = {name: codes.copy() for name, codes in made.reason.items()}
    reason["T1"][:4] = Reason.AT_BOUND
    assert "at_bounds" in dict(check_fitted([], replace(made, reason=reason)))


def test_vials_in_air_and_in_water_are_not_accused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.delitem(sys.modules, "_vial_phantoms", raising=False)
    from _vial_phantoms import vials  # pyright: ignore[reportMissingImports]

    for seed, water in ((1, False), (2, True)):
        scan = vials(np.random.default_rng(seed), water=water)
        maps_ = fit(scan)
        found = {rule for rule, _ in check_fitted(images_of(scan), maps_)}
        assert {rule for rule in found if RULES[rule].severity != "note"} == set()


@pytest.fixture
def short_study(tmp_path: Path) -> Path:
    study = tmp_path / "study"
    (study / "sub-01").mkdir(parents=True)
    write_scan(study / "sub-01", spin_lock(tuple(time / 10 for time in TIMES), decays()))
    write_participants(study / "participants.tsv", [SUBJECT])
    return study


def test_a_doubt_travels_with_the_map(short_study: Path, capsys: pytest.CaptureFixture[str]):
    out = short_study.parent / "maps"
    assert main(["fit", str(short_study), str(out)]) == 0
    assert "doubt these maps: Spin-lock times up to 8 ms" in capsys.readouterr().err
    folder = out / "sub-01"
    sidecar = json.loads(next(folder.rglob("*_T1rho.json")).read_text())
    assert len(sidecar["Flags"]) == 1
    assert "shorter than those of any knee" in sidecar["Flags"][0]
    assert sidecar["Flags"][0] in (folder / "figures" / "knee.html").read_text()
    assert "shorter than those of any knee" in (out / "provenance.json").read_text()


def test_a_run_lists_the_doubt_whether_it_checks_or_not(short_study: Path):
    for name, steps in (("a", ["fit"]), ("b", ["check", "fit"])):
        out = short_study.parent / name
        assert main(["run", str(short_study), str(out), "--steps", *steps]) == 0
        rows = (out / "findings.tsv").read_text().splitlines()
        assert sum("time_scale" in row for row in rows) == 1


def test_who_keeps_the_others_from_a_larger_network_is_named():
    vfa = [Acquisition("vfa", flip_angle=angle, repetition_time_excitation=0.02) for angle in (5.0, 10.0)]
    networks = {"small": vfa[:1], "large": vfa}
    scans: dict[str, list[Acquisition]] = dict.fromkeys(("1", "2", "3"), vfa)
    assert held_back(networks, scans, "large") == {}
    found = held_back(networks, {**scans, "4": vfa[:1]}, "small")
    assert set(found) == {"4"}
    assert "instead of large" in found["4"]
    # where most lack an image, nobody is to blame
    assert held_back(networks, {"1": vfa, "2": vfa[:1], "3": vfa[:1]}, "small") == {}
