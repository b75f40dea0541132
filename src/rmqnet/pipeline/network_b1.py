"""The transmit field of scans without AFI images, as the shipped networks predict it, for the conventional fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.scan import Scan
from rmqnet.fit.b1 import smooth
from rmqnet.networks.shipped import shipped_checkpoint, shipped_hash, shipped_names
from rmqnet.pipeline.predict import check_field_strength, images_of
from rmqnet.pipeline.sources import SpinLockSource
from rmqnet.predict.choice import usable_networks
from rmqnet.predict.predict import predict
from rmqnet.samples.stack import describe

WIDTH = 12.0
"""Width (standard deviation) of the Gaussian that smooths the predicted B1 [mm]: a default, the best of 8, 12 and 15
mm on the people who choose the model. A network sees one slice at a time; the transmit field knows no slices."""


@dataclass(frozen=True)
class NetworkB1:
    """The networks whose mean gives B1 to one subject: each errs in its own way."""

    input_sets: tuple[str, ...]
    """Their input sets, most images first."""

    @property
    def inputs(self) -> dict[str, str]:
        """Hashes of their weights by name, and the smoothing, for the provenance record."""
        hashes = {f"network for {name}": shipped_hash(name) for name in self.input_sets}
        return {**hashes, "width of B1": f"{WIDTH:g} mm"}

    @property
    def words(self) -> str:
        """What a reader of the maps must know."""
        many = "networks" if len(self.input_sets) > 1 else "network"
        return (
            f"B1 was not measured but predicted by the {many} for {', '.join(self.input_sets)} and smoothed by a "
            f"Gaussian of {WIDTH:g} mm, which was tried on simulated knees only. Its error is in T1 (twice as large), "
            "T1rho (up to one and a half times) and M0, and in no standard deviation."
        )

    def of(
        self, study: Path, name: str, scan: Scan, source: SpinLockSource
    ) -> tuple[NDArray[np.float32], tuple[str, ...], tuple[str, ...]]:
        """B1 (z, y, x) of a subject on the grid of its VFA images, why it should be doubted, and remarks.

        Raises InputError where a network can't be used for the scan.
        """
        found = []
        for input_set in self.input_sets:
            checkpoint = shipped_checkpoint(input_set)
            check_field_strength(study, name, source, checkpoint)
            found.append(predict(scan, checkpoint))
        b1 = mean_b1(scan, [one.maps.values["B1"] for one in found])
        # what is odd about a scan is told once, by the network that looks at most of it
        return b1, found[0].flags, found[0].notes


def networks_for(study: Path, name: str, source: SpinLockSource) -> NetworkB1 | None:
    """All shipped networks whose images a subject has; None where B1 was measured.

    Raises InputError where there is no such network.
    """
    images = images_of(study, name, source)
    if any(image.method == "afi" for image in images):
        return None
    networks = {one: shipped_checkpoint(one).acquisitions for one in shipped_names()}
    try:
        return NetworkB1(usable_networks(networks, {name: images}))
    except InputError as error:
        sets = "; ".join(f"{one}: {describe(images)}" for one, images in networks.items())
        raise InputError(
            f"sub-{name} has not all images of any network that predicts B1 ({sets}), acquired as in their training: "
            "add the AFI pair, or state a value with --assumed-b1"
        ) from error


def mean_b1(scan: Scan, predicted: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Mean of predicted B1 maps (z, y, x), smoothed in three dimensions; voxels weigh by their squared VFA signal."""
    series = scan.get("vfa")
    weight = series.magnitudes.astype(np.float64).mean(axis=0) ** 2
    return smooth(np.mean(predicted, axis=0), weight, series.grid, WIDTH)
