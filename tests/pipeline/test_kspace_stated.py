"""K-space of others on the command line: what the user says, groups, and what is told."""

import json
import sys
from pathlib import Path

import pytest

from rmqnet.cli.main import main
from rmqnet.domain.subject import Subject
from rmqnet.io.bids import load_scan
from rmqnet.io.participants import write_participants

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "io"))
from ismrmrd_cases import FOV, PATHS, Others, off, read

SPIRALS = PATHS["spirals"]
Error = pytest.CaptureFixture[str]


def line(path: Path, *options: str) -> list[str]:
    return ["reconstruct", str(path), str(path.parent / "out"), "--subject", "1", "--side", "left", *options]


def test_a_bare_file_is_reconstructed_with_what_the_user_says(tmp_path: Path, capsys: Error):
    others = Others(SPIRALS, unit=FOV, strings={}, flip_angle=[], times={"TE": [], "TR": []})
    path = others.add(read(SPIRALS)).write(tmp_path / "bare.mrd")
    assert main(line(path)) == 2
    complaint = capsys.readouterr().err
    for option in ("--method", "--trajectory-units", "--echo-time"):
        assert option in complaint
    assert not (tmp_path / "out").exists()
    said = ["--method", "vfa", "--trajectory-units", "1/fov", "--echo-time", "5e-5"]
    said += ["--flip-angle", "10", "--repetition-time", "0.02"]
    assert main(line(path, *said)) == 0
    scan = load_scan(tmp_path / "out", "1")
    assert off(scan.get("vfa").data[0, 0]) < 0.03
    assert scan.get("vfa").acquisitions[0].flip_angle == 10


def test_groups_become_images_and_what_was_changed_is_told(tmp_path: Path, capsys: Error):
    path = tmp_path / "groups.mrd"
    for name, angle in (("a", 5.0), ("b", 20.0)):
        Others(SPIRALS, flip_angle=[angle]).add(read(SPIRALS)).write(path, name)
    assert main(line(path, "--echo-time", "0.0001")) == 0
    assert "EchoTime is 0.0001 as you say, not 5e-05 as in the file" in capsys.readouterr().err
    acquisitions = load_scan(tmp_path / "out", "1").get("vfa").acquisitions
    assert [item.flip_angle for item in acquisitions] == [5.0, 20.0]
    warnings = json.loads((tmp_path / "out" / "provenance.json").read_text())["warnings"]
    assert any("wins over the file" in text for text in warnings)
    Others(SPIRALS, flip_angle=[5.0]).add(read(SPIRALS)).write(path, "c")
    other = [*line(path)[:2], str(tmp_path / "other"), *line(path)[3:]]
    assert main(other) == 2
    assert "comes twice, in its groups a and c: name one with --group" in capsys.readouterr().err
    assert main([*other, "--group", "c"]) == 0


def test_settings_of_one_file_are_not_for_a_study(tmp_path: Path, capsys: Error):
    (tmp_path / "study" / "sub-1" / "raw").mkdir(parents=True)
    write_participants(tmp_path / "study" / "participants.tsv", [Subject("1", "left")])
    for name in ("a", "b"):
        others = Others(SPIRALS, strings={"Method": "flash"}).add(read(SPIRALS))
        others.write(tmp_path / "study" / "sub-1" / "raw" / f"{name}.mrd")
    command = ["reconstruct", str(tmp_path / "study"), str(tmp_path / "out")]
    assert main([*command, "--flip-angle", "5"]) == 2
    assert "--flip-angle: for a single file only" in capsys.readouterr().err
    assert main(command) == 2
    complaint = capsys.readouterr().err
    assert "2 files can't be used" in complaint
    assert complaint.count("Method must be one of") == 2
