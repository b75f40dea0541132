"""What a person reads at the command line."""

import os
import subprocess
import sys

import pytest

from rmqnet.cli.main import NOT_READ, main

COMMANDS = (
    "demo",
    "simulate",
    "reconstruct",
    "register",
    "fit",
    "train",
    "predict",
    "evaluate",
    "report",
    "protocol",
    "info",
    "import",
    "export",
    "check",
    "doctor",
    "run",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_options(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: rmqnet {command}" in text
    # every option carries an explanation: no "--name TYPE" is left alone
    assert "(default: " in text
    assert len(text.split()) > 25


def test_help_names_all_commands_and_the_limits_of_use(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)
    assert "not a medical device" in text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ([], ["expected", "fit"]),
        (["fitt"], ["fitt"]),
        (["fit", "study"], ["OUT"]),
        (["fit", "no-such-study", "out"], ["no-such-study"]),
        (["fit", "a", "b", "--b1-method", "magic"], ["magic", "closed_form"]),
        (["fit", "a", "b", "--assumed-b1", "100"], ["assumed_b1", "100"]),
        (["train", "a", "b", "--input-set", "3FA"], ["3FA", "1FA+1TSL"]),
        (["train", "a", "b", "--epochs", "0"], ["epochs"]),
        (["simulate", "out", "--n-subjects", "0"], ["n_subjects"]),
        (["protocol", "--tissues", "femur"], ["femur", "cartilage"]),
        (["protocol", "out", "--tissues", "femoral_marrow"], ["femoral_marrow", "fat"]),
        (["protocol", "--snr", "0"], ["snr"]),
        (["protocol", "out", "--minutes", "-3"], ["minutes", "-3"]),
        (["protocol", "--minutes", "5"], ["minutes", "14.9"]),
        (["protocol", "out", "--minutes", "600"], ["minutes", "60"]),
        (["info", "no-such-path"], ["no-such-path"]),
        (["reconstruct", "no-such-study", "out"], ["no-such-study"]),
        (["reconstruct", "a", "b", "--n-iterations", "0"], ["n_iterations"]),
        (["reconstruct", "a", "b", "--subject", "01"], ["--side"]),
        (["simulate", "out", "--preset", "small", "--kspace"], ["cartilage_slices"]),
        (["run", "no-such-study", "out"], ["no-such-study"]),
        (["run", "a", "b", "--workers", "0"], ["workers", "0"]),
        (["run", "a", "b", "--steps", "fly"], ["fly", "predict"]),
        (["predict", "a", "b", "--checkpoint", "none.safetensors"], ["none.safetensors"]),
    ],
)
def test_a_wrong_line_gives_one_sentence_and_exit_code_2(
    line: list[str],
    words: list[str],
    tmp_path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert main(line) == 2
    output = capsys.readouterr()
    assert output.err.startswith("rmqnet: ")
    assert output.err.strip().count("\n") == 0
    for word in words:
        assert word.lower() in output.err.lower()
    assert "Traceback" not in output.err
    assert list(tmp_path.iterdir()) == []


def test_info_shows_the_input_sets_with_their_minutes(capsys: pytest.CaptureFixture[str]):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert "2FA+3TSL" in text
    assert "12.4 min" in text


def test_version_is_told(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("rmqnet ")


def test_a_reader_who_has_seen_enough_gets_no_traceback():
    # no reader from the start: the first line that is written fails
    line = [sys.executable, "-c", "import sys; from rmqnet.cli.main import main; sys.exit(main(['--help']))"]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        ended = subprocess.run(line, stdout=nobody, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.stderr == ""
    assert ended.returncode == NOT_READ
