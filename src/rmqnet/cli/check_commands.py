"""The commands that look before anything is done: `rmqnet check` and `rmqnet doctor`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from rmqnet.cli.arguments import SpinLock, SpinLockArguments, Study, Subjects
from rmqnet.cli.progress import Terminal
from rmqnet.domain.errors import InputError


@dataclass(frozen=True)
class Check:
    """Say what is wrong with a study before its maps are believed: settings, images, sides, mix-ups; writes nothing."""

    study: Study
    """Folder of the study (BIDS); docs/reference/checks.md lists what is looked for."""
    subjects: Subjects = ()
    """Names of the subjects whose findings are shown; all of them where none is named."""
    maps: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder made by `rmqnet fit` or `rmqnet predict`: measured signals are compared with those of its maps."""
    spin_lock: SpinLock = field(default_factory=SpinLockArguments)
    json: bool = False
    """Print one JSON object per finding instead of a table."""

    def run(self) -> None:
        """Check; findings of severity error end with exit code 2."""
        import json

        from rmqnet.cli.tables import print_findings
        from rmqnet.pipeline.check import check_study

        with Terminal() as terminal:
            findings = check_study(
                self.study, terminal, subjects=self.subjects, source=self.spin_lock.source, maps=self.maps
            )
        if self.json:
            for one in findings:
                row = {"severity": one.severity, "subject": one.subject, "rule": one.rule}
                print(json.dumps({**row, "sentence": one.sentence}))
        elif findings:
            print_findings(findings)
        wrong = {one.subject for one in findings if one.severity == "error"}
        if wrong:
            raise InputError(
                f"{self.study}: {len(wrong)} subjects have errors (sub-{', sub-'.join(sorted(wrong)[:8])}): correct "
                "them, or leave them out, before their maps are believed"
            )
        if not self.json:
            print(f"No errors, {len(findings)} remarks: {self.study}")


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
