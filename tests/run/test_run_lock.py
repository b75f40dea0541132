"""One run at a time, and no lock outlives its run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rmqnet.domain.errors import InputError
from rmqnet.io.lock import LOCK, locked


def change_owner(root, **values):
    path = root / LOCK / "owner.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_second_run_is_told_whose_the_first_is_and_for_how_long(tmp_path):
    with locked(tmp_path) as remark:
        assert remark is None
        change_owner(
            tmp_path,
            user="ann",
            since=json.loads((tmp_path / LOCK / "owner.json").read_text())["since"] - 7500,
        )
        with pytest.raises(InputError) as caught, locked(tmp_path):
            pass
        assert f"process {os.getpid()} of ann" in str(caught.value)
        assert "2 h 5 min" in str(caught.value)
        assert str(tmp_path / LOCK) in str(caught.value)


def test_the_lock_is_given_back_also_after_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), locked(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_run_is_taken_over_in_words(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from rmqnet.io.lock import locked\n"
        "with locked(Path(sys.argv[1])): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    assert (tmp_path / LOCK).is_dir()
    with locked(tmp_path) as remark:
        assert remark is not None
        assert "was taken over" in remark
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_only_inherited_the_number_is_not_the_owner(tmp_path):
    with locked(tmp_path):
        if json.loads((tmp_path / LOCK / "owner.json").read_text())["born"] is None:
            pytest.skip("this system does not tell when a process started")
        change_owner(tmp_path, born="1")
        with locked(tmp_path) as remark:
            assert "was taken over" in (remark or "")


def test_the_lock_of_another_computer_is_never_taken(tmp_path):
    with locked(tmp_path):
        change_owner(tmp_path, host="elsewhere", process=2**22 + 1)
        with pytest.raises(InputError, match="on elsewhere"), locked(tmp_path):
            pass


def test_a_lock_that_holds_something_else_is_one_sentence(tmp_path):
    (tmp_path / LOCK).mkdir()
    (tmp_path / LOCK / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="delete it if no other run"), locked(tmp_path):
        pass
    (tmp_path / LOCK / "notes.txt").unlink()
    with locked(tmp_path) as remark:
        assert remark is None


def test_a_draft_that_a_quicker_run_has_tidied_up_is_made_again(tmp_path, monkeypatch):
    real, tidied = Path.rename, []

    def rename(self, target):
        if not tidied:
            tidied.append(self)
            shutil.rmtree(self)
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with locked(tmp_path) as remark:
        assert remark is None
        assert (tmp_path / LOCK).is_dir()
    assert len(tidied) == 1


def test_a_damaged_lock_is_one_sentence(tmp_path):
    with locked(tmp_path):
        (tmp_path / LOCK / "owner.json").write_text("{")
        with pytest.raises(InputError, match="delete it if no other run"), locked(tmp_path):
            pass
