"""The page of a whole study."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqnet.report.figures import Picture
from rmqnet.report.lookup import counted
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
from rmqnet.report.study_csv import write_study_csv
from rmqnet.report.study_results import StudyResults
from rmqnet.report.study_tables import (
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
    fresh, tested = results.fresh, results.tested
    n_fresh = len(fresh.subjects)
    study = Study("", simulated=True, split={**results.split, "fresh": fresh.subjects})
    regions = f"{n_fresh} fresh people"
    n_counterfactual = max(results.responses["count"].tolist(), default=0)
    return [
        Section(
            "done",
            "What was done",
            [people_table(fresh, study), protocol_table(fresh), network_table(results)],
            paragraphs=results.description,
            notes=results.notes,
        ),
        Section(
            "results",
            f"Results on {regions}",
            [
                table_1(fresh),
                table_2(fresh),
                verdict_table(fresh, "Is the paper's number reached?"),
                paired_table(results.paired, "Input sets against each other", n_fresh),
                pure_table(fresh),
                segmentation_table(fresh),
            ],
        ),
        Section("figures", "Figures", pictures=pictures(fresh, results.cases, study)),
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
        Section(
            "adds",
            "What the network adds",
            [
                method_table(results),
                truth_table(results),
                paired_table(
                    results.paired_baselines,
                    "Networks against other methods",
                    len(results.baselines.subjects),
                ),
            ],
        ),
        Section(
            "guessing", "Is it measuring or guessing?", [response_table(results.responses, n_counterfactual)]
        ),
        Section("elsewhere", "Does it hold elsewhere?", [elsewhere_table(results.elsewhere)]),
        Section(
            "tested",
            "The paper-sized table: untouched test people of the cohort",
            [
                _of_test(table_1(tested)),
                _of_test(table_2(tested)),
                verdict_table(tested, "Reached by so few people?"),
            ],
        ),
        Section(
            "failures",
            "Failures and learning",
            [dropped_table(fresh), invalid_table(fresh)],
            [worst_picture(results.worst)] * bool(results.worst)
            + ([curves_picture(results.curves)] if results.curves else []),
        ),
        Section("provenance", "Provenance", [duration_table(results.durations)]),
    ]


def _of_test(table: Table) -> Table:
    return dataclasses.replace(table, title=f"{table.title} (test people)")
