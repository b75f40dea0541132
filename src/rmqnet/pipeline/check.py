"""The check stage: what is wrong with a study, as findings; nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqnet.check.check import check_images
from rmqnet.check.findings import SEVERITIES, Finding
from rmqnet.check.fitted import check_fitted
from rmqnet.check.images import Image
from rmqnet.check.peers import Summary, check_peers, summarize
from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Subject
from rmqnet.io.bids import load_subject
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.layout import check_folder
from rmqnet.io.nifti import read_volume
from rmqnet.io.series import FoundImage, find_series
from rmqnet.pipeline.layout import FITTED, PREDICTED, chosen_subjects
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.sources import SpinLockSource


@dataclass(frozen=True, eq=False)
class Checked:
    """What the checks of one subject gave."""

    findings: tuple[Finding, ...]
    """Findings that need no other subject."""
    summary: Summary | None
    """What the comparison with the others needs; None where the subject can't be read."""


def check_study(
    study: Path,
    reporter: Reporter,
    *,
    subjects: Sequence[str] = (),
    source: SpinLockSource | None = None,
    maps: Path | None = None,
) -> list[Finding]:
    """Findings about the subjects of a study, the gravest first.

    All subjects are read, since each is compared with the others; `subjects` chooses whose findings are returned.
    With `maps`, a folder made by a fit or a prediction, measured signals are compared with those of the maps.
    """
    wanted = chosen_subjects(study, subjects)
    names = chosen_subjects(study, ())
    if maps is not None:
        check_folder(maps)
    checked: dict[str, Checked] = {}
    for index, name in enumerate(names):
        reporter.progress("subjects", index, len(names), f"sub-{name}")
        folder = None if maps is None or name not in wanted else maps / f"sub-{name}"
        checked[name] = check_subject(study, name, source=source, maps=folder)
    reporter.progress("subjects", len(names), len(names))
    summaries = [one.summary for one in checked.values() if one.summary is not None]
    found = [finding for name in wanted for finding in compared(checked[name], summaries)]
    return sorted(found, key=lambda finding: -SEVERITIES.index(finding.severity))


def compared(checked: Checked, summaries: Sequence[Summary]) -> list[Finding]:
    """All findings about a subject: its own, and those beside the others of its study."""
    summary = checked.summary
    if summary is None:
        return list(checked.findings)
    beside = [
        Finding(rule, summary.subject.name, sentence) for rule, sentence in check_peers(summary, summaries)
    ]
    return [*checked.findings, *beside]


def check_subject(
    study: Path, name: str, *, source: SpinLockSource | None = None, maps: Path | None = None
) -> Checked:
    """Findings about one subject alone, and its summary."""
    findings: list[Finding] = []
    images, subject = _read(study, name, source or SpinLockSource(), findings)
    findings += check_images(images, name, subject)
    if maps is not None and images:
        findings += _check_maps(images, name, maps)
    summary = None if subject is None or not images else summarize(images, subject)
    return Checked(tuple(findings), summary)


def check_maps(study: Path, name: str, maps: Path, *, source: SpinLockSource | None = None) -> list[Finding]:
    """Findings about the maps of one subject, in the folder `maps`, beside the images that they were made of."""
    images, _ = _read(study, name, source or SpinLockSource(), [])
    return _check_maps(images, name, maps) if images else []


def _read(
    study: Path, name: str, source: SpinLockSource, findings: list[Finding]
) -> tuple[list[Image], Subject | None]:
    """Images and person, as far as they can be read; what can't is a finding."""
    found: list[FoundImage] = []
    subject: Subject | None = None
    notes: list[str] = []
    try:
        by_method = find_series(study, name, **source.options, notes=notes)
        found = [image for series in by_method.values() for image in series]
    except InputError as error:
        findings.append(Finding("refused", name, f"{error}."))
    try:
        subject = load_subject(study, name, found)
    except InputError as error:
        findings.append(Finding("refused", name, f"{error}."))
    findings += [Finding("assumed", name, note) for note in notes]
    images: list[Image] = []
    for image in found:
        try:
            data, grid = read_volume(image.path)
        except InputError as error:
            findings.append(Finding("refused", name, f"{error}."))
            continue
        images.append(Image(image.path.name, image.acquisition, data, grid))
    return images, subject


def _check_maps(images: Sequence[Image], name: str, folder: Path) -> list[Finding]:
    if not folder.is_dir():
        return [
            Finding("refused", name, f"{folder}: there are no maps of this subject: fit or predict it first.")
        ]
    try:
        maps = load_maps(folder, desc=FITTED)
    except InputError as fitted:
        try:
            maps = load_maps(folder, desc=PREDICTED)
        except InputError:
            return [Finding("refused", name, f"{fitted}.")]
    return [Finding(rule, name, sentence) for rule, sentence in check_fitted(images, maps)]
