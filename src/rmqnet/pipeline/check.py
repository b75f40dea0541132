"""The check stage: what is wrong with a study, as findings; nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rmqnet.check.check import check_images
from rmqnet.check.field import check_field
from rmqnet.check.findings import NOT_CHECKED, SEVERITIES, Finding
from rmqnet.check.fitted import check_fitted
from rmqnet.check.images import Image, by_method, common_tissue, with_content
from rmqnet.check.peers import Summary, check_peers, not_compared, summarize
from rmqnet.check.side import Seen, side_seen
from rmqnet.check.signals import check_signals
from rmqnet.domain.errors import InputError, UnknownSideError
from rmqnet.domain.subject import Subject
from rmqnet.io.bids import load_subject
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.layout import check_folder
from rmqnet.io.series import FoundImage, find_series
from rmqnet.pipeline.b1_maps import find_b1
from rmqnet.pipeline.layout import FITTED, PREDICTED, chosen_subjects
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.sources import B1Source, SpinLockSource


@dataclass(frozen=True, eq=False)
class Checked:
    """What the checks of one subject gave."""

    findings: tuple[Finding, ...]
    """Findings that need no other subject."""
    summary: Summary | None
    """What the comparison with the others needs; None where the subject can't be read."""


@dataclass(frozen=True)
class StudyCheck:
    """What the checks of a study gave."""

    findings: tuple[Finding, ...]
    """The gravest first; what was not checked stands among the notes."""
    n_images: int
    """Images of the chosen subjects that were looked at."""
    n_subjects: int
    """Chosen subjects."""

    @property
    def remarks(self) -> list[Finding]:
        """Findings that something was noticed by."""
        return [one for one in self.findings if one.rule != NOT_CHECKED]

    @property
    def not_checked(self) -> list[str]:
        """Sentences about what was not checked, and in whom where that is not everybody."""
        subjects: dict[str, list[str]] = {}
        for one in self.findings:
            if one.rule == NOT_CHECKED:
                subjects.setdefault(one.sentence, []).append(f"sub-{one.subject}")
        sentences = []
        for sentence, names in subjects.items():
            shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            among = "" if len(names) == self.n_subjects else f" in {shown}"
            sentences.append(sentence.replace("Not checked:", f"Not checked{among}:", 1))
        return sentences


def check_study(
    study: Path,
    reporter: Reporter,
    *,
    subjects: Sequence[str] = (),
    source: SpinLockSource | None = None,
    maps: Path | None = None,
    b1_source: B1Source = B1Source(),  # noqa: B008  # frozen
) -> StudyCheck:
    """Findings about the subjects of a study.

    All subjects are read, since each is compared with the others; `subjects` chooses whose findings are returned.
    With `maps`, a folder made by a fit or a prediction, measured signals are compared with those of the maps.
    """
    wanted = chosen_subjects(study, subjects)
    names = chosen_subjects(study, ())
    b1_source.check(wanted)
    if maps is not None:
        check_folder(maps)
    checked: dict[str, Checked] = {}
    for index, name in enumerate(names):
        reporter.progress("subjects", index, len(names), f"sub-{name}")
        folder = None if maps is None or name not in wanted else maps / f"sub-{name}"
        own = b1_source if name in wanted else B1Source()
        checked[name] = check_subject(study, name, source=source, maps=folder, b1_source=own)
    reporter.progress("subjects", len(names), len(names))
    summaries = [one.summary for one in checked.values() if one.summary is not None]
    found = [finding for name in wanted for finding in compared(checked[name], summaries)]
    found.sort(key=lambda finding: -SEVERITIES.index(finding.severity))
    n_images = sum(len(summary.acquisitions) for summary in summaries if summary.subject.name in wanted)
    return StudyCheck(tuple(found), n_images, len(wanted))


def compared(checked: Checked, summaries: Sequence[Summary]) -> list[Finding]:
    """All findings about a subject: its own, and those beside the others of its study."""
    summary = checked.summary
    if summary is None:
        return list(checked.findings)
    said = (*check_peers(summary, summaries), *not_compared(summary, summaries))
    return [*checked.findings, *(Finding(rule, summary.subject.name, sentence) for rule, sentence in said)]


def check_subject(
    study: Path,
    name: str,
    *,
    source: SpinLockSource | None = None,
    maps: Path | None = None,
    b1_source: B1Source = B1Source(),  # noqa: B008  # frozen
    reference_study: Path | None = None,
) -> Checked:
    """Findings about one subject alone, and its summary; `reference_study` holds B1 maps where `study` does not."""
    findings: list[Finding] = []
    images, subject = _read(study, name, source or SpinLockSource(), findings)
    seen: Seen = "unknown" if subject is None else side_seen(with_content(images), subject.side)
    findings += check_images(images, name, subject, seen)
    findings += _check_b1(list(dict.fromkeys((reference_study or study, study))), images, name, b1_source)
    if maps is not None and images:
        findings += _check_maps(images, name, maps)
    summary = None if subject is None or not images else summarize(images, subject, seen)
    return Checked(tuple(findings), summary)


def check_maps(
    study: Path, name: str, maps: Path, *, source: SpinLockSource | None = None, signals: bool = False
) -> list[Finding]:
    """Findings about the maps of one subject, in the folder `maps`, beside the images that they were made of.

    `signals`: also what in the signals contradicts their settings, where the images were not checked before.
    """
    images, _ = _read(study, name, source or SpinLockSource(), [])
    if not images:
        return []
    said = check_signals(with_content(images)) if signals else ()
    return [*(Finding(rule, name, sentence) for rule, sentence in said), *_check_maps(images, name, maps)]


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
    except UnknownSideError as error:
        # where no sidecar was read, nobody knows what they say
        if found:
            findings.append(Finding("refused", name, f"{error}."))
    except InputError as error:
        findings.append(Finding("refused", name, f"{error}."))
    findings += [Finding("assumed", name, note) for note in notes]
    images: list[Image] = []
    for image in found:
        try:
            data, grid = image.read()
        except InputError as error:
            findings.append(Finding("refused", name, f"{error}."))
            continue
        images.append(Image(image.name, image.acquisition, data, grid))
    return images, subject


def _check_b1(studies: Sequence[Path], images: Sequence[Image], name: str, source: B1Source) -> list[Finding]:
    """Findings about the B1 map that a fit of these images would take."""
    notes: list[str] = []
    series = by_method(with_content(images))
    try:
        found = find_b1(studies, name, [image.acquisition.method for image in images], source, notes)
        b1 = None if found is None else found.load()
    except InputError as error:
        return [Finding("refused", name, f"{error}.")]
    on = series.get("vfa") or series.get("adiabatic_t1rho")
    said: list[tuple[str, str]] = []
    if b1 is not None:
        notes += b1.notes
        notes.append(f"B1 is that of {b1.origin}.")
    if b1 is not None and on:
        values, tissue = b1.on(on[0].grid), common_tissue([on[0]])
        said += check_field(values, tissue & np.isfinite(values), tissue & ~np.isfinite(values), on[0].grid)
    return [Finding(rule, name, text) for rule, text in (*said, *(("assumed", note) for note in notes))]


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
