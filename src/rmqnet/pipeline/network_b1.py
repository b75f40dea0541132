"""The transmit field of scans without AFI images, as a shipped network predicts it, for the conventional fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Prediction
from rmqnet.domain.scan import Scan
from rmqnet.fit.b1 import smooth
from rmqnet.fit.config import FitConfig
from rmqnet.networks.shipped import shipped_checkpoint, shipped_hash
from rmqnet.pipeline.predict import check_field_strength, choose_shipped
from rmqnet.pipeline.sources import SpinLockSource
from rmqnet.predict.predict import predict

WIDTH = 15.0
"""Width (standard deviation) of the Gaussian that smooths the predicted B1 [mm]: a default, the best of 8, 12, 15 and
20 on the people who choose the model. A network sees one slice at a time; the transmit field knows no slices."""


@dataclass(frozen=True)
class NetworkB1:
    """The network that gives B1 to all subjects of one study."""

    input_set: str

    @property
    def settings(self) -> dict[str, object]:
        """What makes the map: plain values for the provenance record."""
        return {"network": self.input_set, "weights": shipped_hash(self.input_set), "width": WIDTH}

    @property
    def words(self) -> str:
        """What a reader of the maps must know."""
        return (
            f"B1 was not measured but predicted by the network for {self.input_set} and smoothed by a Gaussian of "
            f"{WIDTH:g} mm: its error is in T1, twice as large, and in no standard deviation."
        )

    def of(
        self, study: Path, name: str, scan: Scan, source: SpinLockSource
    ) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """B1 (z, y, x) of a subject on the grid of its VFA images, and why it should be doubted, where it should.

        Raises InputError where B1 was measured, or the network can't be used for the scan.
        """
        if "afi" in scan.series:
            raise InputError("has AFI images, so B1 is measured: leave out --b1-from-network")
        checkpoint = shipped_checkpoint(self.input_set)
        check_field_strength(study, name, source, checkpoint)
        prediction = predict(scan, checkpoint)
        return smoothed_b1(scan, prediction), prediction.flags


def network_for(study: Path, subjects: Sequence[str], config: FitConfig, source: SpinLockSource) -> NetworkB1:
    """The largest shipped network whose images all these subjects have.

    Raises InputError where there is none, or where the options of the fit state another B1.
    """
    if config.assumed_b1 is not None:
        raise InputError("--b1-from-network and --assumed-b1 both say what B1 is: leave one of them out")
    return NetworkB1(choose_shipped(study, subjects, source)[0])


def smoothed_b1(scan: Scan, prediction: Prediction) -> NDArray[np.float32]:
    """B1 (z, y, x) of a prediction, smoothed in three dimensions, voxels weighted by their squared VFA signal."""
    maps = prediction.maps
    weight = scan.get("vfa").magnitudes.astype(np.float64).mean(axis=0) ** 2
    return smooth(maps.values["B1"], weight, maps.grid, WIDTH)
