"""What the how-to on DICOM shows is what the program does."""

import contextlib
import re
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from dicom_writers import Image, pattern, sagittal, write_classic
from pydicom import dcmread
from test_dicom_export import Exported, make_segmentation

from rmqnet.cli.main import main
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.subject import Subject
from rmqnet.io.bids import load_scan
from rmqnet.io.bids_labels import write_segmentation
from rmqnet.io.dicom.codes import SCHEME, TISSUE_CODES, quantity_code, valid_share_code
from rmqnet.io.dicom.settings_table import _COLUMNS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "dicom.md"
TEXT = PAGE.read_text(encoding="utf-8")
SHAPE = (7, 6, 5)


def test_every_command_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    affine = sagittal(SHAPE)
    for n, (echo, series) in enumerate(((1.0, 7), (30.0, 8))):
        image = Image(pattern(SHAPE, -50 * n), affine, series, "adiab T1rho", echo_time=echo, flip_angle=10.0)
        write_classic(tmp_path / "DICOM_FOLDER", [image])
    (table,) = re.findall(r"(?:^ {4}\S+\t.*\n)+", TEXT, re.MULTILINE)
    (tmp_path / "settings.tsv").write_text(re.sub(r"^ +", "", table, flags=re.MULTILINE))
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)).splitlines()
    for line in filter(None, lines):
        program, *words = shlex.split(line)
        if program == "storescu":  # has a test of its own, as DCMTK is needed
            continue
        assert program == "rmqnet"
        if (
            words[0] == "fit"
        ):  # the tiny images hold no knee: spin-lock times alone are fitted in the next test
            scan = load_scan(tmp_path / "STUDY", "001")
            times = [item.spin_lock_time for item in scan.get("adiabatic_t1rho").acquisitions]
            assert times == [0.0, 0.024]
            write_maps_and_regions(tmp_path)
            continue
        assert main(words) == 0, line
    assert len(list((tmp_path / "OBJECTS" / "sub-001").iterdir())) == 6


def free_port() -> int:
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.skipif(shutil.which("storescu") is None, reason="storescu (Debian dcmtk) is not installed")
def test_the_line_that_sends_objects_sends_all_of_them(tmp_path: Path):
    done, port = Exported(tmp_path, "classic", 0.0), free_port()
    (tmp_path / "OBJECTS").symlink_to(done.folder.parent)
    (tmp_path / "received").mkdir()
    (line,) = re.findall(r"^storescu .*", TEXT, re.MULTILINE)
    assert " 4242 " in line
    receiver = subprocess.Popen(["storescp", "-od", str(tmp_path / "received"), str(port)])
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        words = ["bash", "-c", line.replace(" 4242 ", f" {port} ")]
        subprocess.run(words, cwd=tmp_path, check=True, timeout=60)
    finally:
        receiver.terminate()
        receiver.wait(20)
    received = {item.SOPInstanceUID: item for item in map(dcmread, (tmp_path / "received").iterdir())}
    assert len(received) == 6
    for path in done.folder.iterdir():
        own = dcmread(path)
        for keyword in ("FloatPixelData", "PixelData", "ContentSequence"):
            assert received[own.SOPInstanceUID].get(keyword) == own.get(keyword)


def write_maps_and_regions(root: Path) -> None:
    from test_dicom_export import write_predictions

    grid = load_scan(root / "STUDY", "001").get("adiabatic_t1rho").grid
    write_predictions(root / "MAPS", grid)
    (root / "REGIONS" / "sub-001").mkdir(parents=True)
    write_segmentation(
        root / "REGIONS/sub-001", make_segmentation(grid), Subject("001", "right"), desc="drawn"
    )


def test_every_column_of_the_table_and_every_own_code_is_on_the_page():
    for column in _COLUMNS:
        assert column in TEXT
    found = [quantity_code(name) for name in QUANTITIES] + [valid_share_code(name) for name in QUANTITIES]
    found += [code.kind for code in TISSUE_CODES.values()]
    for code in found:
        if code.scheme_designator == SCHEME:
            assert f"| `{code.value}` | {code.meaning} |" in TEXT
