"""The study from the first knee to the report; every part goes on where it was."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rmqnet.domain.errors import InputError
from rmqnet.evaluate.collect import Collected
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.io.layout import list_subjects
from rmqnet.io.store import make_provenance, open_stage
from rmqnet.io.text import write_json
from rmqnet.networks.checkpoint import Checkpoint
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.simulate import simulate_study
from rmqnet.pipeline.study.clock import Clock
from rmqnet.pipeline.study.counterfactual import score_counterfactuals
from rmqnet.pipeline.study.elsewhere import shifted_panels
from rmqnet.pipeline.study.leaks import check_people_untouched, check_slices_apart, remarks_on_others
from rmqnet.pipeline.study.methods import (
    CONVENTIONAL,
    PREDICTED_B1,
    Method,
    fit_method,
    network_method,
    predicted_b1_method,
    prior_methods,
    truth_method,
)
from rmqnet.pipeline.study.people import Panel, disk_panel, simulated_panel
from rmqnet.pipeline.study.presets import FRESH_SEED, TRUTH_LEARNERS, VARIATIONS, StudyPreset
from rmqnet.pipeline.study.prior import study_prior
from rmqnet.pipeline.study.scores import ALL, Lineup, Share, score_panel
from rmqnet.pipeline.study.trainings import Network, Networks, train_all
from rmqnet.pipeline.train import names, study_split
from rmqnet.pipeline.whom import in_words, marks_of
from rmqnet.samples.split import Split

TRUTH_FOLDER = "learned-truth"
"""Name of the folders of what networks that learned the truth are measured by."""
LEARNED_TRUTH = tuple(one.name for one in TRUTH_LEARNERS)
"""Networks that are tested on people unlike the training too: what they know, they know from simulated knees."""
COUNTERFACTUAL_FITS = ("4FA+7TSL+AFI, fit", "2FA+3TSL, fit")
"""Conventional fits whose answer to changed tissue stands beside the networks'."""
NOTHING_GIVEN = (
    "No other study was given (--also), so that no scan made from a segmented real knee was tested."
)


@dataclass(frozen=True, eq=False)
class Finished:
    """Everything that the report of a study is made from."""

    root: Path
    preset_name: str
    preset: StudyPreset
    config: EvaluateConfig
    split: Split
    networks: Networks
    fresh: Panel
    methods: dict[str, Method]
    """By label: those of the networks, then of the baselines."""
    main: Collected
    """Networks on the fresh people."""
    tested: Collected
    """Networks on the untouched test people."""
    baselines: Collected
    """Networks, fits, means and variations on the first of the fresh people."""
    elsewhere: dict[str, Collected]
    """Networks on people unlike the training, by title."""
    responses: pd.DataFrame
    clock: Clock
    notes: tuple[str, ...]


def study_methods(networks: Networks, prior: Sequence[Method]) -> tuple[list[Method], list[Method]]:
    """The networks of the input sets, and everything that they are compared with."""
    own = [network_method(name, one.path, one.checkpoint) for name, one in networks.main.items()]
    others = [fit_method(name) for name in CONVENTIONAL]
    main = networks.main
    others += [
        predicted_b1_method(main[name].path, main[name].checkpoint) for name in PREDICTED_B1 if name in main
    ]
    others += [*prior, truth_method()]
    for variation in VARIATIONS:
        if (found := networks.variations.get(variation.name)) is not None:
            flags = {"maps": variation.maps, "segmentation": variation.segmentation}
            args = variation.name, found.path, found.checkpoint, variation.what
            others.append(network_method(*args, **flags))
    return own, others


def finish_study(
    out: Path,
    preset_name: str,
    preset: StudyPreset,
    reporter: Reporter,
    *,
    weights: Path | None = None,
    also: Sequence[Path] = (),
    variations: bool = True,
    share: Share = ALL,
) -> Finished | None:
    """Do what is not done yet of a study in `out`, all but the report; every part has its folder there.

    A cohort or a training that `rmqnet simulate` or `rmqnet train` put there with the same settings is taken as it is.
    `weights` is a folder with <input set>.safetensors: then nothing is trained, and what is missing is left out. `also`
    are studies on disk whose people are tested too. A share tests its part of the people and returns None; networks and
    means must be there before several work side by side.
    """
    _open(out / "study", preset, weights)
    clock = Clock(out / "durations.json")
    study = out / "cohort"
    with clock.part("cohort and reference maps"):
        simulate_study(study, preset.cohort, reporter)
    split = study_split(study)
    _check_study(study, out / "checks", split, reporter)
    networks = train_all(
        study, out / "train", preset, reporter, clock, weights=weights, variations=variations
    )
    notes = [*networks.notes, *_check_networks(study, split, networks, preset)]
    with clock.part("means of the training people"):
        prior, prior_hash = study_prior(study, out / "prior", split.train, preset.cohort, reporter)
    own, others = study_methods(networks, prior_methods(prior, {"prior": prior_hash}))
    config = EvaluateConfig(n_bootstrap=preset.n_bootstrap)
    lineup, scores = Lineup("networks", tuple(own)), out / "scores"
    shifted = shifted_panels(preset, also)
    truthful = [one for one in others if one.label in LEARNED_TRUTH]
    _check_given_people(shifted, networks, [*own, *truthful])
    fresh = simulated_panel("fresh", "fresh people", preset.unseen(preset.n_fresh))
    compared = Lineup("baselines", (*own, *others), preset.n_baselines)
    with clock.part("test on fresh people"):
        found = score_panel(scores, fresh, [lineup, compared], config, reporter, share)
    with clock.part("test people of the cohort"):
        panel = disk_panel("test", "test people of the cohort", study, names(split.test))
        tested = score_panel(scores, panel, [lineup], config, reporter, share)
    # those that learned the truth have folders of their own: without them the scores of the others are the same
    truth_lineup = [Lineup(TRUTH_FOLDER, tuple(truthful))] if truthful else []
    with clock.part("people unlike the training"):
        both = [lineup, *truth_lineup]
        unlike = {one.title: score_panel(scores, one, both, config, reporter, share) for one in shifted}
    with clock.part("counterfactual scans"):
        watched = [*own, *(one for one in others if one.label in COUNTERFACTUAL_FITS)]
        responses = _responses(out, preset, (watched, truthful), reporter, share)
    if share != ALL:
        return None
    notes += [] if also else [NOTHING_GIVEN]
    methods = {one.label: one for one in [*own, *others]}
    about = out, preset_name, preset, config, split, networks, fresh, methods
    collected = found["networks"], tested["networks"], found["baselines"]
    return Finished(*about, *collected, _by_title(unlike), responses, clock, tuple(notes))


def _responses(
    out: Path, preset: StudyPreset, methods: Sequence[Sequence[Method]], reporter: Reporter, share: Share
) -> pd.DataFrame:
    """Answers to counterfactual scans of the methods, and of those that learned the truth, in folders of their own."""
    people = preset.unseen(preset.n_counterfactual)
    tables = [
        score_counterfactuals(out / name, people, own, reporter, share)
        for name, own in zip(("counterfactual", f"counterfactual-{TRUTH_FOLDER}"), methods, strict=True)
        if own
    ]
    return pd.concat(tables, ignore_index=True)


def _by_title(unlike: Mapping[str, Mapping[str, Collected]]) -> dict[str, Collected]:
    """What was measured on people unlike the training, by title; networks that learned the truth have titles apart."""
    found = {title: one["networks"] for title, one in unlike.items()}
    apart = {title: one[TRUTH_FOLDER] for title, one in unlike.items() if TRUTH_FOLDER in one}
    return found | {f"{title}, networks that learned the truth": one for title, one in apart.items()}


def _open(out: Path, preset: StudyPreset, weights: Path | None) -> None:
    """Refuse the folder of another study; note the settings of this one."""
    given = None if weights is None else weights.name
    open_stage(out, make_provenance("study", {"preset": preset, "weights": given}))


def _check_study(study: Path, out: Path, split: Split, reporter: Reporter) -> None:
    """Make sure, once, that no slice of a test person is one of somebody who is learned from."""
    learned, tested = names((*split.train, *split.validation)), names(split.test)
    output = open_stage(out, make_provenance("study-checks", {"learned": learned, "tested": tested}))
    if not (out / "slices.json").is_file():
        reporter.say("Comparing every slice of the test people with every slice that is learned from.")
        check_slices_apart(study, learned, tested)
        with output.file("slices.json") as file:
            write_json(file, {"learned": learned, "tested": tested, "common_slices": 0})


def _check_networks(study: Path, split: Split, networks: Networks, preset: StudyPreset) -> list[str]:
    """Remarks; InputError where a network knows a test person, or the cohort is that of the fresh people."""
    if preset.cohort.seed == FRESH_SEED:
        raise InputError(f"seed {FRESH_SEED} is that of the fresh people: choose another one for the cohort")
    tested = {name: marks_of(study, name) for name in names(split.test)}
    check_people_untouched(fresh_people(preset), _checkpoints(networks), "the fresh people")
    remarks = check_people_untouched(tested, _checkpoints(networks))
    given = {one.label: one.checkpoint for one in _every(networks) if one.given}
    if given:
        cohort = frozenset[str]().union(*(marks_of(study, name) for name in list_subjects(study)))
        remarks += remarks_on_others(given, cohort, preset.cohort.seed)
    return remarks


def fresh_people(preset: StudyPreset) -> dict[str, Set[str]]:
    """Marks of all fresh people by name: a network that knows one of them can't be tested."""
    n_people = max(preset.n_fresh, preset.n_shifted, preset.n_counterfactual)
    return {f"{number:03d}": {in_words(FRESH_SEED, number)} for number in range(1, n_people + 1)}


def _check_given_people(panels: Sequence[Panel], networks: Networks, own: Sequence[Method]) -> None:
    """Refuse, before hours of other work, people on disk whom a network knows or whose scans none can use."""
    for panel in panels:
        if panel.marks:
            tested = dict(zip(panel.names, panel.marks, strict=True))
            check_people_untouched(tested, _checkpoints(networks), panel.title)
            first = panel.load(0)
            for method in own:
                method.predict(first)


def _checkpoints(networks: Networks) -> dict[str, Checkpoint]:
    return {one.label: one.checkpoint for one in _every(networks)}


def _every(networks: Networks) -> list[Network]:
    return [*networks.main.values(), *networks.variations.values()]
