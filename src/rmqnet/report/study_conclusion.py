"""Which of the networks' numbers come from the images and which from what is usual: plain sentences from the slopes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

POSITION_ONLY = "position only"
"""Label of the method that knows the place in the region and no image."""
TRUTH_ITSELF = "truth"
"""Label of the method that knows what was simulated."""
MEASURED, GUESSED = 0.8, 0.3
"""Slopes from which a number is said to come from the images, and below which from the prior: defaults."""
_SHARES = (
    ("From the data", f"slope at least {MEASURED:g}"),
    ("From both", f"slope {GUESSED:g} to {MEASURED:g}"),
    ("From the prior, what is usual in the training", f"slope below {GUESSED:g}"),
)


def conclusions(responses: pd.DataFrame, networks: Sequence[str]) -> list[str]:
    """What the slopes of the networks say, per input set and map: a sentence for each of three kinds that there is."""
    own = responses.loc[(responses["metric"] == "slope") & responses["input_set"].isin(networks)]
    told: dict[int, list[str]] = {}
    for row in own.to_dict("records"):
        slope = float(row["value"])
        if np.isfinite(slope):
            kind = 0 if slope >= MEASURED else 1 if slope >= GUESSED else 2
            told.setdefault(kind, []).append(f"{row['quantity']} of {row['input_set']} ({slope:.2f})")
    return [f"{_SHARES[kind][0]} ({_SHARES[kind][1]}): {', '.join(told[kind])}." for kind in sorted(told)]


def position_sentence(correlations: Mapping[str, float]) -> str:
    """How far a guess from the place alone comes, by its voxel r of each map; "" where it has none."""
    known = _known(correlations)
    if not known:
        return ""
    return (
        f"Position only, which looks at no image, reaches a voxel r of {known}: that much of a "
        "network's correlation shows no measurement."
    )


def truth_sentence(correlations: Mapping[str, float]) -> str:
    """How near the reference the truth itself is, by its voxel r of each map; "" where it has none."""
    known = _known(correlations)
    if not known:
        return ""
    return (
        f"The truth itself has a voxel r of {known} with the reference, which is a fit of noisy images "
        "whose voxels hold several tissues. A higher voxel r is agreement with that noise and mixture, which only the "
        "images of the fit can tell: it falls with every image that is left out, whatever is learned."
    )


def _known(correlations: Mapping[str, float]) -> str:
    """The values that there are, each with its map."""
    return " and ".join(f"{value:.2f} ({name})" for name, value in correlations.items() if np.isfinite(value))
