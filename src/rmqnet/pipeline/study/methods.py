"""Ways from a scan to maps and regions: networks, the conventional fit, and predictions that look at no image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import MapSet, Prediction, Reason
from rmqnet.domain.protocols import FULL, InputSet, input_set
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.io.store import hash_file
from rmqnet.networks.checkpoint import Checkpoint
from rmqnet.networks.history import beginning
from rmqnet.pipeline.network_b1 import WIDTH, smoothed_b1
from rmqnet.pipeline.study.people import Person
from rmqnet.predict.predict import predict
from rmqnet.predict.prior import Prior, predict_population, predict_position
from rmqnet.report.study_conclusion import TRUTH_ITSELF
from rmqnet.samples.scaling import intensity_scale
from rmqnet.samples.stack import stack_inputs

ASSUMED_B1 = 1.0
"""What a fit without AFI images takes for B1."""
CONVENTIONAL: Mapping[str, FitConfig] = {
    "4FA+7TSL": FitConfig(assumed_b1=ASSUMED_B1),
    "2FA+3TSL": FitConfig(assumed_b1=ASSUMED_B1, joint=True),
    "1FA+2TSL": FitConfig(assumed_b1=ASSUMED_B1, joint=True),
    "4FA+7TSL+AFI": FitConfig(),
}
"""Conventional fits by input set. Few images are fitted jointly, with one M0, which is the best that a fit can do."""
PREDICTED_B1 = ("4FA+7TSL", "2FA+3TSL")
"""Input sets without AFI images whose flip angles measure T1 once B1 is known, which a network predicts."""
NOT_FITTED: Mapping[str, str] = {
    "1FA+1TSL": "not possible: two signals can't determine M0, T1 and T1rho, even with B1 taken as 1",
}
"""Input sets that no voxel-wise fit can use, and why."""


@dataclass(frozen=True, eq=False)
class Method:
    """One way to predict, under the label that stands in the scores."""

    label: str
    what: str
    """What it is, for a table."""
    inputs: str
    """Input set, or "" where no image is looked at."""
    settings: object
    """What makes it: plain values for the provenance record."""
    predict: Callable[[Person], Prediction]
    maps: bool = True
    """False where it gives no maps worth scoring."""
    segmentation: bool = True
    """False where it is told the regions."""
    budget: str = ""
    """How it was trained, for a table."""


def network_method(
    label: str,
    path: Path,
    checkpoint: Checkpoint,
    what: str = "",
    *,
    maps: bool = True,
    segmentation: bool = True,
) -> Method:
    """A trained network, loaded from `path`; one without regions worth scoring is given those of the reader."""

    def run(person: Person) -> Prediction:
        prediction = predict(person.scan, checkpoint)
        return prediction if segmentation else replace(prediction, segmentation=person.regions)

    settings = {"checkpoint": hash_file(path), "segmentation": segmentation}
    return Method(
        label,
        what or "network",
        checkpoint.inputs.name,
        settings,
        run,
        maps,
        segmentation,
        budget_of(checkpoint),
    )


def budget_of(checkpoint: Checkpoint) -> str:
    """How a network was trained, in words, as far as its record tells."""
    config, record = checkpoint.training.get("config"), checkpoint.training
    if not isinstance(config, dict):
        return "not recorded"
    crop = config.get("crop")
    size = f"crop {crop}" if crop else "whole slices"
    text = f"{config.get('epochs')} epochs, {record.get('n_train_slices', '?')} slices, {size}"
    start = beginning(record)
    return f"{text}, started from {start}" if start else text


def fit_method(inputs_name: str) -> Method:
    """The conventional voxel-wise fit of the images of an input set, told the reader's regions.

    Raises InputError where the images can't determine the maps.
    """
    if inputs_name not in CONVENTIONAL:
        raise InputError(f"{inputs_name}: {NOT_FITTED.get(inputs_name, 'no conventional fit is known')}")
    config, inputs = CONVENTIONAL[inputs_name], input_set(inputs_name)

    def run(person: Person) -> Prediction:
        # the reference is this very fit
        maps = person.reference if inputs == FULL else fit(only(person.scan, inputs), config)
        return Prediction(with_b1(maps), person.regions)

    joint = "VFA and T1rho fitted jointly" if config.joint else "T1, then T1rho"
    b1 = "B1 measured" if inputs.afi else "B1 taken as 1"
    return Method(
        f"{inputs_name}, fit",
        f"Levenberg-Marquardt, {joint}, {b1}",
        inputs_name,
        {"fit": config, "input_set": inputs_name},
        run,
        segmentation=False,
    )


def predicted_b1_method(path: Path, checkpoint: Checkpoint) -> Method:
    """The conventional fit of the images of a network with the B1 that it predicts, told the reader's regions."""
    inputs = checkpoint.inputs
    config = replace(CONVENTIONAL[inputs.name], assumed_b1=None)

    def run(person: Person) -> Prediction:
        scan = only(person.scan, inputs)
        b1 = smoothed_b1(scan, predict(scan, checkpoint))
        return Prediction(fit(scan, config, b1=b1), person.regions)

    joint = "VFA and T1rho fitted jointly" if config.joint else "T1, then T1rho"
    settings = {
        "fit": config,
        "input_set": inputs.name,
        "b1": {"checkpoint": hash_file(path), "width": WIDTH},
    }
    return Method(
        f"{inputs.name}, fit, predicted B1",
        f"Levenberg-Marquardt, {joint}, B1 predicted by the network for {inputs.name} and smoothed by {WIDTH:g} mm",
        inputs.name,
        settings,
        run,
        segmentation=False,
    )


def only(scan: Scan, inputs: InputSet) -> Scan:
    """The scan with the images of the input set and no others."""
    wanted = stack_inputs(scan, inputs).acquisitions
    series = {}
    for method, whole in scan.series.items():
        own = [index for index, one in enumerate(whole.acquisitions) if one in wanted]
        if own:
            kept = tuple(whole.acquisitions[index] for index in own)
            series[method] = ImageSeries(whole.data[own], kept, whole.grid)
    return replace(scan, series=series)


def with_b1(maps: MapSet) -> MapSet:
    """The maps with B1 as it was taken, where it was not measured."""
    if "B1" in maps.values:
        return maps
    shape = maps.grid.shape
    values = {**maps.values, "B1": np.full(shape, ASSUMED_B1, np.float32)}
    return replace(maps, values=values, reason={**maps.reason, "B1": np.full(shape, Reason.VALID, np.uint8)})


def truth_method() -> Method:
    """The simulated truth, told the reader's regions: how near the reference a method without any error comes."""

    def run(person: Person) -> Prediction:
        if person.truth is None:
            raise InputError(f"sub-{person.subject.name}: its truth is not known: test on simulated people")
        return Prediction(person.truth, person.regions)

    return Method(TRUTH_ITSELF, "what was simulated, which no method knows", "", {}, run, segmentation=False)


def prior_methods(prior: Prior, settings: object) -> Sequence[Method]:
    """Predictions without images, told the reader's regions: population mean and position only."""

    def intensity(person: Person) -> float:
        return intensity_scale(stack_inputs(person.scan, input_set("4FA+7TSL")))

    def population(person: Person) -> Prediction:
        maps = predict_population(prior, person.reference.grid, intensity(person))
        return Prediction(maps, person.regions)

    def position(person: Person) -> Prediction:
        maps = predict_position(prior, person.regions, person.subject.side, intensity(person))
        return Prediction(maps, person.regions)

    people = f"of {prior.n_people} training people"
    return (
        Method("population mean", f"mean {people}", "", settings, population, segmentation=False),
        Method(
            "position only",
            f"mean {people} at the place in the region",
            "",
            settings,
            position,
            segmentation=False,
        ),
    )
