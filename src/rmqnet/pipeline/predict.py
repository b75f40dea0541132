"""Predictions for a study: maps and regions of every wanted subject by a trained network."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rmqnet.domain.maps import Prediction
from rmqnet.domain.provenance import Provenance
from rmqnet.domain.scan import Scan
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.bids_labels import write_segmentation
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.store import check_stage, hash_file, make_provenance, open_stage
from rmqnet.networks.checkpoint import Checkpoint, load_checkpoint
from rmqnet.pipeline.layout import FIGURES, PREDICTED, chosen_subjects, is_simulated
from rmqnet.pipeline.progress import Reporter
from rmqnet.predict.predict import predict
from rmqnet.report.knee import Knee
from rmqnet.report.knee_page import write_knee_page


def predict_study(
    study: Path, out: Path, checkpoint_path: Path, reporter: Reporter, *, subjects: Sequence[str] = ()
) -> None:
    """Write maps and regions of the subjects (default: all) into `out`; complete subjects are not repeated."""
    checkpoint = load_checkpoint(checkpoint_path)
    names = chosen_subjects(study, subjects)
    settings = {"input_set": checkpoint.inputs.name, "trained_on": learned_from(checkpoint.training)}
    weights = {"checkpoint": hash_file(checkpoint_path)}
    for index, name in enumerate(names):
        reporter.progress("predicting", index, len(names))
        provenance = make_provenance(
            "predict", settings, inputs={**weights, f"sub-{name}": hash_scan(study, name)}
        )
        if (out / f"sub-{name}").is_dir():
            check_stage(out, provenance)
            continue
        check_stage(out, provenance)
        # read and predict first: a scan that does not fit the network leaves no output folder behind
        scan = load_scan(study, name)
        prediction = predict(scan, checkpoint)
        output = open_stage(out, provenance)
        write_dataset_description(
            out,
            name=f"rmqnet predicted maps, {checkpoint.inputs.name}",
            derivative=True,
            readme="Quantity maps and regions predicted by `rmqnet predict`. Research use only.",
        )
        with output.subject(name) as folder:
            sidecar = {"EstimationAlgorithm": "RMQ-Net", "InputSet": checkpoint.inputs.name}
            write_maps(folder, prediction.maps, scan.subject, desc=PREDICTED, sidecar=sidecar)
            write_segmentation(folder, prediction.segmentation, scan.subject, desc=PREDICTED)
            knee = _knee(scan, prediction, checkpoint, provenance, simulated=is_simulated(study))
            write_knee_page(folder / FIGURES, knee)
    reporter.progress("predicting", len(names), len(names))


def _knee(
    scan: Scan, prediction: Prediction, checkpoint: Checkpoint, provenance: Provenance, *, simulated: bool
) -> Knee:
    """What the page of a predicted knee shows."""
    inputs = checkpoint.inputs
    origin = (
        f"Maps and regions predicted by RMQ-Net from {len(inputs.acquisitions)} images ({inputs.name}, "
        f"{inputs.seconds() / 60:.1f} minutes); all images of the scan are shown, and curves computed from the "
        "predicted values."
    )
    return Knee(
        scan,
        prediction.maps,
        origin,
        prediction.segmentation,
        "Regions: predicted by the network, not drawn.",
        simulated=simulated,
        provenance=provenance,
    )


def learned_from(training: Mapping[str, object]) -> list[str] | None:
    """Hashes of the scans that a network was trained or chosen with; None where its record does not say."""
    scans = training.get("scans")
    return sorted(str(value) for value in scans.values()) if isinstance(scans, dict) else None
