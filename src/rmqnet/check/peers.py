"""What a subject looks like beside the others of its study: side, orientation, images, settings."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from rmqnet.check.content import Said
from rmqnet.check.findings import NOT_CHECKED
from rmqnet.check.geometry import center
from rmqnet.check.images import Image, box_mean
from rmqnet.check.side import Seen
from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import Grid, resample
from rmqnet.domain.subject import Side, Subject

FEWEST_PEERS = 5
"""Other subjects from which on their mean is a usual knee: its own part of chance is then below a fifth."""
SPACING = 5.0
"""Voxel edge of the picture in which knees are compared [mm]: smaller than a fibula: default."""
N_SPACED = 30
"""Voxels per edge of that picture: 150 mm, the field of view of the paper."""
FINE = 10.0
"""Width (standard deviation) of the blur that is taken off that picture [mm]: half a condyle: default."""
MARGIN = 0.02
"""Gain in correlation that a turned knee must bring: the standard error of a correlation of 0.5 between pictures that
differ in about a thousand independent places."""

Move = tuple[tuple[int, int, int], tuple[int, int, int]]
"""Order of the axes and step along each (1, or -1 for mirrored)."""
STRAIGHT: Move = ((0, 1, 2), (1, 1, 1))
OTHER_SIDE: Move = ((0, 1, 2), (-1, 1, 1))


@dataclass(frozen=True, eq=False)
class Summary:
    """What the checks keep of a subject to compare others with it; small."""

    subject: Subject
    hashes: dict[str, str] = field(default_factory=dict)
    """Name of each image by the hash of its voxels."""
    acquisitions: tuple[Acquisition, ...] = ()
    picture: NDArray[np.float32] | None = None
    """The knee on a coarse grid, as a right one; None without images."""
    seen: Seen = "unknown"
    """What its anatomy alone tells of its side."""


def summarize(images: Sequence[Image], subject: Subject, seen: Seen = "unknown") -> Summary:
    """The summary of a subject; `seen`: what `rmqnet.check.side.side_seen` tells of it."""
    hashes = {hashlib.sha256(image.data.tobytes()).hexdigest(): image.name for image in images}
    picture = _picture(images, subject.side) if images else None
    return Summary(subject, hashes, tuple(image.acquisition for image in images), picture, seen)


def check_peers(own: Summary, others: Sequence[Summary]) -> Said:
    """What is wrong with a subject beside the others of its study."""
    peers = [other for other in others if other.subject.name != own.subject.name]
    yield from _shared(own, peers)
    if len(peers) < FEWEST_PEERS:
        return
    yield from _contrasts(own, peers)
    pictures = _pictures(own, peers)
    if own.picture is not None and len(pictures) >= FEWEST_PEERS:
        yield from _turned(own, own.picture, np.mean(pictures, axis=0))


def not_compared(own: Summary, others: Sequence[Summary]) -> Said:
    """What `check_peers` was not asked about this subject, and what it would need."""
    peers = [other for other in others if other.subject.name != own.subject.name]
    n_peers, n_pictures = len(peers), len(_pictures(own, peers))
    left_out = ["missing images"] if n_peers < FEWEST_PEERS else []
    if n_pictures < FEWEST_PEERS:
        left_out = [*(["side"] if own.seen == "unknown" else []), "orientation", *left_out]
    if left_out:
        yield (
            NOT_CHECKED,
            f"Not checked: {', '.join(left_out)} (they need {FEWEST_PEERS} other subjects that can be read, you have "
            f"{min(n_peers, n_pictures)}).",
        )


def _pictures(own: Summary, peers: Sequence[Summary]) -> list[NDArray[np.float32]]:
    """Pictures of the knees that a subject is held against.

    A mirrored knee of the same person is alike beyond doubt, and a knee whose own anatomy contradicts its side is no
    example of it.
    """
    person = own.subject.person
    return [
        other.picture
        for other in peers
        if other.picture is not None
        and other.seen != "other"
        and (person is None or other.subject.person != person)
    ]


def _shared(own: Summary, peers: Sequence[Summary]) -> Said:
    for other in peers:
        same = sorted(own.hashes.keys() & other.hashes.keys(), key=lambda digest: own.hashes[digest])
        if same:
            name, theirs = own.hashes[same[0]], other.hashes[same[0]]
            more = f" (and {len(same) - 1} more)" if len(same) > 1 else ""
            yield (
                "shared_images",
                f"{name} of sub-{own.subject.name} is the same image as {theirs} of sub-{other.subject.name}{more}: "
                "find out whose it is.",
            )


def _contrasts(own: Summary, peers: Sequence[Summary]) -> Said:
    usual = _usual(peers)
    missing = [item for item in usual if not any(map(item.same_as, own.acquisitions))]
    unusual = [item for item in own.acquisitions if not any(map(item.same_as, usual))]
    if missing:
        names = ", ".join(sorted(f"{item.method} {item.label}" for item in missing))
        stated = (
            ", ".join(sorted(f"{item.method} {item.label}" for item in unusual)) or "nothing in their place"
        )
        yield (
            "contrasts",
            f"sub-{own.subject.name} lacks {names} as most other subjects have it; it has {stated}: check its images "
            "and the settings in their sidecars.",
        )


def _usual(peers: Sequence[Summary]) -> list[Acquisition]:
    """The acquisitions that more than half of the peers have, up to rounding."""
    known: dict[Acquisition, Acquisition] = {}
    for item in dict.fromkeys(item for peer in peers for item in peer.acquisitions):
        known[item] = next((one for one in known.values() if one.same_as(item)), item)
    counts = Counter(one for peer in peers for one in {known[item] for item in peer.acquisitions})
    return [item for item, count in counts.items() if count > len(peers) / 2]


def _turned(own: Summary, picture: NDArray[np.float32], usual: NDArray[np.float32]) -> Said:
    scores = agreement(picture, usual)
    best = max(scores, key=lambda move: scores[move])
    gain = scores[best] - scores[STRAIGHT]
    # what the knee alone tells of its side is surer than what it has in common with others
    if gain < MARGIN or (best == OTHER_SIDE and own.seen != "unknown"):
        return
    name = own.subject.name
    if best == OTHER_SIDE:
        yield (
            "side",
            f"sub-{name} is said to be a {own.subject.side} knee, but mirrored it agrees better with the other knees "
            f"(correlation {scores[best]:.2f}, not {scores[STRAIGHT]:.2f}): check `side` in participants.tsv, or "
            "whether a conversion mirrored the images.",
        )
    else:
        yield (
            "orientation",
            f"sub-{name} agrees better with the other knees when it is turned or mirrored (correlation "
            f"{scores[best]:.2f}, not {scores[STRAIGHT]:.2f}): check the orientation in the headers of its images.",
        )


def agreement(picture: NDArray[np.float32], usual: NDArray[np.float32]) -> dict[Move, float]:
    """Correlation of a knee with the usual one, at its best shift, for each way in which a header can turn it."""
    target = np.conj(np.fft.rfftn(_normal(usual)))
    found: dict[Move, float] = {}
    for axes in permutations(range(3)):
        for steps in product((1, -1), repeat=3):
            turned = np.transpose(picture, axes)[tuple(slice(None, None, step) for step in steps)]
            overlap = np.fft.irfftn(np.fft.rfftn(_normal(turned)) * target, usual.shape, axes=(0, 1, 2))
            found[axes, steps] = float(overlap[_NEAR].max())  # pyright: ignore[reportArgumentType]
    return found


_NEAR = np.ix_(*[[0, 1, 2, 3, -3, -2, -1]] * 3)
"""Shifts of up to 15 mm, by which a knee may lie off the middle of its images."""


def _normal(volume: NDArray[np.float32]) -> NDArray[np.float64]:
    centered = volume.astype(np.float64) - volume.mean(dtype=np.float64)
    return centered / max(float(np.linalg.norm(centered)), np.finfo(np.float64).tiny)


def _picture(images: Sequence[Image], side: Side) -> NDArray[np.float32]:
    """Mean of the images of the first series on a coarse grid of one size around their middle, as a right knee."""
    from scipy.ndimage import gaussian_filter

    first = images[0]
    same = [image.finite for image in images if image.grid.same_as(first.grid)]
    mean = np.stack([values / max(float(values.mean()), 1e-30) for values in same]).mean(axis=0)
    widths = [max(round(SPACING / edge), 1) for edge in first.grid.voxel_size]
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    # the axes of the images, not of the magnet: an oblique scan follows the knee
    axes = first.grid.affine[:3, :3] / np.array(first.grid.voxel_size)
    affine[:3, :3] = SPACING * axes
    affine[:3, 3] = center(first.grid) - affine[:3, :3] @ np.full(3, (N_SPACED - 1) / 2)
    coarse = resample(box_mean(mean, widths), first.grid, Grid((N_SPACED, N_SPACED, N_SPACED), affine))
    picture = np.nan_to_num(coarse, nan=0.0)
    # the outline of a leg is nearly the same from both sides: only what is finer than it tells them apart
    picture -= gaussian_filter(picture, FINE / SPACING)
    return picture[::-1] if side == "left" else picture
