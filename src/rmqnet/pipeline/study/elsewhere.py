"""People unlike those that the networks have learned from: does it hold elsewhere?"""

from collections.abc import Sequence
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.io.layout import list_subjects
from rmqnet.pipeline.study.people import Panel, disk_panel, simulated_panel
from rmqnet.pipeline.study.presets import StudyPreset

LOW_SNR = 20.0
"""Signal-to-noise ratio of the noisy people: the lowest of the cohort."""
B1_FACTORS = (0.9, 1.1)
"""Transmit fields that are scaled wrongly."""


def shifted_panels(preset: StudyPreset, also: Sequence[Path]) -> list[Panel]:
    """Fresh people as in the study, then with one thing changed each, then the people of other studies on disk."""
    n = preset.n_shifted
    same = preset.unseen(n)
    # a range must not be empty
    noisy = preset.unseen(n, snr_range=(LOW_SNR * 0.999, LOW_SNR * 1.001), snr_mode=LOW_SNR)
    mismatch = preset.unseen(n, version="mismatch")
    panels = [
        simulated_panel("same", "as in the study", same),
        simulated_panel("mismatch", "signals depart from the model of the fit", mismatch),
        simulated_panel("reader", "regions of a reader who errs", same, erring_reader=True),
        simulated_panel("snr-20", f"SNR {LOW_SNR:g}", noisy),
    ]
    for factor in B1_FACTORS:
        name = "b1-low" if factor < 1 else "b1-high"
        change = ("B1", factor)
        panels.append(simulated_panel(name, f"B1 {100 * (factor - 1):+.0f} %", same, change=change))
    for study in also:
        name = f"also-{study.name}"
        if name in [panel.name for panel in panels]:
            raise InputError(f"{study}: another study of --also has this name: rename its folder")
        panels.append(disk_panel(name, f"the study {study.name}", study, list_subjects(study)))
    return panels
