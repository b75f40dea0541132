"""The transmit field of scans without AFI images, as a shipped network predicts it, for the conventional fit."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rmqnet.domain.b1_map import B1Map
from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Prediction
from rmqnet.domain.scan import Scan
from rmqnet.fit.b1 import smooth
from rmqnet.networks.shipped import shipped_checkpoint, shipped_hash, shipped_names
from rmqnet.pipeline.predict import check_field_strength, images_of
from rmqnet.pipeline.sources import SpinLockSource
from rmqnet.predict.choice import choose_network
from rmqnet.predict.predict import predict
from rmqnet.samples.stack import describe

ALGORITHM = "RMQ-Net, smoothed"
"""How predicted B1 was made, for its sidecar."""
WIDTH = 12.0
"""Width (standard deviation) of the Gaussian that smooths the predicted B1 [mm]: a default, about as good as 15 mm and
better than 8 on people who choose the model. A network sees one slice at a time; the transmit field knows no slices."""


@dataclass(frozen=True)
class NetworkB1:
    """The network that gives B1 to one subject."""

    input_set: str

    @property
    def inputs(self) -> dict[str, str]:
        """Hash of its weights, and the smoothing, for the provenance record."""
        return {"network for B1": shipped_hash(self.input_set), "width of B1": f"{WIDTH:g} mm"}

    @property
    def words(self) -> str:
        """What a reader of the maps must know."""
        return (
            f"B1 was not measured but predicted by the network for {self.input_set} and smoothed by a Gaussian of "
            f"{WIDTH:g} mm. That was tried on simulated knees only, and signals that depart from the model of the fit "
            "made it worse than 1 everywhere: compare it with a measured B1 before it is trusted. Its error is in T1 "
            "(twice as large), T1rho (up to one and a half times) and M0, and in no standard deviation."
        )

    def of(
        self, study: Path, name: str, scan: Scan, source: SpinLockSource
    ) -> tuple[B1Map, tuple[str, ...], tuple[str, ...]]:
        """B1 of a subject on the grid of its VFA images, why it should be doubted, and remarks.

        Raises InputError where the network can't be used for the scan.
        """
        checkpoint = shipped_checkpoint(self.input_set)
        check_field_strength(study, name, source, checkpoint)
        found = predict(scan, checkpoint)
        return smoothed_b1(scan, found), found.flags, found.notes


def network_for(study: Path, name: str, source: SpinLockSource) -> NetworkB1 | None:
    """The largest shipped network whose images a subject has; None where B1 was measured.

    Raises InputError where there is no such network.
    """
    images = images_of(study, name, source)
    if any(image.method == "afi" for image in images):
        return None
    networks = {one: shipped_checkpoint(one).acquisitions for one in shipped_names()}
    try:
        return NetworkB1(choose_network(networks, {name: images})[0])
    except InputError as error:
        sets = "; ".join(f"{one}: {describe(needed)}" for one, needed in networks.items())
        raise InputError(
            f"sub-{name} has not all images of any network that predicts B1 ({sets}), acquired as in their training: "
            "add the AFI pair, or state a value with --assumed-b1"
        ) from error


def smoothed_b1(scan: Scan, prediction: Prediction) -> B1Map:
    """B1 of a prediction, smoothed in three dimensions; voxels weigh by their squared VFA signal."""
    maps = prediction.maps
    weight = scan.get("vfa").magnitudes.astype(np.float64).mean(axis=0) ** 2
    return B1Map(smooth(maps.values["B1"], weight, maps.grid, WIDTH), maps.grid, "the network", ALGORITHM)
