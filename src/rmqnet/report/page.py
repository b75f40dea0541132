"""The report of a study: one page that opens offline, and CSV files beside it."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from rmqnet.domain.subject import GROUPS
from rmqnet.report.csv_files import write_csv_files
from rmqnet.report.figures import Picture
from rmqnet.report.lookup import GROUP_NAMES, counted
from rmqnet.report.more_tables import (
    agreement_table,
    dropped_table,
    group_table,
    invalid_table,
    region_table,
    segmentation_table,
)
from rmqnet.report.scatter_figures import curves_picture, roi_picture, voxel_picture
from rmqnet.report.slice_figure import slice_picture
from rmqnet.report.study import ReportCase, ReportEvaluation, Study, cases_of, representative_subject
from rmqnet.report.tables import Cell, Table, protocol_table, table_1, table_2


def write_report(
    folder: Path, evaluation: ReportEvaluation, cases: Iterable[ReportCase], study: Study
) -> Path:
    """Path of report.html; table1.csv, table2.csv, scores.csv and roi.csv are written beside it.

    Of the cases only those of `representative_subject(evaluation)` are needed; others are ignored.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_csv_files(folder, evaluation, simulated=study.simulated)
    page = folder / "report.html"
    page.write_text(render_report(evaluation, cases, study), encoding="utf-8")
    return page


def render_report(evaluation: ReportEvaluation, cases: Iterable[ReportCase], study: Study) -> str:
    """The page as text."""
    others = [name for name in evaluation.config.quantities if name not in ("T1", "T1rho")]
    more = [agreement_table(evaluation), segmentation_table(evaluation)]
    if others:
        errors = table_2(evaluation, others)
        more.insert(
            1,
            dataclasses.replace(
                errors, title=f"Errors of {' and '.join(others)}", caption="As in Table 2.", with_paper=False
            ),
        )
    more += [region_table(evaluation), group_table(evaluation)]
    if any(score.against == "truth" for score in evaluation.scores):
        more.append(agreement_table(evaluation, "truth"))
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            study=study,
            people_evaluated=counted(len(evaluation.subjects), "subject"),
            input_sets=evaluation.input_sets,
            config=evaluation.config,
            people=people_table(evaluation, study),
            protocol=protocol_table(evaluation),
            main_tables=[table_1(evaluation), table_2(evaluation)],
            more_tables=more,
            count_tables=[dropped_table(evaluation), invalid_table(evaluation)],
            pictures=pictures(evaluation, cases, study),
            provenance=json.dumps(study.provenance, indent=2, default=str) if study.provenance else "",
        )
    )


def pictures(evaluation: ReportEvaluation, cases: Iterable[ReportCase], study: Study) -> list[Picture]:
    """Figures 2 to 6 in the form of the paper, and the learning curves where there are some."""
    made: list[Picture] = []
    quantities = [name for name in ("T1", "T1rho") if name in evaluation.config.quantities]
    if len(quantities) == 2:
        made.append(slice_picture(cases_of(cases, representative_subject(evaluation))))
    if "cartilage" in evaluation.config.regions:
        for name in quantities:
            first = {"T1": 3, "T1rho": 5}[name]
            made += [roi_picture(first, name, evaluation), voxel_picture(first + 1, name, evaluation)]
    return [*made, curves_picture(study.curves)] if study.curves else made


def people_table(evaluation: ReportEvaluation, study: Study) -> Table:
    """How many subjects of each group are in each part of the study."""
    parts = dict(study.split) or {"evaluated": evaluation.subjects}
    rows = []
    for part, subjects in parts.items():
        groups = [subject.group for subject in subjects]
        left = sum(subject.side == "left" for subject in subjects)
        counts = [len(groups), *(groups.count(group) for group in GROUPS), groups.count(None)]
        sides = f"{left} / {len(groups) - left}"
        rows.append([Cell(part), *(Cell(str(count)) for count in counts), Cell(sides)])
    columns = ("Part", "Subjects", *(GROUP_NAMES[group] for group in GROUPS), "KL unknown", "Left / right")
    return Table("Subjects", columns, rows, "Split by subject, not by slice." if len(parts) > 1 else "")


def environment() -> Environment:
    """Templates of the report; everything that is put in is escaped."""
    return Environment(
        loader=PackageLoader("rmqnet.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
