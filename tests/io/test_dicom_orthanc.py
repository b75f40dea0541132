"""Exported objects go into a real Orthanc by C-STORE and by STOW-RS, and come back byte for byte in their pixels."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email import message_from_bytes
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from test_dicom_export import Exported

ORTHANC = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
pytestmark = [
    pytest.mark.skipif(not Path(ORTHANC).is_file(), reason="Orthanc (Debian orthanc) is not installed"),
    pytest.mark.skipif(
        not PLUGIN.is_file(), reason="its DICOMweb plugin (Debian orthanc-dicomweb) is not installed"
    ),
]


def free_port() -> int:
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    """An Orthanc of our own on the loopback."""

    def __init__(self, folder: Path) -> None:
        self.http, self.dicom = free_port(), free_port()
        folder.mkdir()
        config = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowStore": True,
            "DicomCheckCalledAet": False,
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(config))
        with (folder / "log.txt").open("w") as log:
            self.process = subprocess.Popen([ORTHANC, str(folder / "orthanc.json")], stdout=log, stderr=log)
        for _ in range(150):
            try:
                self.get("/system")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
            else:
                return
        self.stop()
        raise RuntimeError((folder / "log.txt").read_text())

    def ask(
        self, path: str, data: bytes | None = None, method: str | None = None, **headers: str
    ) -> tuple[bytes, str]:
        names = {key.replace("_", "-"): value for key, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data, names, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.read(), answer.headers["Content-Type"]

    def get(self, path: str) -> Any:
        return json.loads(self.ask(path)[0])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("export"), "classic", 13.0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = Server(tmp_path_factory.mktemp("server") / "orthanc")
    try:
        yield own
    finally:
        own.stop()


@pytest.fixture
def server(running: Server) -> Server:
    """The server, empty."""
    for patient in running.get("/patients"):
        running.ask(f"/patients/{patient}", method="DELETE")
    assert running.get("/instances") == []
    return running


def multipart(path: Path) -> bytes:
    head = b"--border\r\nContent-Type: application/dicom\r\n\r\n"
    return head + path.read_bytes() + b"\r\n--border--\r\n"


def fetch(server: Server, dataset: Dataset) -> Dataset:
    """The instance by WADO-RS."""
    place = f"/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
    kind = 'multipart/related; type="application/dicom"'
    body, content_type = server.ask(f"{place}/instances/{dataset.SOPInstanceUID}", Accept=kind)
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    (part,) = message.get_payload()
    content = part.get_payload(decode=True)  # pyright: ignore
    return dcmread(BytesIO(content))


def check_all_come_back(server: Server, exported: Exported) -> None:
    for path in sorted(exported.folder.iterdir()):
        own = dcmread(path)
        found = fetch(server, own)
        assert found.SOPClassUID == own.SOPClassUID
        for keyword in (
            "FloatPixelData",
            "PixelData",
            "ContentSequence",
            "SegmentSequence",
            "SeriesDescription",
        ):
            assert found.get(keyword) == own.get(keyword), (path.name, keyword)
        assert found.get("PerFrameFunctionalGroupsSequence") == own.get("PerFrameFunctionalGroupsSequence")
    (patient,) = server.get("/patients?expand")
    assert patient["MainDicomTags"]["PatientID"] == "study_sub-001"
    assert len(patient["Studies"]) == 1


@pytest.mark.skipif(shutil.which("storescu") is None, reason="storescu (Debian dcmtk) is not installed")
def test_objects_are_stored_by_c_store_and_fetched_by_dicomweb(server: Server, exported: Exported):
    paths = [str(path) for path in sorted(exported.folder.iterdir())]
    subprocess.run(["storescu", "-R", "127.0.0.1", str(server.dicom), *paths], check=True, timeout=60)
    check_all_come_back(server, exported)


def test_objects_are_stored_and_fetched_by_dicomweb(server: Server, exported: Exported):
    for path in sorted(exported.folder.iterdir()):
        kind = 'multipart/related; type="application/dicom"; boundary=border'
        server.ask("/dicom-web/studies", multipart(path), Content_Type=kind, Accept="application/dicom+json")
    check_all_come_back(server, exported)
