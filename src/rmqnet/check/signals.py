"""Whether signals follow the flip angles, repetition times and spin-lock times that the sidecars state."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rmqnet.check.content import Said
from rmqnet.check.images import FEWEST_VOXELS, Image, by_method, common_tissue, usual_noise
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.physics.signals import synthesize

N_VOXELS = 2000
"""Voxels of tissue that are looked at, evenly spread: a majority of them is known to 1 %."""
MODEL_ERROR = 0.10
"""Part of the signal by which an ideal model may miss it (fat, flow, magnetization transfer): default."""
MOST_UNEXPLAINED = 0.25
"""Part of the voxels that no T1 may explain: our choice. Right simulated knees have 1 to 4 %, mixtures of images before
and after a contrast agent, or with a fat image, 9 to 67 %."""
MAJORITY = 0.6
"""Part of the voxels that must prefer another order: half of them would by chance. Our choice: of the tissue of right
simulated knees at most 0.36 prefers any other order, and as much of it hides the reverse order."""
MOST_BENT = 0.2
"""Part of its signal by which an image may lie above the straight line between its neighbors in the logarithm: our
choice. Recovery within a fixed repetition time bends by 1 %; a real knee has 13 % beside its first image, whose
preparation is another; T2 preparations among spin-lock images bend by 40 %."""
SHORTEST_PROTOCOL = 0.02
"""Longest spin-lock time [s] of a series below which it can't have been meant for tissues of a knee, whose T1rho is 20
to 100 ms: published protocols reach 40 to 100 ms."""
SHORTEST_DECAY = 0.015
"""Decay time of the whole tissue [s] below which it is no knee's: muscle, cartilage and marrow have 30 to 60 ms."""
RISE = 0.02
"""Rise of the signal with spin-lock time that is believed to be drift of the scanner; the decay itself never rises."""
VFA_NEEDED = 3
"""Images with different flip angles from which on their signals can contradict the angles: two can be explained by
nearly any T1."""
SPIN_LOCK_NEEDED = 2
"""Images with different spin-lock times from which on their signals can contradict the times."""
AFI_RISE = 1.0
"""Brightness of the AFI image with the long repetition time over that with the short one: below 1 by Bloch."""


def check_signals(images: Sequence[Image]) -> Said:
    """What contradicts the stated settings; each series in the order of its contrasts."""
    series = by_method(images)
    if len(series.get("afi", ())) == 2:
        yield from _afi(series["afi"])
    if len(series.get("vfa", ())) >= 2 and _one_grid(series["vfa"]):
        yield from _vfa(series["vfa"])
    for method in ("adiabatic_t1rho", "spin_lock"):
        if len(series.get(method, ())) >= SPIN_LOCK_NEEDED and _one_grid(series[method]):
            yield from _spin_lock(series[method])


def _one_grid(series: Sequence[Image]) -> bool:
    return all(image.grid.shape == series[0].grid.shape for image in series)


def _afi(pair: Sequence[Image]) -> Said:
    short, long = sorted(pair, key=lambda image: image.acquisition.repetition_time_excitation or 0.0)
    if not _one_grid(pair):
        return
    inside = short.tissue | long.tissue
    first, second = (image.finite[inside].astype(np.float64) for image in (short, long))
    ratio = float(second.sum() / max(first.sum(), np.finfo(np.float64).tiny))
    if ratio > AFI_RISE:
        yield (
            "afi_order",
            f"{long.label} is {ratio:.2f} times as bright as {short.label}, but the image with the longer repetition "
            "time must be the darker one: exchange the two image files, and leave their sidecars where they are.",
        )
        return
    n = (long.acquisition.repetition_time_excitation or 0.0) / (
        short.acquisition.repetition_time_excitation or 1.0
    )
    # Yarnykh 2007, MRM 57:192, equation 6
    cosine = (ratio * n - 1) / (n - ratio)
    angle = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    b1 = angle / (short.acquisition.flip_angle or 1.0)
    low, high = QUANTITIES["B1"].plausible
    if not low <= b1 <= high:
        yield (
            "afi_angle",
            f"{short.label} and {long.label} give a mean flip angle of {angle:.0f} degrees, {b1:.2f} times the stated "
            "one: check FlipAngle and the repetition times.",
        )


def _vfa(series: Sequence[Image]) -> Said:
    shown_by_all = np.all([image.tissue for image in series], axis=0)
    noise = usual_noise(series)
    signals = _signals(series, shown_by_all)
    if signals.shape[1] < FEWEST_VOXELS:
        return
    table = _vfa_table(series)
    stated = _misfit(signals, table)
    better: list[tuple[float, float, str]] = []
    for first, second in combinations(range(len(series)), 2):
        order = np.arange(len(series))
        order[[first, second]] = order[[second, first]]
        other = _misfit(signals[order], table)
        share = float((other < stated).mean())
        if share > MAJORITY:
            names = f"{series[first].label} and {series[second].label}"
            better.append((float(np.median(other)), share, names))
    backward = _misfit(signals[::-1], table)
    share = float((backward < stated).mean())
    if share > MAJORITY:
        better.append((float(np.median(backward)), share, "all images, in reverse order,"))
    # two images fit some T1 in either order
    if better and len(series) >= VFA_NEEDED:
        _, share, names = min(better)
        yield (
            "flip_angles",
            f"{share:.0%} of the tissue fits better if {names} are exchanged: check which FlipAngle belongs to which.",
        )
    elif noise is not None:
        # what only some images show counts too: a fat image lacks the water
        shares = [
            _unexplained(some, _misfit(some, table), noise)
            for some in (signals, _signals(series, common_tissue(series)))
        ]
        share = max(shares)
        if share > MOST_UNEXPLAINED:
            yield (
                "flip_angles",
                f"No T1 explains the signals of {', '.join(image.label for image in series)} in {share:.0%} of the "
                "tissue: check FlipAngle and RepetitionTimeExcitation of each.",
            )


def _vfa_table(series: Sequence[Image]) -> NDArray[np.float64]:
    """Normalized signals (T1 and B1, contrast) over all plausible T1 and B1."""
    t1 = np.geomspace(*QUANTITIES["T1"].plausible, 40)
    b1 = np.linspace(0.7, 1.3, 7)
    values = {"M0": 1.0, "T1": np.repeat(t1, b1.size), "B1": np.tile(b1, t1.size)}
    table = synthesize([image.acquisition for image in series], values).T.astype(np.float64)
    return table / np.linalg.norm(table, axis=1, keepdims=True)


def _misfit(signals: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """What remains of each signal (voxel,), relative to it, beside the nearest row of the table."""
    unit = signals / np.linalg.norm(signals, axis=0)
    return np.sqrt(np.clip(1 - (table @ unit).max(axis=0) ** 2, 0, None))


def _unexplained(signals: NDArray[np.float64], misfit: NDArray[np.float64], noise: float) -> float:
    """Part of the signals (contrast, voxel) that is beyond their noise and what the ideal model leaves out."""
    return float((misfit > np.hypot(MODEL_ERROR, 2 * noise / np.linalg.norm(signals, axis=0))).mean())


def _spin_lock(series: Sequence[Image]) -> Said:
    ordered = sorted(series, key=lambda image: image.acquisition.spin_lock_time or 0.0)
    inside = np.any([image.tissue for image in ordered], axis=0)
    if inside.sum() < FEWEST_VOXELS:
        return
    tiny = np.finfo(np.float64).tiny
    total = np.array([max(float(image.finite[inside].sum(dtype=np.float64)), tiny) for image in ordered])
    times = np.array([image.acquisition.spin_lock_time or 0.0 for image in ordered])
    for index in range(1, len(ordered)):
        rise = total[index] / total[index - 1] - 1
        if rise > RISE:
            yield (
                "spin_lock_times",
                f"{ordered[index].label} is {rise:.0%} brighter than {ordered[index - 1].label}, but signal falls with "
                "spin-lock time: check which SpinLockTime belongs to which image.",
            )
            return
    yield from _bent(ordered, times, total)
    yield from _time_scale(ordered, times, total)


def _bent(ordered: Sequence[Image], times: NDArray[np.float64], total: NDArray[np.float64]) -> Said:
    """An image brighter than any sum of decays through its neighbors: the logarithm of such a sum is convex."""
    if len(ordered) < 3 or np.any(np.diff(times) <= 0):
        return
    logs = np.log(total)
    part = (times[1:-1] - times[:-2]) / (times[2:] - times[:-2])
    above = np.expm1(logs[1:-1] - ((1 - part) * logs[:-2] + part * logs[2:]))
    worst = int(above.argmax())
    if above[worst] > MOST_BENT:
        before, image, after = (ordered[worst + k].label for k in range(3))
        yield (
            "spin_lock_times",
            f"{image} is {above[worst]:.0%} brighter than any decay through {before} and {after} can be: images of two "
            "preparations (spin lock and T2) or two scales are mixed, or a SpinLockTime is wrong; keep one series.",
        )


def _time_scale(ordered: Sequence[Image], times: NDArray[np.float64], total: NDArray[np.float64]) -> Said:
    """Times and a decay that are both shorter than those of any knee, as from times cut or read in a wrong unit."""
    span, fall = times[-1] - times[0], float(np.log(total[0] / total[-1]))
    if times[-1] >= SHORTEST_PROTOCOL or span <= 0 or fall <= 0 or span / fall >= SHORTEST_DECAY:
        return
    shown = (times[-1], span / fall)
    longest, decay = (f"{QUANTITIES['T1rho'].display_factor * value:.2g} ms" for value in shown)
    yield (
        "time_scale",
        f"Spin-lock times up to {longest} and a decay time of {decay} are both shorter than those of any knee "
        f"({ordered[0].name} and {len(ordered) - 1} more): check SpinLockTime against the protocol of the scanner.",
    )


def _signals(series: Sequence[Image], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Signals (contrast, voxel) of an even choice of the voxels inside (z, y, x) that have a signal at all."""
    inside = inside & np.any([image.finite > 0 for image in series], axis=0)
    stack = np.stack([image.finite[inside] for image in series]).astype(np.float64)
    return stack[:, :: max(stack.shape[1] // N_VOXELS, 1)]
