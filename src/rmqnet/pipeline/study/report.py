"""From what a study has measured to its page and tables."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import pandas as pd

from rmqnet.domain.provenance import canonical
from rmqnet.evaluate.evaluate import Evaluation, summarize
from rmqnet.evaluate.paired import paired_differences
from rmqnet.evaluate.response import Response, responses
from rmqnet.io.atomic import atomic_files
from rmqnet.io.store import hash_file, make_provenance, open_stage
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.report import learning_curves
from rmqnet.pipeline.study.clock import machine
from rmqnet.pipeline.study.methods import NOT_FITTED, budget_of
from rmqnet.pipeline.study.people import Person
from rmqnet.pipeline.study.presets import FRESH_SEED, SAME_BUDGET, VARIED_INPUT_SET
from rmqnet.pipeline.study.run import LEARNED_TRUTH, Finished
from rmqnet.pipeline.study.scores import loaded
from rmqnet.pipeline.whom import learned_from
from rmqnet.report.lookup import counted
from rmqnet.report.study import representative_subject
from rmqnet.report.study_conclusion import TRUTH_ITSELF
from rmqnet.report.study_page import write_study_page
from rmqnet.report.study_results import MethodInfo, StudyResults, WorstSlice

N_WORST = 5
"""Slices that are shown as failures."""
FIT_OF_ALL = "4FA+7TSL+AFI, fit"
"""Label of the fit that is the reference."""
PAPER_SETS = ("4FA+7TSL", "2FA+3TSL", "1FA+2TSL", "1FA+1TSL")


def write_study_report(finished: Finished, reporter: Reporter) -> Path:
    """Path of the page; it is written anew at each call, from what lies on disk."""
    reporter.say("Computing intervals, and drawing the report.")
    settings = {"preset": finished.preset_name, "evaluate": finished.config}
    output = open_stage(finished.root / "report", make_provenance("study-report", settings))
    results = _results(finished)
    with atomic_files(output.root) as folder:
        page = write_study_page(folder, results)
    return output.root / page.name


def _results(finished: Finished) -> StudyResults:
    config = finished.config
    fresh = summarize(finished.main, config)
    baselines = summarize(finished.baselines, config)
    infos = {
        label: MethodInfo(one.what, one.inputs, one.budget, one.maps, one.segmentation)
        for label, one in finished.methods.items()
    }
    pairs = [pair for pair in compared_pairs(finished) if infos[pair[1]].maps]
    cases, worst = _pictured(finished, fresh)
    return StudyResults(
        preset=finished.preset_name,
        fresh=fresh,
        tested=summarize(finished.tested, config),
        baselines=baselines,
        methods=infos,
        not_possible=NOT_FITTED,
        paired=paired_differences(finished.main, combinations(fresh.input_sets, 2), config),
        paired_baselines=paired_differences(finished.baselines, pairs, config, own_mask=False),
        paired_truth=paired_differences(
            finished.baselines, pairs, config, region="pure_cartilage", against="truth", own_mask=False
        ),
        elsewhere={title: summarize(one, config) for title, one in finished.elsewhere.items()},
        responses=pd.DataFrame(
            [asdict(one) for one in responses(finished.responses, config)],
            columns=list(Response.__dataclass_fields__),
        ),
        networks=pd.DataFrame(_networks(finished), columns=["network", "origin", "budget", "weights"]),
        durations=finished.clock.seconds(),
        split={
            "training": finished.split.train,
            "validation": finished.split.validation,
            "test": finished.split.test,
        },
        curves={
            one.label: learning_curves(one.folder)
            for one in finished.networks.main.values()
            if one.folder is not None
        },
        cases=cases,
        worst=worst,
        description=_description(finished),
        notes=finished.notes,
        provenance={
            "machine": machine(),
            "seeds": {
                "cohort": finished.preset.cohort.seed,
                "fresh people": FRESH_SEED,
                "training": finished.preset.train.seed,
                "bootstrap": config.seed,
            },
            "preset": canonical(finished.preset),
            "methods": {label: canonical(one.settings) for label, one in finished.methods.items()},
        },
    )


def compared_pairs(finished: Finished) -> Iterator[tuple[str, str]]:
    """What each other method is compared with: the network of the same images; a variation, that of its own budget.

    Networks that have learned the truth are compared with the fit of all images too.
    """
    labels, networks = finished.baselines.input_sets, finished.networks
    usual = VARIED_INPUT_SET if VARIED_INPUT_SET in networks.main else next(iter(networks.main))
    for label in labels:
        if label in (*networks.main, TRUTH_ITSELF):
            continue
        partner = finished.methods[label].inputs or usual
        learned_truth = label in LEARNED_TRUTH
        if (
            label in networks.variations
            and label != SAME_BUDGET
            and SAME_BUDGET in labels
            and not learned_truth
        ):
            partner = SAME_BUDGET
        if learned_truth:
            # the network that is asked about stands first
            yield from ((label, one) for one in (partner, FIT_OF_ALL) if one in labels)
        elif partner in labels:
            yield partner, label


def _networks(finished: Finished) -> Iterator[tuple[str, str, str, str]]:
    for one in (*finished.networks.main.values(), *finished.networks.variations.values()):
        yield one.label, one.origin, budget_of(one.checkpoint), hash_file(one.path)


def _description(finished: Finished) -> list[str]:
    preset, split = finished.preset, finished.split
    learned = counted(len(split.train), "simulated subject")
    train = preset.train
    size = "whole slices" if train.crop is None else f"random squares of {train.crop} voxels"
    budget = (
        f"Planned budget: {counted(train.epochs, 'epoch')} (paper: 600) of {size} for each input set, base "
        f"width {train.base_width}; variations of the network get {VARIED_INPUT_SET} and "
        f"{counted(preset.variation_train.epochs, 'epoch')}, those named -truth the images of their name and the "
        "whole. What each network had stands in the table below."
    )
    if all(one.given for one in finished.networks.main.values()):
        budget = "The networks were given, not trained here; what each had stands in the table below."
    return [
        f"A cohort of {preset.cohort.n_subjects} knees, seed {preset.cohort.seed}: {learned} to learn from, "
        f"{len(split.validation)} to choose the model, {len(split.test)} for the paper-sized table, untouched "
        f"until the models were chosen. {preset.n_fresh} fresh people of seed {FRESH_SEED} for the primary "
        f"tables, the first {preset.n_baselines} of them for baselines and variations. Cohorts of their own, of "
        f"the same seed: {preset.n_counterfactual} people for counterfactual scans, {preset.n_shifted} for each "
        "of those unlike the training.",
        budget,
        "References are voxel-wise Levenberg-Marquardt fits of all images with their AFI pair, as in the "
        "paper; networks get only the images of their input set. The regions of the reader follow a stated "
        "rule in the place of a drawing: cartilage fills at least six tenths of a voxel and fluid at most a "
        "tenth (docs/cohort.md).",
        _leak_words(finished),
    ]


def _leak_words(finished: Finished) -> str:
    """What was really compared to keep tested people apart from those who were learned from."""
    networks = (*finished.networks.main.values(), *finished.networks.variations.values())
    silent = [one.label for one in networks if learned_from(one.checkpoint.training) is None]
    text = (
        "The split is by person. Every image of the test people was compared with every image of the people of "
        "this cohort who choose the model or are learned from: none is the same."
    )
    if len(silent) < len(networks):
        text += " The scans named in the records of the networks were compared with those tested: none is the same."
    if silent:
        text += f" The records of {', '.join(silent)} name no scans: whether they know a tested person is not known."
    return text


def _pictured(finished: Finished, fresh: Evaluation) -> tuple[list, list[WorstSlice]]:
    """The representative person through every input set, and the worst slices."""
    people: dict[str, Person] = {}

    def case(name: str, label: str):
        if name not in people:
            people[name] = loaded(finished.fresh, name)
        return people[name].case(label, finished.methods[label].predict(people[name]))

    shown = representative_subject(fresh)
    cases = [case(shown, label) for label in fresh.input_sets]
    worst = []
    for name, z, label, error in worst_slices(fresh):
        worst.append(WorstSlice(case(name, label), z, error))
    return cases, worst


def worst_slices(evaluation: Evaluation) -> list[tuple[str, int, str, float]]:
    """Subject, slice, input set and error of the worst slices, each slice once, the worst first."""
    table = evaluation.errors
    table = table.loc[
        (table["region"] == "cartilage")
        & (table["against"] == "reference")
        & table["quantity"].isin(["T1", "T1rho"])
        & table["input_set"].isin(PAPER_SETS)
    ]
    mean = table.groupby(["subject", "slice", "input_set"])["normalized_l1"].mean()
    ordered = mean.sort_values(ascending=False).reset_index().drop_duplicates(["subject", "slice"])
    return [
        (str(row["subject"]), int(row["slice"]), str(row["input_set"]), float(row["normalized_l1"]))
        for row in ordered.head(N_WORST).to_dict("records")
    ]
