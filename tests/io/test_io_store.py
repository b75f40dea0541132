"""Outputs appear whole or not at all, and never in somebody else's folder."""

import errno
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from rmqnet import __version__
from rmqnet.domain.errors import InputError
from rmqnet.io import atomic, store
from rmqnet.io.store import check_stage, hash_file, make_provenance, open_stage, read_provenance


@dataclass(frozen=True)
class Config:
    epochs: int = 5
    name: str = "a"


def _open(root, config=None, stage="fit", **more):
    return open_stage(root, make_provenance(stage, config or Config(), **more))


def _stop_while_writing(context, error):
    with context as path:
        (path / "half" if path.is_dir() else path).write_text("half")
        raise error


def _names(root):
    return sorted(path.name for path in root.iterdir())


def test_a_new_folder_holds_only_the_provenance(tmp_path):
    output = _open(tmp_path / "a" / "b", seed=3, inputs={"x": "1"}, warnings=["w"])
    assert _names(output.root) == ["provenance.json"]
    record = read_provenance(output.root)
    assert record == output.provenance
    assert (record.stage, record.version, record.seed) == ("fit", __version__, 3)
    assert record.config == {"epochs": 5, "name": "a"}


def test_a_subject_appears_under_its_name_when_it_is_complete(tmp_path):
    output = _open(tmp_path / "out")
    with output.subject("01") as folder:
        (folder / "x.txt").write_text("1")
        assert not output.done("01")
        assert folder.parent == output.root
    assert output.done("01")
    assert _names(output.root) == ["provenance.json", "sub-01"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ValueError])
def test_nothing_is_left_of_an_interrupted_subject(tmp_path, stop):
    output = _open(tmp_path / "out")
    with pytest.raises(stop):
        _stop_while_writing(output.subject("01"), stop())
    assert _names(output.root) == ["provenance.json"]
    with output.subject("01") as folder:
        (folder / "x.txt").write_text("1")
    assert output.done("01")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_an_interrupted_file_keeps_the_old_one(tmp_path, stop):
    output = _open(tmp_path / "out")
    with output.file("participants.tsv") as path:
        path.write_text("old")
    with pytest.raises(stop):
        _stop_while_writing(output.file("participants.tsv"), stop())
    assert (output.root / "participants.tsv").read_text() == "old"
    assert _names(output.root) == ["participants.tsv", "provenance.json"]


def test_a_finished_subject_is_not_overwritten(tmp_path):
    output = _open(tmp_path / "out")
    with output.subject("01"):
        pass
    with pytest.raises(InputError, match="exists already"), output.subject("01"):
        pass


def test_the_same_configuration_is_resumed(tmp_path):
    with _open(tmp_path / "out", inputs={"sub-01": "a"}).subject("01"):
        pass
    again = _open(tmp_path / "out", inputs={"sub-01": "a", "sub-02": "b"}, warnings=["said"])
    assert again.done("01")
    assert read_provenance(again.root).inputs == {"sub-01": "a", "sub-02": "b"}
    assert read_provenance(again.root).warnings == ("said",)


def test_an_empty_folder_is_used(tmp_path):
    (tmp_path / "out").mkdir()
    assert _open(tmp_path / "out").root.is_dir()


def _refused(root, *words, **settings):
    before = sorted((path, path.read_bytes()) for path in root.rglob("*") if path.is_file())
    with pytest.raises(InputError) as caught:
        _open(root, **settings)
    text = str(caught.value)
    assert str(root) in text
    assert "\n" not in text
    for word in words:
        assert word in text
    assert before == sorted((path, path.read_bytes()) for path in root.rglob("*") if path.is_file())


def test_a_folder_that_is_not_ours_is_refused(tmp_path):
    (tmp_path / "thesis.doc").write_text("years of work")
    _refused(tmp_path, "not made by rmqnet", "choose")


def test_another_configuration_is_refused_and_the_difference_is_named(tmp_path):
    _open(tmp_path / "out")
    _refused(tmp_path / "out", "another configuration", "epochs: 5 there, 6 now", config=Config(epochs=6))


def test_only_the_values_that_differ_inside_a_nested_configuration_are_named(tmp_path):
    old = {"fit": {"b1_smoothing": 4.0, "bounds": {"T1": [0, 5], "B1": [0, 2]}}, "seed": 1}
    new = {"fit": {"b1_smoothing": 0.0, "bounds": {"T1": [0, 9], "B1": [0, 2]}}, "seed": 2}
    _open(tmp_path / "out", config=old, seed=1)
    told = "(seed: 1 there, 2 now; b1_smoothing: 4.0 there, 0.0 now; T1: [0, 5] there, [0, 9] now)"
    _refused(tmp_path / "out", told, config=new, seed=2)
    _refused(tmp_path / "out", "; and 1 more)", config={**new, "fit": {"b1_smoothing": 0.0}}, seed=2)


def test_the_record_of_a_folder_that_does_not_exist_is_asked_for(tmp_path):
    with pytest.raises(InputError, match="nowhere: there is no such folder: check the path"):
        read_provenance(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: is a file, not a folder"):
        read_provenance(tmp_path / "file")


@pytest.mark.parametrize("name", ["x" * 300, "a/" + "x" * 300])
def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, name):
    root = tmp_path / name
    for refuse in (open_stage, check_stage):
        with pytest.raises(InputError) as caught:
            refuse(root, make_provenance("fit", Config()))
        assert str(caught.value).startswith(f"{root}: can't be made (")
        assert str(caught.value).endswith("): choose another output folder")


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EACCES, errno.EROFS, errno.EINVAL])
def test_whatever_the_system_says_about_a_new_folder_is_one_sentence(tmp_path, monkeypatch, code):
    def refuse(path, *_, **__):
        raise OSError(code, os.strerror(code), str(path.parent))  # it is the folder above that refuses

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InputError, match=r"a/b: can't be made \(.*\): choose another output folder"):
        _open(tmp_path / "a" / "b")


def test_another_stage_seed_or_input_is_refused(tmp_path):
    _open(tmp_path / "out", inputs={"sub-01": "a"})
    _refused(tmp_path / "out", "`fit`", "`train`", stage="train")
    _refused(tmp_path / "out", "seed: null there, 1 now", seed=1)
    _refused(tmp_path / "out", "another sub-01", inputs={"sub-01": "b"})


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"stage": 1, "nonsense": 2, "warnings": []}'])
def test_a_damaged_record_is_refused(tmp_path, text):
    (tmp_path / "provenance.json").write_text(text)
    _refused(tmp_path, "provenance.json")


def test_a_newer_format_is_refused(tmp_path):
    _open(tmp_path / "out")
    path = tmp_path / "out" / "provenance.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    _refused(tmp_path / "out", "format 2", "update rmqnet")


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="is a file"):
        _open(tmp_path / "out")
    with pytest.raises(InputError, match="a part of this path is a file"):
        _open(tmp_path / "out" / "deeper")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(tmp_path, code):
    output = _open(tmp_path / "out")
    with output.subject("01"):
        pass
    for context in (output.subject("02"), output.file("a.tsv")):
        with pytest.raises(InputError, match="no space left") as caught:
            _stop_while_writing(context, OSError(code, os.strerror(code)))
        assert str(output.root) in str(caught.value)
        assert "finished subjects are kept" in str(caught.value)
    assert _names(output.root) == ["provenance.json", "sub-01"]


def test_a_disk_that_is_full_from_the_start_is_one_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store, "write_json", full)
    with pytest.raises(InputError, match="no space left"):
        _open(tmp_path / "out")
    assert _names(tmp_path / "out") == []


def test_other_errors_of_the_system_are_not_hidden(tmp_path):
    output = _open(tmp_path / "out")
    with pytest.raises(OSError, match="loop"), output.subject("01"):
        raise OSError(errno.ELOOP, "loop")
    with pytest.raises(PermissionError), output.subject("01"):
        raise PermissionError(errno.EACCES, "denied", "/another/place")


def test_no_permission_is_one_sentence(tmp_path):
    output = _open(tmp_path / "out")
    with pytest.raises(InputError, match="no permission to write"), output.subject("01") as folder:
        raise PermissionError(errno.EACCES, "denied", str(folder / "x"))


def test_no_permission_names_no_temporary_file(tmp_path):
    output = _open(tmp_path / "out")
    for error in (errno.EACCES, errno.EROFS):
        with pytest.raises(InputError) as caught, output.file("x.tsv") as path:
            raise OSError(error, "denied", str(path))
        assert str(caught.value) == (f"{output.root}: no permission to write: choose another output folder")


def test_leftovers_of_a_killed_run_are_removed_and_those_of_a_living_one_stay(tmp_path):
    root = tmp_path / "out"
    _open(root)
    code = (
        "import os,sys; from pathlib import Path; from rmqnet.io.atomic import atomic_folder\n"
        "with atomic_folder(Path(sys.argv[1]) / 'sub-02') as f:\n"
        "    (f / 'half').write_text('x'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(root)]).returncode == 9
    (stale,) = [path for path in root.iterdir() if atomic.is_temporary(path)]
    living = atomic.temporary_path(root / "sub-03")
    living.mkdir()
    foreign = root / stale.name.replace(atomic.host_name(), "another-computer")
    foreign.mkdir()
    output = _open(root)
    assert not output.done("02")
    assert _names(root) == sorted([living.name, foreign.name, "provenance.json"])


def test_an_output_can_be_sent_to_another_process(tmp_path):
    output = _open(tmp_path / "out")
    assert pickle.loads(pickle.dumps(output)) == output  # noqa: S301


def test_equal_files_have_equal_hashes(tmp_path):
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / name).write_text(text)
    assert hash_file(tmp_path / "a") == hash_file(tmp_path / "b") != hash_file(tmp_path / "c")
    with pytest.raises(InputError, match="no such file"):
        hash_file(tmp_path / "d")


def test_a_folder_that_another_program_made_meanwhile_is_left_and_named(tmp_path):
    path = tmp_path / "sub-001"

    def collide() -> None:
        with atomic.atomic_folder(path) as own:
            (own / "mine").touch()
            path.mkdir()
            (path / "theirs").touch()

    with pytest.raises(InputError, match="another program made it in the meantime"):
        collide()
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["sub-001", "theirs"]
