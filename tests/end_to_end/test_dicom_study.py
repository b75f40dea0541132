"""A simulated knee, written as a scanner writes it, comes back from DICOM as the scan that it was."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "io"))

from dicom_writers import Image, write_classic

from rmqnet.domain.acquisition import Acquisition
from rmqnet.io.bids import load_scan
from rmqnet.pipeline.import_dicom import ImportOptions, find_dicom, import_dicom
from rmqnet.pipeline.progress import Quiet
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.simulate import simulate_subject

NAMES = {"vfa": "UTE VFA", "afi": "AFI", "adiabatic_t1rho": "adiab T1rho"}
LARGEST = 30000


def row(series: int, own: Acquisition) -> str:
    """What DICOM can't say of an image, as a row of the user's table."""
    cells = [own.method, own.spin_lock_time, own.repetition_time_preparation, own.spokes_per_preparation]
    cells += [own.spoke_spacing, str(own.fat_saturated).lower(), own.fat_saturation_time]
    return "\t".join([str(series), *("n/a" if cell is None else str(cell) for cell in cells)])


def test_thirteen_images_come_back_within_the_rounding_of_their_pixels(tmp_path: Path):
    knee = simulate_subject(SimulateConfig(n_subjects=1, shape=(8, 48, 48)), 0)
    table = [
        "series\tmethod\tspin_lock_time\trepetition_time_preparation\tspokes_per_preparation\tspoke_spacing"
    ]
    table[0] += "\tfat_saturated\tfat_saturation_time"
    number = 0
    for method, series in knee.scan.series.items():
        magnitudes = np.abs(series.data)
        step = float(magnitudes.max()) / LARGEST
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ series.grid.affine[:, [2, 1, 0, 3]]
        for volume, own in zip(magnitudes, series.acquisitions, strict=True):
            number += 1
            image = Image(
                np.round(volume / step).astype(np.uint16).transpose(2, 1, 0),
                affine,
                number,
                NAMES[method],
                echo_time=(own.echo_time or 0.0) / 0.001,
                repetition_time=(own.repetition_time_excitation or 0.5) / 0.001,
                flip_angle=own.flip_angle or 0.0,
                extra={
                    "RescaleSlope": f"{step:.12g}",
                    "RescaleIntercept": "0",
                    "Laterality": knee.subject.side[0].upper(),
                },
            )
            write_classic(tmp_path / "dicom", [image], "GE MEDICAL SYSTEMS")
            if method != "afi":
                table.append(row(number, own))
    (tmp_path / "settings.tsv").write_text("\n".join(table) + "\n")
    options = ImportOptions(settings=tmp_path / "settings.tsv")
    plan = find_dicom(tmp_path / "dicom", options, Quiet())
    assert not plan.left_out
    import_dicom(tmp_path / "study", plan, options, Quiet())
    scan = load_scan(tmp_path / "study", "001")
    assert scan.subject.side == knee.subject.side
    for method, series in knee.scan.series.items():
        found = scan.get(method)
        assert found.acquisitions == series.acquisitions
        assert found.grid.same_as(series.grid)
        step = float(np.abs(series.data).max()) / LARGEST
        assert np.abs(found.data - np.abs(series.data)).max() <= 0.51 * step
