"""Arrays and tables that differ from those that an earlier commit makes on this machine, over every command.

A work tree of the earlier commit runs the same commands on the same inputs: a small cohort, its k-space, and the real
knee. Arrays, tables and sidecars are compared byte by byte, and the names of all files; what dates a file is left out.
"""

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASE = "4bbcf9f9fb59175ba1633c21ddc65a2c4f6a24c7"
"""The last commit before the code was moved; changes that are meant are in CHANGELOG under Numbers."""
REAL_KNEE = ROOT.parent / "shared" / "data" / "pykneer_t1rho_dess"
COMMANDS = (
    "simulate study --preset demo --n-subjects 3 --seed 5",
    "simulate cones --preset demo --n-subjects 1 --seed 6 --kspace --trajectory fast",
    "reconstruct cones images",
    "register study registered",
    "check study",
    "fit study maps",
    "fit study joint --subjects 001 --joint --likelihood rician",
    "predict study predicted-11 --input-set 4FA+7TSL",
    "predict study predicted-2 --input-set 1FA+1TSL",
    "evaluate study scores --predictions predicted-11 predicted-2",
    "report study report --predictions predicted-11",
    "run study all",
    "export maps dicom",
)
REAL_COMMANDS = ("fit knee knee-maps", "check knee")
DATED = {"version", "Version", "started", "ended", "seconds", "code", "date", "created"}
"""Keys of sidecars and records that differ from run to run, or name the commit."""
TABLES = {".tsv", ".csv", ".txt"}


def run_all(tree: Path, folder: Path) -> None:
    """The output of every command of one tree."""
    folder.mkdir()
    commands = COMMANDS
    if REAL_KNEE.is_dir():
        knee_study(folder / "knee")
        commands += REAL_COMMANDS
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    code = "import sys; from rmqnet.cli.main import main; sys.exit(main(sys.argv[1:]))"
    for number, command in enumerate(commands):
        print(f"{tree.name}: rmqnet {command}", flush=True)
        done = subprocess.run(
            [sys.executable, "-c", code, *command.split()],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1):  # 1: `check` found something
            raise SystemExit(f"rmqnet {command} ended with {done.returncode}: {done.stderr[-2000:]}")
        if command.startswith("check"):
            (folder / f"check-{number}.txt").write_text(done.stdout)


def knee_study(folder: Path) -> None:
    """The spin-lock images of the real knee as a study."""
    anat = folder / "sub-01" / "anat"
    anat.mkdir(parents=True)
    (folder / "dataset_description.json").write_text('{"Name": "knee", "BIDSVersion": "1.10.0"}')
    (folder / "participants.tsv").write_text("participant_id\tside\nsub-01\tright\n")
    for index, milliseconds in enumerate((1, 10, 30, 60), start=1):
        name = f"sub-01_tsl-{index}_T1rhow"
        shutil.copy(REAL_KNEE / f"T1rho_tsl-{milliseconds:02d}ms.nii.gz", anat / f"{name}.nii.gz")
        (anat / f"{name}.json").write_text(json.dumps({"SpinLockTime": milliseconds / 1000}))


def undated(value: object) -> object:
    """A JSON value without what differs from run to run."""
    if isinstance(value, dict):
        return {key: undated(own) for key, own in value.items() if key not in DATED}
    if isinstance(value, list):
        return [undated(own) for own in value]
    return value


def content(path: Path) -> object:
    """What must stay: None where only the name counts (pictures, pages, DICOM)."""
    if path.name.endswith(".nii.gz"):
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".json":
        return undated(json.loads(path.read_text()))
    if path.suffix == ".h5":
        return arrays_of(path)
    return path.read_bytes() if path.suffix in TABLES else None


def arrays_of(path: Path) -> dict[str, tuple[str, bytes]]:
    """Type and bytes of every dataset of an HDF5 file."""
    import h5py

    found: dict[str, tuple[str, bytes]] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (str(item.dtype), item[()].tobytes())

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def files_of(folder: Path) -> dict[str, Path]:
    """Files by their path within the folder; hidden ones are caches and locks."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = {str(path.relative_to(folder)): path for path in paths}
    return {
        name: path for name, path in names.items() if not any(p.startswith(".") for p in Path(name).parts)
    }


def compare(before: Path, now: Path) -> dict[str, object]:
    """Counts of the files that are compared, differ, are gone and are new."""
    old, new = files_of(before), files_of(now)
    gone, added = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    # DICOM files are named by their content
    both = sorted(old.keys() & new.keys())
    compared = {name: (content(old[name]), content(new[name])) for name in both}
    different = [name for name, (first, second) in compared.items() if first != second]
    for what, names in (("differs", different), ("gone", gone), ("new", added)):
        for name in names[:40]:
            print(f"{what}: {name}")
    return {
        "different": len(different) + len(gone) + len(added),
        "compared": sum(first is not None for first, _ in compared.values()),
        "files": len(both),
        "gone": len(gone),
        "new": len(added),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default=BASE, help="commit to compare with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tree = folder / "before"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", "-q", str(tree), options.base], check=True)
        try:
            # both write into folders of one name in turn: sidecars may hold paths
            for source, kept in ((tree, "out-before"), (ROOT, "out-now")):
                run_all(source, folder / "out")
                (folder / "out").rename(folder / kept)
            result = compare(folder / "out-before", folder / "out-now")
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
