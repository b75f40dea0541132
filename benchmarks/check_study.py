"""Planted study errors that `rmqnet check` finds by the rules meant for them, and false alarms on right studies.

Right studies are simulated knees, a real one and phantoms of vials.
"""

import argparse
import json
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from _planted_errors import PLANTED, Place
from _planted_mixtures import MIXTURES
from _vial_phantoms import vials

SHAPE = (12, 64, 64)
SEED = 88
PER_KIND = 10
N_PHANTOMS = 40
ALL_KINDS = (*PLANTED, *MIXTURES)
MAP_RULES = {"misfit", "same_everywhere", "relaxation_order", "at_bounds"}
"""Rules that look at maps: they are fitted to the spoiled images first."""
REAL_KNEE = Path(__file__).resolve().parents[2] / "shared" / "data" / "pykneer_t1rho_dess"


def make_study(folder: Path, config, indices: range) -> None:
    """Simulated subjects as a BIDS folder, without truth."""
    from rmqnet.io.bids import write_scan
    from rmqnet.io.participants import write_participants
    from rmqnet.simulate.simulate import simulate_subject

    people = []
    for index in indices:
        knee = simulate_subject(config, index)
        own = folder / f"sub-{knee.subject.name}"
        own.mkdir(parents=True)
        write_scan(own, knee.scan)
        people.append(knee.subject)
    write_participants(folder / "participants.tsv", people)


def maps_of(study: Path, name: str):
    """Fitted maps of a subject."""
    import rmqnet

    return rmqnet.fit(rmqnet.load_scan(study, name))


def map_rules(study: Path, name: str) -> set[str]:
    """Rules that find something in maps fitted to the images of a subject; none where they can't be fitted."""
    from rmqnet.check.fitted import check_fitted
    from rmqnet.check.images import images_of
    from rmqnet.domain.errors import InputError
    from rmqnet.io.bids import load_scan

    try:
        return {rule for rule, _ in check_fitted(images_of(load_scan(study, name)), maps_of(study, name))}
    except InputError:
        return set()


def is_alarm(rule: str) -> bool:
    from rmqnet.check.findings import RULES

    return RULES[rule].severity != "note"


def wanted(kind: int) -> set[str]:
    """Rules that may find the kind of error of this number."""
    return set(ALL_KINDS[kind - 1][1].split("` or `"))


def planted(job) -> set[str]:
    """Rules that find something in one subject with one planted error."""
    from rmqnet.pipeline.check import check_subject, compared

    seed, number, index, study, names, stranger, summaries, trial = job
    name = names[index]
    trial.mkdir()
    shutil.copy(study / "participants.tsv", trial)
    shutil.copytree(study / f"sub-{name}", trial / f"sub-{name}")
    rng = np.random.default_rng([seed, number, index])
    ALL_KINDS[number - 1][2](Place(trial / f"sub-{name}", study / f"sub-{names[index - 1]}", stranger, rng))
    others = [one for one in summaries if one.subject.name != name]
    rules = {one.rule for one in compared(check_subject(trial, name), others)}
    if wanted(number) & MAP_RULES and not wanted(number) & rules:
        rules |= map_rules(trial, name)
    shutil.rmtree(trial)
    return rules


def phantom_alarms(job: tuple[int, int, bool]) -> list[tuple[str, str]]:
    """Alarms on one right phantom of vials, its images and its maps."""
    import rmqnet

    seed, index, water = job
    return scan_alarms(vials(np.random.default_rng([seed, index]), water=water), rmqnet.fit)


def scan_alarms(scan, fit) -> list[tuple[str, str]]:
    from rmqnet.check.check import check_images
    from rmqnet.check.fitted import check_fitted
    from rmqnet.check.images import images_of

    images = images_of(scan)
    said = [(one.rule, one.sentence) for one in check_images(images, "1", scan.subject)]
    said += check_fitted(images, fit(scan))
    return [(rule, sentence) for rule, sentence in said if is_alarm(rule)]


def real_knee():
    """The middle slices of the real knee (pyKNEEr's CubeQuant series); None where it is not at hand."""
    if not REAL_KNEE.is_dir():
        return None
    import nibabel

    from rmqnet.domain.acquisition import Acquisition
    from rmqnet.domain.grid import Grid
    from rmqnet.domain.scan import ImageSeries, Scan
    from rmqnet.domain.subject import Subject

    files = {ms: nibabel.nifti1.load(REAL_KNEE / f"T1rho_tsl-{ms:02d}ms.nii.gz") for ms in (1, 10, 30, 60)}
    data = np.stack([np.asanyarray(one.dataobj).transpose(2, 1, 0)[8:32] for one in files.values()])
    grid = Grid(data.shape[1:], next(iter(files.values())).affine[:, [2, 1, 0, 3]], "PIL")
    times = tuple(Acquisition("spin_lock", spin_lock_time=ms / 1000) for ms in files)
    series = ImageSeries(data.astype(np.float32), times, grid)
    return Scan(Subject("knee", "right"), {"spin_lock": series})


def false_alarms(study: Path, names: list[str], checked: dict, summaries: list, jobs: list, pool):
    """Number of right studies, and of those with an alarm; the maps of the simulated knees."""
    import rmqnet
    from rmqnet.check.fitted import check_fitted
    from rmqnet.check.images import images_of
    from rmqnet.io.bids import load_scan
    from rmqnet.pipeline.check import compared

    said = {}
    maps = {}
    for name in names:
        maps[name] = maps_of(study, name)
        found = [(one.rule, one.sentence) for one in compared(checked[name], summaries)]
        found += check_fitted(images_of(load_scan(study, name)), maps[name])
        said[f"sub-{name}"] = [one for one in found if is_alarm(one[0])]
    for (_, index, water), found in zip(jobs, pool.map(phantom_alarms, jobs), strict=True):
        said[f"phantom {index} in {'water' if water else 'air'}"] = found
    knee = real_knee()
    if knee is not None:
        said["real knee"] = scan_alarms(knee, rmqnet.fit)
    for who, found in said.items():
        for rule, sentence in found:
            print(f"false alarm, {who}: {rule}: {sentence}", flush=True)
    wrong = sum(bool(found) for found in said.values())
    print(
        f"right studies: {len(names)} simulated knees, {len(jobs)} phantoms of vials, {int(knee is not None)} real "
        f"knee; {wrong} with an alarm",
        flush=True,
    )
    return len(said), wrong, maps


def wrong_maps(study: Path, names: list[str], maps: dict, per_kind: int) -> list[int]:
    """How often maps of another subject, and maps whose B1 is in percent, are found."""
    from dataclasses import replace

    from rmqnet.check.fitted import check_fitted
    from rmqnet.check.images import images_of
    from rmqnet.io.bids import load_scan

    foreign = percent = 0
    for index, name in enumerate(names[:per_kind]):
        images, own = images_of(load_scan(study, name)), maps[name]
        foreign += "misfit" in {rule for rule, _ in check_fitted(images, maps[names[index - 1]])}
        hundredfold = replace(own, values={**own.values, "B1": 100 * own.values["B1"]})
        percent += "b1_range" in {rule for rule, _ in check_fitted(images, hundredfold)}
    return [foreign, percent]


def run(
    folder: Path, seed: int, n_subjects: int, per_kind: int, n_phantoms: int, only: set[int]
) -> dict[str, float]:
    """Percent of planted errors found, percent of right studies with an alarm, and the counts."""
    from rmqnet.pipeline.check import check_subject
    from rmqnet.simulate.config import SimulateConfig

    config = SimulateConfig(n_subjects=n_subjects + per_kind, seed=seed, shape=SHAPE, supersampling=(2, 1, 1))
    study, elsewhere = folder / "study", folder / "elsewhere"
    make_study(study, config, range(n_subjects))
    make_study(elsewhere, config, range(n_subjects, n_subjects + per_kind))
    names = sorted(path.name.removeprefix("sub-") for path in study.glob("sub-*"))
    strangers = sorted(elsewhere.glob("sub-*"))
    checked = {name: check_subject(study, name) for name in names}
    summaries = [one.summary for one in checked.values()]
    found = total = 0
    # workers forked from a process that has fitted maps would wait for its threads for ever
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        right = [(seed, index, bool(index % 2)) for index in range(n_phantoms)]
        n_right, wrong, maps = false_alarms(study, names, checked, summaries, right, pool)
        jobs = [
            (
                seed,
                number,
                index,
                study,
                names,
                strangers[index],
                summaries,
                folder / f"trial-{number}-{index}",
            )
            for number in range(1, len(ALL_KINDS) + 1)
            for index in range(per_kind)
            if not only or number in only
        ]
        for (_, number, index, *_), rules in zip(jobs, pool.map(planted, jobs), strict=True):
            what = ALL_KINDS[number - 1][0]
            right = bool(wanted(number) & rules)
            found, total = found + right, total + 1
            if not right:
                print(
                    f"   missed in sub-{names[index]}: {what}; found {', '.join(sorted(rules)) or 'nothing'}"
                )
            if index == per_kind - 1:
                print(f"{number:2d} {what}: {found} of {total} found so far", flush=True)
    for offset, (what, caught) in enumerate(
        zip(
            ("maps of another subject", "a B1 map in percent"),
            wrong_maps(study, names, maps, per_kind),
            strict=True,
        ),
        1,
    ):
        print(f"{len(ALL_KINDS) + offset:2d} {what}: {caught} of {per_kind} found")
        found, total = found + caught, total + per_kind
    return {
        "caught_percent": round(100 * found / total, 1),
        "false_percent": round(100 * wrong / n_right, 1),
        "planted": total,
        "caught": found,
        "right": n_right,
        "false": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=100, help="right simulated knees")
    parser.add_argument("--planted", type=int, default=PER_KIND, help="subjects per kind of error")
    parser.add_argument("--seed", type=int, default=SEED, help="of all knees, phantoms and errors")
    parser.add_argument("--phantoms", type=int, default=N_PHANTOMS, help="right phantoms of vials")
    parser.add_argument(
        "--only", type=int, nargs="*", default=[], help="numbers of the kinds of errors to plant"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        per_kind = min(options.planted, options.subjects)
        counts = (options.seed, options.subjects, per_kind, options.phantoms)
        result = run(Path(folder), *counts, set(options.only))
    print(
        f"{len(ALL_KINDS) + 2} kinds of errors in {per_kind} subjects each, {options.subjects} right simulated knees"
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
