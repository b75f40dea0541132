"""The means of the training people, learned once and kept."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.protocols import input_set
from rmqnet.domain.quantities import REGRESSION_ORDER
from rmqnet.domain.subject import Side, Subject
from rmqnet.io.bids import load_scan
from rmqnet.io.store import hash_file, make_provenance, open_stage
from rmqnet.io.text import read_json, write_json
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.references import load_reference
from rmqnet.predict.prior import Prior, learn_prior
from rmqnet.samples.scaling import intensity_scale
from rmqnet.samples.stack import stack_inputs


def study_prior(
    study: Path, out: Path, people: Sequence[Subject], settings: object, reporter: Reporter
) -> tuple[Prior, str]:
    """Means of these people of a study, and the hash of their file in `out`; learned where they are not there yet.

    `settings` are what made the study.
    """
    record = {"people": [one.name for one in people], "study": settings}
    output = open_stage(out, make_provenance("study-prior", record))
    path = out / "prior.json"
    if not path.is_file():
        prior = learn_prior(_people(study, people, reporter), REGRESSION_ORDER)
        record = asdict(prior) | {
            "position": {name: table.tolist() for name, table in prior.position.items()}
        }
        with output.file(path.name) as file:
            write_json(file, record)
    record = read_json(path)
    position = {name: np.array(table) for name, table in record["position"].items()}
    return Prior(record["population"], position, record["n_people"]), hash_file(path)


def _people(
    study: Path, people: Sequence[Subject], reporter: Reporter
) -> Iterator[tuple[MapSet, Segmentation, Side, float]]:
    for index, one in enumerate(people):
        reporter.progress("means of the training people", index, len(people))
        maps, regions = load_reference(study, one.name)
        intensity = intensity_scale(stack_inputs(load_scan(study, one.name), input_set("4FA+7TSL")))
        yield maps, regions, one.side, intensity
    reporter.progress("means of the training people", len(people), len(people))
