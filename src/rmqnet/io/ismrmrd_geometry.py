"""Where the images of an ISMRMRD file lie, and what its read-outs sample: one volume, a stack, or slices."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.io.ismrmrd_header import Header, Size
from rmqnet.io.ismrmrd_readouts import ReadOuts
from rmqnet.io.kspace_grid import Shape

_ORTHONORMAL = 0.01
"""Largest departure of three directions from right angles and length 1 that counts as rounding: default."""
_EVEN = 0.02
"""Largest departure of the places of slices from even steps, in steps: our choice, for rounded numbers."""
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Geometry:
    """The image of one contrast; axes are (read, phase, slice)."""

    shape: Shape
    voxel_size: Size
    affine: NDArray[np.float64]
    """Voxel index (read, phase, slice) to position in mm, RAS+: ISMRMRD counts to the left and posterior."""
    slices: NDArray[np.intp] | None
    """Slice of the grid (spoke,); None where read-outs are three-dimensional."""
    k_slice: NDArray[np.float64] | None
    """Position (spoke,) [1/mm] in k-space along the slice direction, where partitions count it; None: the trajectory
    holds it, or it is 0."""


def check_head(head: Any) -> None:
    """Refuse a head whose numbers can't be those of a scan; names all that is wrong."""
    faults = []
    before, after, n_reads = (
        int(head[name]) for name in ("discard_pre", "discard_post", "number_of_samples")
    )
    if before + after >= n_reads:
        faults.append(f"discards {before} + {after} of {n_reads} samples: write it again")
    if not 0 < float(head["sample_time_us"]) < np.inf:
        faults.append(f"sample_time_us must be positive, got {float(head['sample_time_us']):g}")
    turn = _directions(head)
    if not turn.any():
        faults.append(
            "read_dir, phase_dir and slice_dir are all 0, so that left and right are not known: write the directions "
            "of the scan"
        )
    elif not np.allclose(turn @ turn.T, np.eye(3), atol=_ORTHONORMAL):
        faults.append(
            f"read_dir, phase_dir and slice_dir must be at right angles and of length 1, got {turn.round(3).tolist()}: "
            "write it again"
        )
    if not np.isfinite(head["position"]).all():
        faults.append(f"position must be finite, got {head['position'].tolist()}: write it again")
    if faults:
        raise InputError("; ".join(faults))


def geometry(heads: NDArray[Any], outs: ReadOuts, header: Header, label: str) -> Geometry:
    """The image of a contrast, whose heads were checked.

    Raises:
        InputError: matrix, slices, partitions and dimensions of the trajectory do not go together.
    """
    if header.matrix is None or header.encoded is None:
        raise InputError("its header has no matrix")
    shape, size = header.matrix
    head = heads[outs.rows[0, 0]]
    dimensions = int(head["trajectory_dimensions"])
    slices, parts = np.unique(outs.slices), np.unique(outs.partitions)
    stack = dimensions == 2 and (len(parts) > 1 or header.partitions is not None) and shape[2] > 1
    if len(slices) > 1 and (stack or len(parts) > 1):
        raise InputError(
            f"{label} has {len(slices)} slices and {len(parts)} partitions: write a file or a group for each slab"
        )
    if stack:
        return Geometry(
            shape, size, _affine(head, shape, size, header, False), None, _partitions(outs, header)
        )
    if dimensions == 3 and len(slices) == 1 and shape[2] > 1:
        return Geometry(shape, size, _affine(head, shape, size, header, False), None, None)
    if shape[2] not in (1, len(slices)):
        raise InputError(
            f"the matrix has {shape[2]} voxels along the slices, but {label} has {len(slices)} slices (idx.slice) of "
            f"trajectories with {dimensions} dimensions: correct matrixSize.z, or count partitions in "
            "kspace_encode_step_2"
        )
    return _of_slices(heads, outs, header, slices, label)


def _of_slices(
    heads: NDArray[Any], outs: ReadOuts, header: Header, slices: NDArray[Any], label: str
) -> Geometry:
    assert header.matrix is not None  # noqa: S101  # geometry has looked
    (n_read, n_phase, _), size = header.matrix
    limit = header.slices
    due = range(int(slices[0]), int(slices[-1]) + 1) if limit is None else range(limit.first, limit.last + 1)
    if len(due) != len(slices):
        raise InputError(
            f"{label} has {len(slices)} slices (idx.slice), {due[0]} to {due[-1]} are due: slices are missing, copy "
            "the file again, or correct the limit of slice in its header"
        )
    first = [int(np.flatnonzero(outs.slices == number)[0]) for number in slices]
    places = np.stack([heads["position"][outs.rows[0, spoke]] for spoke in first]).astype(np.float64)
    head = heads[outs.rows[0, first[0]]]
    normal = np.asarray(head["slice_dir"], np.float64)
    along = places @ normal
    order = np.argsort(along, kind="stable")
    step = size[2]
    if len(slices) > 1:
        steps = np.diff(along[order])
        step = float(steps.mean())
        aside = places - places[0] - np.outer(along - along[0], normal)
        if step <= 0 or np.abs(steps - step).max() > _EVEN * step or np.abs(aside).max() > _EVEN * step:
            raise InputError(
                f"position of slices must go on in even steps along slice_dir, got {along[order].round(3).tolist()} "
                "mm: write a file or a group for each slice, or correct position"
            )
    shape, voxel_size = (n_read, n_phase, len(slices)), (size[0], size[1], step)
    rank = np.empty(len(slices), np.intp)
    rank[order] = np.arange(len(slices))
    affine = _affine(head, shape, voxel_size, header, True)
    affine[:3, 3] += _LPS_TO_RAS * ((places[order[0]] + places[order[-1]]) / 2 - head["position"])
    return Geometry(shape, voxel_size, affine, rank[np.searchsorted(slices, outs.slices)], None)


def _partitions(outs: ReadOuts, header: Header) -> NDArray[np.float64]:
    assert header.encoded is not None  # noqa: S101  # geometry has looked
    (_, _, n), (_, _, thick) = header.encoded
    center = n // 2 if header.partitions is None else header.partitions.center
    return (outs.partitions - center) / (n * thick)


def _directions(head: Any) -> NDArray[np.float64]:
    return np.stack([head[name] for name in ("read_dir", "phase_dir", "slice_dir")]).astype(np.float64)


def _affine(head: Any, shape: Shape, size: Size, header: Header, in_slices: bool) -> NDArray[np.float64]:
    """The affine of a grid whose middle, or voxel n // 2, lies at the position of this acquisition."""
    affine = np.eye(4)
    affine[:3, :3] = (_LPS_TO_RAS * _directions(head)).T * np.asarray(size)
    middle = (np.array(shape) - 1) / 2
    if header.center == "voxel":
        middle[: 2 if in_slices else 3] = (np.array(shape) // 2)[: 2 if in_slices else 3]
    affine[:3, 3] = _LPS_TO_RAS * head["position"] - affine[:3, :3] @ middle
    return affine
