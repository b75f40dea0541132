"""One subject as one input set sees it: prediction beside reference and truth."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import MapSet, Prediction, Segmentation
from rmqnet.domain.scores import Against
from rmqnet.domain.subject import Subject
from rmqnet.evaluate.config import PURE_CARTILAGE, PURE_FRACTION


@dataclass(frozen=True)
class PairedVoxels:
    """Voxels of a region where target and prediction both have a value."""

    slice_index: NDArray[np.int64]
    """Sagittal slice of each voxel."""
    target: NDArray[np.float64]
    """Reference or truth [house unit]."""
    prediction: NDArray[np.float64]
    """Prediction [house unit]."""


@dataclass(frozen=True, eq=False)
class Case:
    """Everything that is compared for one subject and one input set; all arrays lie on one grid."""

    subject: Subject
    input_set: str
    """What the maps were made from, for example "1FA+1TSL"."""
    prediction: Prediction
    reference: MapSet
    """Maps fitted from the full data."""
    reference_segmentation: Segmentation
    """Labels of the reader."""
    truth: MapSet | None = None
    """What was simulated; None for a real person."""
    truth_segmentation: Segmentation | None = None
    """Labels that were simulated; None for a real person."""
    cartilage_fraction: NDArray[np.float32] | None = None
    """Part of each voxel (z, y, x) that is cartilage; None where unknown."""
    _index: dict[tuple[str, str], NDArray[np.int64]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse maps and labels that do not lie on one grid."""
        grid = self.reference.grid
        parts = (
            self.prediction.maps,
            self.prediction.segmentation,
            self.reference_segmentation,
            self.truth,
            self.truth_segmentation,
        )
        if any(part is not None and not part.grid.same_as(grid) for part in parts):
            raise InputError(
                f"prediction, reference and truth of sub-{self.subject.name} ({self.input_set}) must lie on "
                "one grid: predict and fit from the same images"
            )
        if (self.truth is None) != (self.truth_segmentation is None):
            raise InputError(f"sub-{self.subject.name} must have both truth maps and truth labels, or none")

    def target(self, against: Against) -> MapSet:
        """The maps to compare with; InputError where there is no truth."""
        maps = self.reference if against == "reference" else self.truth
        if maps is None:
            raise InputError(f"sub-{self.subject.name} has no truth: only simulated subjects have one")
        return maps

    def segmentation(self, of: Against | str) -> Segmentation:
        """Labels of the "reference" (the reader), the "truth" or the "prediction"."""
        if of == "prediction":
            return self.prediction.segmentation
        labels = self.reference_segmentation if of == "reference" else self.truth_segmentation
        if labels is None:
            raise InputError(f"sub-{self.subject.name} has no truth: only simulated subjects have one")
        return labels

    def voxels(self, of: Against | str, region: str) -> NDArray[np.int64]:
        """Flat indices of the voxels of a region in the labels of the reference, truth or prediction."""
        key = (of, region)
        if key not in self._index:
            pure = region == PURE_CARTILAGE
            index = np.flatnonzero(self.segmentation(of).mask("cartilage" if pure else region))
            if pure:
                if self.cartilage_fraction is None:
                    raise InputError(f"sub-{self.subject.name} has no cartilage fraction for {region}")
                index = index[self.cartilage_fraction.ravel()[index] >= PURE_FRACTION]
            self._index[key] = index
        return self._index[key]

    def paired_voxels(
        self, quantity: str, region: str, against: Against, usable: NDArray[np.bool_] | None = None
    ) -> PairedVoxels:
        """Voxels of the target's own region where target and prediction are finite.

        Args:
            quantity: key of the quantity.
            region: tissue, union of tissues or "pure_cartilage".
            against: whose maps and labels to compare with.
            usable: True (z, y, x) where every input set has a value, so that all are judged on the same voxels.
        """
        index = self.voxels(against, region)
        target = self.target(against).values[quantity].ravel()[index].astype(np.float64)
        prediction = self.prediction.maps.values[quantity].ravel()[index].astype(np.float64)
        keep = np.isfinite(target) & np.isfinite(prediction)
        if usable is not None:
            keep &= usable.ravel()[index]
        return PairedVoxels(self._slices(index)[keep], target[keep], prediction[keep])

    def roi_means(
        self, quantity: str, region: str, minimum: int, usable: NDArray[np.bool_] | None = None
    ) -> pd.DataFrame:
        """Means of a region per slice [house unit], one row per slice that any mask touches.

        Columns: slice; `reference` (reader's mask), `predicted_own_mask`, `predicted_reader_mask`, and for
        simulated subjects `truth` (truth's mask) and `predicted_truth_mask`; the size of each mask and of its
        part with a value. A mean over fewer than `minimum` values is NaN. Masks of the reader and of the
        truth use only `usable` voxels, the predicted mask all voxels with a value.
        """
        predicted = self.prediction.maps.values[quantity].ravel()
        own = self.voxels("prediction", region)
        reader = self.voxels("reference", region)
        fitted = self.reference.values[quantity].ravel()[reader].astype(np.float64)
        common = np.isfinite(fitted) & self._usable(predicted, reader, usable)
        columns = {
            "n_reader": self._count(reader),
            "n_predicted": self._count(own),
            **self._mean("reference", "n_reader_valid", reader[common], fitted[common], minimum),
        }
        inside = predicted[own].astype(np.float64)
        known = np.isfinite(inside)
        columns |= self._mean("predicted_own_mask", "n_predicted_valid", own[known], inside[known], minimum)
        columns |= self._mean(
            "predicted_reader_mask", None, reader[common], predicted[reader[common]], minimum
        )
        if self.truth is not None:
            index = self.voxels("truth", region)
            truth = self.truth.values[quantity].ravel()[index].astype(np.float64)
            common = np.isfinite(truth) & self._usable(predicted, index, usable)
            columns |= {"n_truth": self._count(index)}
            columns |= self._mean("truth", "n_truth_valid", index[common], truth[common], minimum)
            columns |= self._mean(
                "predicted_truth_mask", None, index[common], predicted[index[common]], minimum
            )
        table = pd.DataFrame(columns)
        touched = table[[name for name in ("n_reader", "n_predicted", "n_truth") if name in table]].any(
            axis=1
        )
        table.insert(0, "slice", np.arange(len(table)))
        return table.loc[touched].reset_index(drop=True)

    def _slices(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        return index // (self.reference.grid.shape[1] * self.reference.grid.shape[2])

    def _count(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(self._slices(index), minlength=self.reference.grid.shape[0])

    def _usable(
        self, predicted: NDArray[np.float32], index: NDArray[np.int64], usable: NDArray[np.bool_] | None
    ) -> NDArray[np.bool_]:
        known = np.isfinite(predicted[index])
        return known if usable is None else known & usable.ravel()[index]

    def _mean(
        self, name: str, count: str | None, index: NDArray[np.int64], values: NDArray, minimum: int
    ) -> dict[str, NDArray]:
        size = self._count(index)
        total = np.bincount(self._slices(index), weights=values, minlength=len(size))
        mean = np.where(size >= minimum, total / np.maximum(size, 1), np.nan)
        return {name: mean} | ({count: size} if count else {})
