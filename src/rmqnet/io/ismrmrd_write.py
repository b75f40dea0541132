"""K-space written as ISMRMRD: every spoke an acquisition, its contrast and number in the counters."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.kspace import KSpace
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.io.ismrmrd_header import FIRST_KEY, UNITS_KEY
from rmqnet.io.kspace_acquisition import to_keys

_MS = QUANTITIES["T1"].display_factor
"""ISMRMRD states times of a sequence in thousandths of a second."""
_TO_MICROSECONDS = 1e6
_ROWS = 512
"""Acquisitions written at a time."""
_PROTON_FREQUENCY = 127_740_000
"""Resonance frequency [Hz] at 3 T, which a header must state."""


def write_ismrmrd(path: Path, contrasts: Iterator[KSpace], n_contrasts: int) -> None:
    """Write a series as ISMRMRD; read, phase and slice direction are the axes x, y and z of its grid."""
    import h5py
    from ismrmrd.hdf5 import acquisition_dtype

    first = next(contrasts)
    if first.slices is not None:
        raise InputError(f"{path}: slices are not written as ISMRMRD: write HDF5 or NPZ")
    steps = np.diff(first.read_times)
    if not np.allclose(steps, steps[0], rtol=1e-3):
        raise InputError(f"{path}: ISMRMRD can't hold samples at uneven times: write HDF5 or NPZ")
    n_spokes = first.samples.shape[2]
    if n_spokes > np.iinfo(np.uint16).max:
        raise InputError(f"{path}: ISMRMRD counts at most 65535 spokes, got {n_spokes}: write HDF5 or NPZ")
    acquisitions = []
    with h5py.File(path, "w") as file:
        data = file.create_dataset("dataset/data", (n_contrasts * n_spokes,), acquisition_dtype)
        for index, kspace in enumerate(chain([first], contrasts)):
            acquisitions.append(kspace.acquisitions[0])
            for start in range(0, n_spokes, _ROWS):
                spokes = np.arange(start, min(start + _ROWS, n_spokes))
                rows = _rows(kspace, index, spokes, acquisition_dtype)
                data[index * n_spokes + start : index * n_spokes + start + spokes.size] = rows
        xml = _header(first, tuple(acquisitions))
        file.create_dataset("dataset/xml", data=np.array([xml], object), dtype=h5py.special_dtype(vlen=bytes))


def _header(kspace: KSpace, acquisitions: Sequence[Acquisition]) -> bytes:
    """The header of a series with the grid and trajectory of this k-space."""
    import ismrmrd.xsd

    xsd: Any = ismrmrd.xsd
    z, y, x = kspace.grid.shape
    side_z, side_y, side_x = (n * size for n, size in zip((z, y, x), kspace.grid.voxel_size, strict=True))
    space = xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(x=x, y=y, z=z),
        fieldOfView_mm=xsd.fieldOfViewMm(x=side_x, y=side_y, z=side_z),
    )
    n_spokes = kspace.samples.shape[2]
    limits = xsd.encodingLimitsType(
        kspace_encoding_step_1=xsd.limitType(minimum=0, maximum=n_spokes - 1, center=0),
        contrast=xsd.limitType(minimum=0, maximum=len(acquisitions) - 1, center=0),
    )
    strings = [xsd.userParameterStringType(name=UNITS_KEY, value="1/mm")]
    doubles = [xsd.userParameterDoubleType(name=FIRST_KEY, value=float(kspace.read_times[0]))]
    longs = []
    rows = [to_keys(item) for item in acquisitions]
    for index, row in enumerate(rows):
        for key, value in row.items():
            shared = all(other.get(key) == value for other in rows)
            if shared and index:
                continue
            name = key if shared else f"{key}_{index}"
            if isinstance(value, str):
                strings.append(xsd.userParameterStringType(name=name, value=value))
            elif isinstance(value, bool | int):
                longs.append(xsd.userParameterLongType(name=name, value=int(value)))
            elif isinstance(value, float):
                doubles.append(xsd.userParameterDoubleType(name=name, value=value))
    periods = [item.repetition_time_excitation or item.repetition_time_preparation for item in acquisitions]
    header = xsd.ismrmrdHeader(
        experimentalConditions=xsd.experimentalConditionsType(H1resonanceFrequency_Hz=_PROTON_FREQUENCY),
        acquisitionSystemInformation=xsd.acquisitionSystemInformationType(
            receiverChannels=kspace.samples.shape[1]
        ),
        encoding=[
            xsd.encodingType(
                encodedSpace=space,
                reconSpace=space,
                encodingLimits=limits,
                trajectory=xsd.trajectoryType.OTHER,
            )
        ],
        sequenceParameters=xsd.sequenceParametersType(
            TR=[_MS * (period or 0.0) for period in periods],
            TE=[_MS * (item.echo_time or 0.0) for item in acquisitions],
            flipAngle_deg=[item.flip_angle or 0.0 for item in acquisitions],
        ),
        userParameters=xsd.userParametersType(
            userParameterLong=longs, userParameterDouble=doubles, userParameterString=strings
        ),
    )
    return xsd.ToXML(header).encode()


def _rows(kspace: KSpace, contrast: int, spokes: NDArray[np.intp], kind: np.dtype) -> NDArray[Any]:
    """Acquisitions of these spokes."""
    _, n_coils, _, n_reads = kspace.samples.shape
    rows = np.zeros(spokes.size, kind)
    head = rows["head"]
    head["version"], head["measurement_uid"] = 1, 1
    head["scan_counter"] = contrast * kspace.samples.shape[2] + spokes
    head["number_of_samples"], head["trajectory_dimensions"] = n_reads, 3
    head["available_channels"] = head["active_channels"] = n_coils
    head["sample_time_us"] = np.diff(kspace.read_times)[0] * _TO_MICROSECONDS
    head["idx"]["contrast"], head["idx"]["kspace_encode_step_1"] = contrast, spokes
    ras_to_lps = np.array([-1.0, -1.0, 1.0])
    affine, middle = kspace.grid.affine, (np.array(kspace.grid.shape) - 1) / 2
    head["position"] = ras_to_lps * (affine[:3, :3] @ middle + affine[:3, 3])
    for name, axis in (("read_dir", 2), ("phase_dir", 1), ("slice_dir", 0)):
        head[name] = ras_to_lps * affine[:3, axis] / kspace.grid.voxel_size[axis]
    for row, spoke in zip(rows, spokes, strict=True):
        row["data"] = np.ascontiguousarray(kspace.samples[0, :, spoke]).view(np.float32).ravel()
        row["traj"] = np.ascontiguousarray(kspace.trajectory[spoke, :, ::-1]).ravel()
    return rows
