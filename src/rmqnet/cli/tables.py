"""Tables on the terminal."""

import shutil
import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from rmqnet.check.findings import Finding
from rmqnet.domain.plain_text import plain_text
from rmqnet.pipeline.doctor import Diagnosis
from rmqnet.report.tables import Table

WIDTH = 150
"""Columns of a table that goes into a file or a pipe, and the least on a terminal."""


def print_table(table: Table) -> None:
    """Print the table with its title and caption on standard output; small text stands behind its value."""
    width = max(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH)
    console = Console(file=sys.stdout, highlight=False, width=width, markup=False)
    shown = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, column in enumerate(table.columns):
        is_word = column == "Tissue" or index == 0
        shown.add_column(
            column,
            justify="left" if is_word else "right",
            no_wrap=is_word,
            vertical="bottom",
            overflow="fold",
        )
    above = ""
    for row in table.rows:
        words = (f"{cell.text} ({cell.note})" if cell.note else cell.text for cell in row)
        first, *rest = map(plain_text, words)
        shown.add_row("" if first == above else first, *rest)
        above = first
    console.print(table.title, style="bold")
    console.print(shown)
    if table.caption:
        console.print(table.caption, style="dim")
    console.print()


def print_findings(findings: Sequence[Finding]) -> None:
    """Print the findings of a check, one row each, on standard output."""
    _print_words(
        ("Severity", "Subject", "Finding", "Rule"),
        [(one.severity, f"sub-{one.subject}", one.sentence, one.rule) for one in findings],
    )


def print_diagnosis(one: Diagnosis) -> None:
    """Print one line of the doctor: what, verdict, what was found and what to do."""
    advice = f" -> {one.advice}" if one.advice else ""
    print(f"{one.verdict:<6} {one.what:<20} {one.found}{advice}", flush=True)


def _print_words(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    width = max(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH)
    console = Console(file=sys.stdout, highlight=False, width=width, markup=False)
    shown = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        shown.add_column(column, no_wrap=index != 2, vertical="top", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(plain_text(cell)) for cell in row))
    console.print(shown)
