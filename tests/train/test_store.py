import numpy as np

from rmqnet.train.store import ARRAYS, StoredSamples


def test_stored_samples_are_the_samples_and_lie_on_disk(disks, tmp_path):
    stored = StoredSamples(tmp_path / "samples")
    wanted = [*disks("a", 3), *disks("b", 2)]
    stored.add(wanted[:3])
    stored.add([])
    stored.add(wanted[3:])
    assert len(stored) == 5
    for one, other in zip(stored, wanted, strict=True):
        assert (one.subject, one.slice, one.acquisitions) == (other.subject, other.slice, other.acquisitions)
        for name in ARRAYS:
            assert isinstance(getattr(one, name).base, np.memmap)
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert [sample.subject for sample in stored[2:4]] == ["a", "b"]


def test_a_second_run_writes_over_what_the_first_left(disks, tmp_path):
    StoredSamples(tmp_path).add(disks("a", 3))
    again = StoredSamples(tmp_path)
    again.add(disks("b", 2))
    np.testing.assert_array_equal(again[1].signals, disks("b", 2)[1].signals)
