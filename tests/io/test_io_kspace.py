"""K-space in files: what is written is read, and what is wrong is said in one sentence."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import ismrmrd
import numpy as np
import pytest
from kspace_cases import N_COILS, N_READS, N_SPOKES, SERIES, series

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.io.ismrmrd_file import IsmrmrdFile
from rmqnet.io.kspace_file import ENDINGS, Format, check_size, in_house, open_kspace, write_kspace
from rmqnet.io.kspace_plain import FIELDS, NpzFile

FORMATS: tuple[Format, ...] = ("hdf5", "npz", "ismrmrd")
PLAIN: tuple[Format, ...] = ("hdf5", "npz")


def written(folder: Path, fmt: Format, method: str = "vfa", **options: Any) -> Path:
    kspace = series(SERIES[method], **options)
    path = folder / f"scan{ENDINGS[fmt]}"
    write_kspace(path, (kspace.contrast(i) for i in range(2)), 2, fmt)
    return path


def change(path: Path, **fields: Any) -> None:
    """Exchange fields of an HDF5 file; None deletes one."""
    with h5py.File(path, "a") as file:
        for name, value in fields.items():
            del file[name]
            if value is not None:
                file.create_dataset(name, data=value)


def load_all(path: Path, units: str | None) -> None:
    file = open_kspace(path, units)
    for contrast in range(len(file.acquisitions)):
        file.load(contrast)


def refused(path: Path, *words: str, units: str | None = None) -> None:
    """Opening and loading fails in one sentence that begins with the path and has these words."""
    with pytest.raises(InputError) as caught:
        load_all(path, units)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize("method", SERIES)
@pytest.mark.parametrize("fmt", FORMATS)
def test_what_is_written_is_read(tmp_path: Path, fmt: Format, method: str):
    kspace = series(SERIES[method])
    file = open_kspace(written(tmp_path, fmt, method))
    assert file.acquisitions == kspace.acquisitions
    for index in (1, 0):
        one = file.load(index)
        assert np.array_equal(one.samples, kspace.samples[index : index + 1])
        assert one.acquisitions == kspace.acquisitions[index : index + 1]
        assert one.grid.same_as(kspace.grid)
        np.testing.assert_allclose(one.trajectory, kspace.trajectory, rtol=1e-6)
        np.testing.assert_allclose(one.read_times, kspace.read_times, rtol=1e-6)
        if fmt != "ismrmrd":
            assert kspace.noise_covariance is not None
            assert one.noise_covariance is not None
            np.testing.assert_allclose(one.noise_covariance, kspace.noise_covariance)
            assert one.density is not None
            assert np.array_equal(one.density, np.asarray(kspace.density))


def test_numpy_itself_reads_and_writes_the_npz(tmp_path: Path):
    path = written(tmp_path, "npz")
    with np.load(path) as file:
        fields = {name: file[name] for name in file.files}
    assert set(FIELDS) <= set(fields)
    assert np.array_equal(fields["samples"], series().samples)
    for name, save in (("again", np.savez), ("packed", np.savez_compressed)):
        save(tmp_path / f"{name}.npz", **fields)
        again = open_kspace(tmp_path / f"{name}.npz").load(1)
        assert np.array_equal(again.samples[0], series().samples[1])


@pytest.mark.parametrize(
    ("units", "factor"),
    [("1/m", 1000), ("1/cm", 10), ("rad/mm", 2 * np.pi), ("rad/m", 2000 * np.pi), ("1/voxel", None)],
)
def test_every_unit_gives_the_same_trajectory(tmp_path: Path, units: str, factor: float | None):
    path, kspace = written(tmp_path, "hdf5"), series()
    scale = np.array(kspace.grid.voxel_size) if factor is None else factor
    change(path, trajectory=kspace.trajectory * scale, trajectory_units=units)
    np.testing.assert_allclose(open_kspace(path).load(0).trajectory, kspace.trajectory, rtol=1e-5)
    change(path, trajectory_units=None)
    refused(path, "--trajectory-units")
    np.testing.assert_allclose(open_kspace(path, units).load(0).trajectory, kspace.trajectory, rtol=1e-5)


def test_a_unit_is_asked_for_and_must_not_be_contradicted(tmp_path: Path):
    path = written(tmp_path, "hdf5")
    refused(path, "1/mm", "1/m", units="1/m")
    refused(path, "furlong", units="furlong")
    change(path, trajectory_units="1/furlong")
    refused(path, "1/furlong", "1/mm")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_axes_of_any_direction_become_house_axes(order: tuple[int, int, int]):
    """A point of the body has the same phase at a sample, whatever the axes of the file are."""
    kspace = series()
    signs = np.array([1, -1, -1])
    affine, shape = np.eye(4), tuple(kspace.grid.shape[k] for k in order)
    affine[:3, :3] = kspace.grid.affine[:3, list(order)] * signs
    middle = kspace.grid.affine[:3, :3] @ ((np.array(kspace.grid.shape) - 1) / 2) + kspace.grid.affine[:3, 3]
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    given = kspace.trajectory[..., list(order)] * signs
    trajectory, grid = in_house(given, "1/mm", (shape[0], shape[1], shape[2]), affine)
    np.testing.assert_allclose(trajectory, kspace.trajectory, rtol=1e-6)
    assert Grid(grid.shape, grid.affine).same_as(kspace.grid)


def test_only_numpy_arrays_are_read_from_an_npz(tmp_path: Path):
    path = tmp_path / "pickled.npz"
    fields = {name: np.zeros(1) for name in FIELDS} | {"acquisitions": np.array([{"Method": "vfa"}], object)}
    np.savez(path, **fields)
    refused(path, "objects")


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("part", [0.02, 0.4, 0.9])
def test_a_truncated_file_is_told(tmp_path: Path, fmt: Format, part: float):
    path = written(tmp_path, fmt)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    refused(path, "cut off")


def test_other_files_are_told(tmp_path: Path):
    path = tmp_path / "scan.h5"
    refused(path, "no such file")
    path.write_bytes(b"")
    refused(path, "empty")
    path.write_text("kspace")
    refused(path, "HDF5")
    path.unlink()
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=np.zeros(3))
    refused(path, "samples", "docs/reference/files.md")


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("trajectory", series().trajectory[:-2], "spokes are missing"),
        ("trajectory", series().trajectory[:, :-2], "points per spoke"),
        ("trajectory", series().trajectory[..., :2], "(spoke, read, 3)"),
        ("trajectory", series().trajectory * 1000, "cycles per mm"),
        ("trajectory", series().trajectory / 1000, "cycles per mm"),
        ("trajectory", np.where(series().trajectory > 0.3, np.nan, series().trajectory), "not finite"),
        ("samples", np.where(np.abs(series().samples) > 2, np.nan, series().samples), "not finite"),
        ("samples", np.abs(series().samples), "complex"),
        ("samples", series().samples[0], "(contrast, coil, spoke, read)"),
        ("samples", series().samples[:1], "2 acquisitions"),
        ("read_times", series().read_times * 1000, "in ms"),
        ("read_times", series().read_times[::-1], "rise"),
        ("read_times", series().read_times[1:], "read_times"),
        ("noise_covariance", np.eye(2), "3 x 3"),
        ("noise_covariance", -np.eye(3), "negative"),
        ("density", -np.ones((N_SPOKES, N_READS)), "density"),
        ("affine", np.eye(3), "4 x 4"),
        ("affine", np.zeros((4, 4)), "affine"),
        ("shape", np.array([0, 3, 3]), "shape"),
        ("acquisitions", "vfa", "JSON"),
        ("acquisitions", json.dumps([{"Method": "vfa", "FlipAngle": 5}] * 2), "RepetitionTimeExcitation"),
        ("acquisitions", json.dumps([{"Method": "flash"}] * 2), "Method"),
        ("acquisitions", json.dumps([{"Method": "vfa", "Fa": 5}] * 2), "Fa is not known"),
        (
            "acquisitions",
            json.dumps([{"Method": "spin_lock", "SpinLockTime": 12}] * 2),
            "write 0.012 if it is 12 ms",
        ),
    ],
)
def test_bad_fields_are_told(tmp_path: Path, field: str, value: Any, word: str):
    path = written(tmp_path, "hdf5")
    change(path, **{field: value})
    refused(path, word)


def test_spokes_that_were_never_written_are_told(tmp_path: Path):
    samples = series().samples.copy()
    samples[1, :, [3, 7]] = 0
    path = written(tmp_path, "hdf5")
    change(path, samples=samples)
    refused(path, "2 of 20 spokes", "(3, 7)", "missing")


def test_sizes_are_checked_before_memory_is_taken(tmp_path: Path):
    path = written(tmp_path, "hdf5")
    with h5py.File(path, "a") as file:
        del file["samples"]
        huge = file.create_dataset("samples", (2, 10**3, 10**5, 10**4), np.complex64, chunks=(1, 1, 1, 10**4))
        huge[0, 0, 0] = 1
    refused(path, "MiB", "never written")
    with pytest.raises(InputError, match="GiB"):
        check_size(path, 10**3, 10**5, 10**4)


def test_an_array_that_claims_more_than_the_file_has_is_told(tmp_path: Path):
    path = written(tmp_path, "npz")
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<c8", "fortran_order": False, "shape": (2, N_COILS, 10 * N_SPOKES, N_READS)}
    )
    content["samples.npy"] = head.getvalue() + content["samples.npy"][128:]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match="cut off"):
        NpzFile(path)


def test_one_contrast_is_read_without_the_others(tmp_path: Path):
    path = written(tmp_path, "hdf5")
    samples = series().samples.copy()
    samples[1] = np.nan
    change(path, samples=samples)
    assert np.array_equal(open_kspace(path).load(0).samples[0], samples[0])
    refused(path, "not finite")


class Ismrmrd:
    """The acquisitions of a file of ours, to be changed and written by the ismrmrd library itself."""

    def __init__(self, path: Path) -> None:
        with ismrmrd.Dataset(str(path), mode="r") as file:
            self.xml = file.read_xml_header()
            self.rows = [file.read_acquisition(k) for k in range(file.number_of_acquisitions())]

    def write(self, path: Path) -> Path:
        path.unlink(missing_ok=True)
        with ismrmrd.Dataset(str(path), mode="w") as file:
            file.write_xml_header(self.xml)
            for row in self.rows:
                file.append_acquisition(row)
        return path


def test_the_ismrmrd_library_reads_what_is_written(tmp_path: Path):
    kspace = series()
    content = Ismrmrd(written(tmp_path, "ismrmrd"))
    assert len(content.rows) == 2 * N_SPOKES
    row = content.rows[N_SPOKES + 4]
    assert (row.idx.contrast, row.idx.kspace_encode_step_1) == (1, 4)
    assert np.array_equal(row.data, kspace.samples[1, :, 4])
    np.testing.assert_allclose(row.traj, kspace.trajectory[4, :, ::-1])
    header = ismrmrd.xsd.CreateFromDocument(content.xml)
    assert header.sequenceParameters.flipAngle_deg == [5, 30]
    assert header.sequenceParameters.TR == [20, 20]
    assert header.encoding[0].reconSpace.matrixSize.z == kspace.grid.shape[0]


def test_dummy_and_noise_acquisitions_are_no_spokes(tmp_path: Path):
    kspace = series()
    content = Ismrmrd(written(tmp_path, "ismrmrd"))
    rng = np.random.default_rng(3)
    extra = []
    for flag in (
        ismrmrd.ACQ_IS_NOISE_MEASUREMENT,
        ismrmrd.ACQ_IS_DUMMYSCAN_DATA,
        ismrmrd.ACQ_IS_NAVIGATION_DATA,
        ismrmrd.ACQ_IS_PHASECORR_DATA,
        ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,
    ):
        noise = rng.standard_normal((2, N_COILS, 5000)).astype(np.float32)
        row = ismrmrd.Acquisition.from_array((noise[0] + 1j * noise[1]) * [[1], [2], [3]])
        row.set_flag(flag)
        row.sample_time_us = 3.0
        extra.append(row)
    content.rows = extra + content.rows
    one = IsmrmrdFile(content.write(tmp_path / "more.mrd")).load(1)
    assert np.array_equal(one.samples[0], kspace.samples[1])
    assert one.noise_covariance is not None
    # 5000 samples: 3 standard deviations of a variance are 4 %
    np.testing.assert_allclose(np.diag(one.noise_covariance).real, [2, 8, 18], rtol=0.05)


def test_spokes_in_another_order_are_found_by_their_counters(tmp_path: Path):
    kspace = series()
    content = Ismrmrd(written(tmp_path, "ismrmrd"))
    content.rows = [content.rows[k] for k in np.random.default_rng(0).permutation(len(content.rows))]
    one = IsmrmrdFile(content.write(tmp_path / "other.mrd")).load(1)
    order = [row.idx.kspace_encode_step_1 for row in content.rows if row.idx.contrast == 1]
    assert np.array_equal(one.samples[0], kspace.samples[1][:, order])
    np.testing.assert_allclose(one.trajectory, kspace.trajectory[order], rtol=1e-6)


def test_missing_and_double_spokes_are_told(tmp_path: Path):
    path = written(tmp_path, "ismrmrd")
    content = Ismrmrd(path)
    kept = content.rows
    content.rows = [row for k, row in enumerate(kept) if k not in (N_SPOKES + 2, 2 * N_SPOKES - 1)]
    refused(content.write(path), "2 of 20 spokes", "(2, 19)", "missing")
    content.rows = [*kept, kept[5]]
    refused(content.write(path), "twice")
    content.rows = kept[:N_SPOKES]
    refused(content.write(path), "20 of 20 spokes", "FA 30")
    for row in kept:
        row.set_flag(ismrmrd.ACQ_IS_DUMMYSCAN_DATA)
    content.rows = kept
    refused(content.write(path), "dummy")


@pytest.mark.parametrize(
    ("pattern", "text", "word"),
    [
        (r"<name>TrajectoryUnits</name>\s*<value>1/mm", "<name>X</name><value>1/mm", "--trajectory-units"),
        (r"<name>Method</name>\s*<value>vfa", "<name>Method</name><value>flash", "Method"),
        (r"<name>Method</name>\s*<value>vfa", "<name>Method</name><value>afi", "RepetitionTimeOther"),
        ("</ismrmrdHeader>", "", "header"),
    ],
)
def test_what_the_header_lacks_is_told(tmp_path: Path, pattern: str, text: str, word: str):
    path = written(tmp_path, "ismrmrd")
    content = Ismrmrd(path)
    content.xml, n = re.subn(pattern.encode(), text.encode(), content.xml)
    assert n == 1
    refused(content.write(path), word)


def test_standard_fields_serve_where_no_user_parameter_says_it(tmp_path: Path):
    path = written(tmp_path, "ismrmrd")
    content = Ismrmrd(path)
    for key in ("FlipAngle_0", "FlipAngle_1", "RepetitionTimeExcitation", "EchoTime", "FirstReadTime"):
        content.xml, n = re.subn(f"<name>{key}</name>".encode(), b"<name>Other</name>", content.xml)
        assert n == 1, key
    file = open_kspace(content.write(path))
    for own, due in zip(file.acquisitions, SERIES["vfa"], strict=True):
        assert own.flip_angle == due.flip_angle
        assert own.repetition_time_excitation == pytest.approx(due.repetition_time_excitation)
    assert file.load(0).read_times[0] == pytest.approx(3.2e-5)
