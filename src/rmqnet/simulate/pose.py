"""How a segmented knee is turned: the rotation that lays a usual knee over it."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Pair = tuple[Points, Points]

_MOST_POINTS = 1200
"""Points that stand for a part: default."""
_CLOSE = (1.0, 0.8)
"""Part of the points, the closest ones, that steps look at, first and then; others have no counterpart: default."""
_STEPS = 100
"""Most steps with each of these: default."""
_SETTLED = 5e-5
"""Change of the rotation [radian] at which it is taken as found: default."""


def turn(parts: list[Pair], ratio: float, start: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 3 x 3 rotation that lays a usual knee, made larger by a ratio, over one's own.

    Every point of one's own knee is drawn to the closest point of the same part of the usual knee, step by step
    (iterative closest points, Besl and McKay 1992, IEEE TPAMI 14:239; trimmed as by Chetverikov 2005, Image Vision
    Comput 23:299). What the usual knee has beyond the end of one's own doesn't matter.

    Args:
        parts: points (point, 3) of each part of one's own knee and of the usual one [mm]; parts weigh the same.
        ratio: size of one's own knee relative to the usual one.
        start: the rotation as far as it is known.
    """
    from scipy.spatial import KDTree

    own = [_fewer(points) for points, _ in parts]
    usual = [ratio * points for _, points in parts]
    trees = [KDTree(points) for points in usual]
    rotation = start
    # cartilage comes whole more often than bone, and first
    shift = own[0].mean(axis=0) - rotation @ usual[0].mean(axis=0)
    for part in _CLOSE:
        for _ in range(_STEPS):
            pairs: list[Pair] = []
            for points, tree, counterpart in zip(own, trees, usual, strict=True):
                distance, index = tree.query((points - shift) @ rotation)
                close = distance <= np.quantile(distance, part)
                pairs.append((points[close], counterpart[np.asarray(index)[close]]))
            before = rotation
            rotation, shift = _rigid(pairs)
            if np.abs(rotation - before).max() < _SETTLED:
                break
    return rotation


def _fewer(points: Points) -> Points:
    """At most so many points, spread evenly over the part."""
    return points[:: -(-len(points) // _MOST_POINTS)]


def _rigid(pairs: list[Pair]) -> tuple[NDArray[np.float64], Points]:
    """Rotation and translation that move the second points of all pairs best onto the first (Kabsch 1976)."""
    weights = np.concatenate([np.full(len(first), 1 / len(first)) for first, _ in pairs]) / len(pairs)
    first, second = (np.concatenate([pair[k] for pair in pairs]) for k in (0, 1))
    centers = weights @ first, weights @ second
    u, _, v = np.linalg.svd((weights[:, None] * (first - centers[0])).T @ (second - centers[1]))
    rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
    return rotation, centers[0] - rotation @ centers[1]
