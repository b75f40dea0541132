"""The page of a whole study."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqnet.report.figures import Picture
from rmqnet.report.lookup import Lookup, counted
from rmqnet.report.more_tables import (
    agreement_table,
    dropped_table,
    group_table,
    invalid_table,
    region_table,
    segmentation_table,
)
from rmqnet.report.page import environment, people_table, pictures
from rmqnet.report.scatter_figures import curves_picture
from rmqnet.report.study import Study
from rmqnet.report.study_conclusion import (
    POSITION_ONLY,
    TRUTH_ITSELF,
    conclusions,
    position_sentence,
    truth_sentence,
)
from rmqnet.report.study_csv import write_study_csv
from rmqnet.report.study_results import StudyResults
from rmqnet.report.study_tables import (
    WATCHED,
    duration_table,
    elsewhere_table,
    method_table,
    network_table,
    paired_table,
    pure_table,
    response_table,
    truth_table,
    verdict_table,
)
from rmqnet.report.tables import Table, protocol_table, table_1, table_2
from rmqnet.report.worst_figure import worst_picture

PAGE = "report.html"


@dataclass(frozen=True)
class Section:
    """One part of the page."""

    anchor: str
    title: str
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    paragraphs: Sequence[str] = ()
    notes: Sequence[str] = ()


def write_study_page(folder: Path, results: StudyResults) -> Path:
    """Path of the page; its CSV files lie beside it."""
    write_study_csv(folder, results)
    page = folder / PAGE
    people = [counted(len(one.subjects), "simulated subject") for one in (results.fresh, results.tested)]
    template = environment().get_template("study.html.j2")
    text = template.render(
        results=results,
        people_fresh=people[0],
        people_tested=people[1],
        sections=_sections(results),
        provenance=json.dumps(results.provenance, indent=2, default=str),
    )
    page.write_text(text, encoding="utf-8")
    return page


def _sections(results: StudyResults) -> list[Section]:
    fresh = results.fresh
    study = Study("", simulated=True, split={**results.split, "fresh": fresh.subjects})
    done = [people_table(fresh, study), protocol_table(fresh), network_table(results)]
    figures = pictures(fresh, results.cases, study)
    return [
        Section("done", "What was done", done, paragraphs=results.description, notes=results.notes),
        Section("results", f"Results on {len(fresh.subjects)} fresh people", _main_tables(results)),
        Section("figures", "Figures", pictures=figures),
        Section(
            "more",
            "Groups, regions, truth",
            [
                group_table(fresh),
                region_table(fresh),
                agreement_table(fresh),
                agreement_table(fresh, "truth"),
            ],
        ),
        *_comparisons(results),
        _failures(results),
        Section("provenance", "Provenance", [duration_table(results.durations)]),
    ]


def _main_tables(results: StudyResults) -> list[Table]:
    fresh = results.fresh
    return [
        table_1(fresh),
        table_2(fresh),
        verdict_table(fresh, "Is the paper's number reached?"),
        paired_table(results.paired, "Input sets against each other", len(fresh.subjects)),
        pure_table(fresh),
        segmentation_table(fresh),
    ]


def _comparisons(results: StudyResults) -> list[Section]:
    """Networks against other methods, changed tissue, other people."""
    n_baselines = len(results.baselines.subjects)
    n_changed = max(results.responses["count"].tolist(), default=0)
    against = paired_table(results.paired_baselines, "Networks against other methods", n_baselines)
    title = "The same against the truth, voxels of at least 95 % cartilage"
    truly = paired_table(results.paired_truth, title, n_baselines)
    adds = [method_table(results), truth_table(results), against, truly]
    guessing = [response_table(results.responses, n_changed)]
    tested = [_of_test(table_1(results.tested)), _of_test(table_2(results.tested))]
    tested.append(verdict_table(results.tested, "Reached by so few people?"))
    title = "The paper-sized table: untouched test people of the cohort"
    return [
        Section("adds", "What the network adds", adds),
        Section("guessing", "Is it measuring or guessing?", guessing, paragraphs=_answers(results)),
        Section("elsewhere", "Does it hold elsewhere?", [elsewhere_table(results.elsewhere)]),
        Section("tested", title, tested),
    ]


def _answers(results: StudyResults) -> list[str]:
    """Which numbers come from the data and which from the prior."""
    lookup = Lookup(results.baselines.scores)
    place, truth = (
        {name: lookup.value(label, name, "voxel", "pearson_r") for name in WATCHED}
        for label in (POSITION_ONLY, TRUTH_ITSELF)
    )
    told = [
        *conclusions(results.responses, results.fresh.input_sets),
        position_sentence(place),
        truth_sentence(truth),
    ]
    return [text for text in told if text]


def _failures(results: StudyResults) -> Section:
    shown = [worst_picture(results.worst)] if results.worst else []
    if results.curves:
        shown.append(curves_picture(results.curves))
    tables = [dropped_table(results.fresh), invalid_table(results.fresh)]
    return Section("failures", "Failures and learning", tables, shown)


def _of_test(table: Table) -> Table:
    return dataclasses.replace(table, title=f"{table.title} (test people)")
