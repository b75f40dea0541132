"""Planted study errors that `rmqnet check` finds by the rule meant for them, and false alarms on right subjects."""

import argparse
import json
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from _planted_errors import PLANTED, Place

SHAPE = (12, 64, 64)
SEED = 88
PER_KIND = 10


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


def alarms(findings) -> list:
    return [one for one in findings if one.severity != "note"]


def planted(job) -> set[str]:
    """Rules that find something in one subject with one planted error."""
    from rmqnet.pipeline.check import check_subject, compared

    number, index, study, names, stranger, summaries, trial = job
    name = names[index]
    trial.mkdir()
    shutil.copy(study / "participants.tsv", trial)
    shutil.copytree(study / f"sub-{name}", trial / f"sub-{name}")
    rng = np.random.default_rng([SEED, number, index])
    PLANTED[number - 1][2](Place(trial / f"sub-{name}", study / f"sub-{names[index - 1]}", stranger, rng))
    others = [one for one in summaries if one.subject.name != name]
    rules = {one.rule for one in compared(check_subject(trial, name), others)}
    shutil.rmtree(trial)
    return rules


def run(folder: Path, n_subjects: int, per_kind: int) -> tuple[float, float]:
    """Percent of planted errors found, percent of right subjects with an alarm."""
    from rmqnet.check.fitted import check_fitted
    from rmqnet.check.images import images_of
    from rmqnet.io.bids import load_scan
    from rmqnet.pipeline.check import check_subject, compared
    from rmqnet.simulate.config import SimulateConfig

    config = SimulateConfig(n_subjects=n_subjects + per_kind, seed=SEED, shape=SHAPE, supersampling=(2, 1, 1))
    study, elsewhere = folder / "study", folder / "elsewhere"
    make_study(study, config, range(n_subjects))
    make_study(elsewhere, config, range(n_subjects, n_subjects + per_kind))
    names = sorted(path.name.removeprefix("sub-") for path in study.glob("sub-*"))
    strangers = sorted(elsewhere.glob("sub-*"))
    checked = {name: check_subject(study, name) for name in names}
    summaries = [one.summary for one in checked.values()]
    false = 0
    maps = {}
    for name in names:
        said = alarms(compared(checked[name], summaries))
        maps[name] = maps_of(study, name)
        rules = [rule for rule, _ in check_fitted(images_of(load_scan(study, name)), maps[name])]
        false += bool(said or rules)
        for one in said:
            print(f"false alarm, sub-{name}: {one.rule}: {one.sentence}")
        for rule in rules:
            print(f"false alarm, sub-{name}: {rule}")
    found = total = 0
    jobs = [
        (number, index, study, names, strangers[index], summaries, folder / f"trial-{number}-{index}")
        for number in range(1, len(PLANTED) + 1)
        for index in range(per_kind)
    ]
    with ProcessPoolExecutor(2) as pool:
        for (number, index, *_), rules in zip(jobs, pool.map(planted, jobs), strict=True):
            what, rule, _ = PLANTED[number - 1]
            found, total = found + (rule in rules), total + 1
            if rule not in rules:
                print(
                    f"   missed in sub-{names[index]}: {what}; found {', '.join(sorted(rules)) or 'nothing'}"
                )
            if index == per_kind - 1:
                print(f"{number:2d} {what}: {found} of {total} found so far", flush=True)
    caught = 0
    for index, name in enumerate(names[:per_kind]):
        images = images_of(load_scan(study, name))
        caught += "misfit" in {rule for rule, _ in check_fitted(images, maps[names[index - 1]])}
    print(f"{len(PLANTED) + 1:2d} maps of another subject: misfit found {caught} of {per_kind}")
    found, total = found + caught, total + per_kind
    return 100 * found / total, 100 * false / len(names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=100, help="right subjects")
    parser.add_argument("--planted", type=int, default=PER_KIND, help="subjects per kind of error")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        caught, false = run(Path(folder), options.subjects, min(options.planted, options.subjects))
    kinds = len(PLANTED) + 1
    print(f"{kinds} kinds of errors in {options.planted} subjects each, {options.subjects} right subjects")
    print(json.dumps({"caught_percent": round(caught, 1), "false_percent": round(false, 1)}))


if __name__ == "__main__":
    main()
