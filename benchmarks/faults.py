"""Inputs of other people that were fitted wrongly without a sign: whether each gives the right value or the sentence.

The inputs are small phantoms that the folders of `shared/faults` make; what is right is said there.
"""

import argparse
import json
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import nibabel as nib
import numpy as np

FAULTS = Path(__file__).resolve().parents[2] / "shared" / "faults"
PROGRAM = Path(sys.executable).with_name("rmqnet")
TOLERANCE = 0.02
T1 = {1: 1.2, 2: 0.9, 3: 0.7, 4: 1.5}
T1RHO = {1: 0.045, 2: 0.035, 3: 0.055, 4: 0.070}
"""Times of the labels of every phantom [s]."""
NAMES = {"T1": "T1map", "T1rho": "T1rho"}
"""How the files of maps end."""
FIXED = ("--assumed-b1", "1")
AIR_WITH_VALUES = 0.01
"""Largest part of the air that may have a value where a phantom was padded."""


def rmqnet(*arguments: object) -> tuple[int, str]:
    """Exit code and output of a command."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def labels_like(labels: np.ndarray, image: nib.nifti1.Nifti1Image) -> np.ndarray:
    """Labels (slice, row, column) of a sagittal phantom on the grid of a map, right-anterior-superior."""
    n_slices = image.shape[0]
    return np.stack([labels[0, ::-1, ::-1].T] * n_slices)


def medians(maps: Path, quantity: str, labels: np.ndarray) -> dict[int, float]:
    """Median of a map in each label."""
    path = next(maps.glob(f"sub-*/anat/*_{NAMES[quantity]}.nii.gz"))
    image = nib.as_closest_canonical(nib.load(path))
    values, where = np.asanyarray(image.dataobj), labels_like(labels, image)
    return {label: float(np.nanmedian(values[where == label])) for label in T1}


def fits(folder: Path, study: Path, quantity: str, labels: np.ndarray, *options: str) -> str:
    """What is wrong with the map of a study, "" where nothing is."""
    maps = folder / "maps" / study.name
    code, said = rmqnet("fit", study, maps, *options)
    if code:
        return f"fit ends with {code}: {said.strip().splitlines()[-1]}"
    found = medians(maps, quantity, labels)
    wanted = T1 if quantity == "T1" else T1RHO
    off = {label: found[label] / wanted[label] - 1 for label in wanted}
    if max(map(abs, off.values())) > TOLERANCE:
        return f"{quantity} {', '.join(f'{1000 * value:.0f}' for value in found.values())} ms"
    return ""


def imported(folder: Path, source: Path, quantity: str, labels: np.ndarray, *options: str) -> str:
    """The same of DICOM files."""
    study = folder / "studies" / source.name
    code, said = rmqnet("import", source, study)
    if code:
        return f"import ends with {code}: {said.strip().splitlines()[-1]}"
    return fits(folder, study, quantity, labels, *options)


def padded(folder: Path, source: Path, labels: np.ndarray) -> str:
    """The same of images with padding: air has no value, and no sentence speaks of negative voxels."""
    wrong = imported(folder, source, "T1", labels, *FIXED)
    if wrong:
        return wrong
    path = next((folder / "maps" / source.name).glob("sub-*/anat/*_T1map.nii.gz"))
    image = nib.as_closest_canonical(nib.load(path))
    air = np.isfinite(np.asanyarray(image.dataobj))[labels_like(labels, image) == 0].mean()
    _, said = rmqnet("check", folder / "studies" / source.name)
    return (
        f"{air:.0%} of the air has T1"
        if air > AIR_WITH_VALUES
        else "check: negative"
        if "negative" in said
        else ""
    )


def asked(source: Path, sentence: str) -> str:
    """What is wrong where the import must stop with a sentence."""
    code, said = rmqnet("import", source, source.with_name("refused"))
    flat = " ".join(said.split())
    return "" if code == 2 and sentence in flat else f"exit code {code}, no word of {sentence!r}"


def one_image(study: Path) -> str:
    """What is wrong with the check of a study of one image."""
    code, said = rmqnet("check", study)
    if "Traceback" in said or code not in (0, 2):
        return f"exit code {code}: {said.strip().splitlines()[-1]}"
    return "" if "image" in said else "no word about the image"


CASES: dict[str, Callable[[Path, Path, np.ndarray], list[str]]] = {
    "canon_series_uid": lambda out, made, lab: [imported(out, made, "T1rho", lab)],
    "check_one_image": lambda _out, made, _lab: [one_image(made)],
    "console_t1_map": lambda out, made, lab: [imported(out, made, "T1", lab, *FIXED)],
    "mapss_t2_echoes": lambda _out, made, _lab: [asked(made, "EchoTime holds two preparations")],
    "mixed_repeats": lambda out, made, lab: [
        imported(out, made / name, "T1", lab, *FIXED) for name in ("norm", "contrast")
    ],
    "no_dicm_mark": lambda out, made, lab: [imported(out, made, "T1rho", lab)],
    "padding_value": lambda out, made, lab: [padded(out, made, lab)],
    "participants_bids": lambda out, made, lab: [
        fits(out, made / name, "T1", lab, *FIXED) for name in ("age", "sex")
    ],
    "single_slice": lambda out, made, lab: [imported(out, made, "T1rho", lab)],
    "te_rounding": lambda out, made, lab: [imported(out, made, "T1", lab, *FIXED)],
    "tsl_letters": lambda out, made, lab: [
        imported(out, made / name, "T1rho", lab) for name in ("msec", "comma", "hertz", "fs")
    ],
}
"""What must be right of each folder: one sentence for each study of it, "" where it is."""


def make(folder: Path, out: Path) -> np.ndarray:
    """Let the folder of a fault make its input; the labels of its phantom."""
    with patch.object(sys, "argv", ["make.py", str(out)]):
        return runpy.run_path(str(folder / "make.py"), run_name="__main__")["LAB"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FAULTS, help="folder of the faults")
    options = parser.parse_args()
    folders = sorted(path.parent for path in options.folder.glob("*/make.py"))
    if not folders:
        sys.exit(f"{options.folder}: holds no folder with a make.py")
    right = 0
    with tempfile.TemporaryDirectory() as name:
        for folder in folders:
            out = Path(name) / folder.name
            labels = make(folder, out / "made" / folder.name)
            judge = CASES.get(folder.name)
            wrong = (
                ["no one says here what is right"]
                if judge is None
                else judge(out, out / "made" / folder.name, labels)
            )
            right += not any(wrong)
            print(f"{folder.name:20} {'; '.join(filter(None, wrong)) or 'right'}", flush=True)
    print(json.dumps({"right": right, "of": len(folders)}))


if __name__ == "__main__":
    main()
