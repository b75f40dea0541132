"""What the checks keep of a subject, on disk: findings, and what the comparison with the others needs."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from rmqnet.check.findings import Finding
from rmqnet.check.peers import Summary
from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Subject
from rmqnet.io.text import read_json, write_json
from rmqnet.pipeline.check import Checked

_WORDS, _PICTURE = "checked.json", "picture.npy"


def save_checked(folder: Path, checked: Checked) -> None:
    """Write the outcome of the checks of one subject into its folder."""
    summary = checked.summary
    words: dict[str, object] = {"findings": [asdict(finding) for finding in checked.findings]}
    if summary is not None:
        words["subject"] = asdict(summary.subject)
        words["hashes"] = summary.hashes
        words["acquisitions"] = [asdict(acquisition) for acquisition in summary.acquisitions]
        if summary.picture is not None:
            np.save(folder / _PICTURE, summary.picture, allow_pickle=False)
    write_json(folder / _WORDS, words)


def has_checked(folder: Path) -> bool:
    """True where `save_checked` wrote into this folder."""
    return (folder / _WORDS).is_file()


def load_checked(folder: Path) -> Checked:
    """What `save_checked` wrote."""
    try:
        return _checked(folder)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(
            f"{folder}: is damaged or of another version: delete this folder and run again"
        ) from error


def _checked(folder: Path) -> Checked:
    words = read_json(folder / _WORDS)
    findings = tuple(Finding(**finding) for finding in words["findings"])
    if "subject" not in words:
        return Checked(findings, None)
    picture = np.load(folder / _PICTURE, allow_pickle=False) if (folder / _PICTURE).is_file() else None
    acquisitions = tuple(Acquisition(**settings) for settings in words["acquisitions"])
    return Checked(findings, Summary(Subject(**words["subject"]), words["hashes"], acquisitions, picture))
