"""The commands that look before anything is done: `rmqnet check` and `rmqnet doctor`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from rmqnet.cli.arguments import B1, B1Arguments, SpinLock, SpinLockArguments, Study, Subjects
from rmqnet.cli.progress import Terminal
from rmqnet.domain.errors import InputError
from rmqnet.domain.plain_text import plain_text

if TYPE_CHECKING:
    from rmqnet.pipeline.check import StudyCheck


@dataclass(frozen=True)
class Check:
    """Say what is wrong with a study before its maps are believed: settings, images, sides, mix-ups; writes nothing."""

    study: Study
    """Folder of the study (BIDS); docs/reference/checks.md lists what is looked for."""
    subjects: Subjects = ()
    """Names of the subjects whose findings are shown; all of them where none is named."""
    maps: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder made by `rmqnet fit` or `rmqnet predict`: measured signals are compared with those of its maps."""
    b1_map: B1 = field(default_factory=B1Arguments)
    spin_lock: SpinLock = field(default_factory=SpinLockArguments)
    json: bool = False
    """Print one JSON object per finding instead of a table."""

    def run(self) -> None:
        """Check; findings of severity error end with exit code 2."""
        import json

        from rmqnet.cli.tables import print_findings
        from rmqnet.pipeline.check import check_study
        from rmqnet.report.lookup import counted

        with Terminal() as terminal:
            checked = check_study(
                self.study,
                terminal,
                subjects=self.subjects,
                source=self.spin_lock.source,
                maps=self.maps,
                b1_source=self.b1_map.source,
            )
        if self.json:
            for one in checked.findings:
                row = {"severity": one.severity, "subject": one.subject, "rule": one.rule}
                print(json.dumps({**row, "sentence": one.sentence}))
        else:
            if checked.remarks:
                print_findings(checked.remarks)
            print(" ".join([_outcome(checked), *map(plain_text, checked.not_checked)]))
        wrong = {one.subject for one in checked.findings if one.severity == "error"}
        if wrong:
            raise InputError(
                f"{self.study}: {counted(len(wrong), 'subject')} with errors (sub-{', sub-'.join(sorted(wrong)[:8])}): "
                "correct them, or leave them out, before their maps are believed"
            )


def _outcome(checked: "StudyCheck") -> str:
    """What was found, in how many images, as a sentence."""
    from collections import Counter

    from rmqnet.check.findings import SEVERITIES
    from rmqnet.report.lookup import counted

    where = f"in {counted(checked.n_images, 'image')} of {counted(checked.n_subjects, 'subject')}."
    counts = Counter(one.severity for one in checked.remarks)
    if not counts:
        return f"Nothing found {where}"
    found = [counted(counts[severity], severity) for severity in reversed(SEVERITIES) if counts[severity]]
    errors = "" if counts["error"] else "No errors; "
    return f"{errors}{', '.join(found)} {where}"


@dataclass(frozen=True)
class Doctor:
    """Look at this installation: versions, processor, GPU, memory, disk, checkpoints, elastix, and a self-test."""

    folder: Annotated[Positional[Path], arg(metavar="[FOLDER]")] = Path()
    """Where outputs will go, and where checkpoints are looked for."""
    checkpoints: Annotated[tuple[Path, ...], arg(metavar="[FILE ...]")] = ()
    """Checkpoints to look at (.safetensors); those in FOLDER where none is named."""

    def run(self) -> None:
        """Examine; exit code 2 where something must be put right."""
        from rmqnet.cli.tables import print_diagnosis
        from rmqnet.pipeline.doctor import examine

        wrong: list[str] = []
        for one in examine(self.folder, self.checkpoints):
            print_diagnosis(one)
            if one.verdict == "wrong":
                wrong.append(one.what)
        if wrong:
            raise InputError(f"{', '.join(wrong)}: must be put right first, as the lines above say")
        print("Ready for use.")
