"""A simulated study on disk: images, truth and reference of every subject."""

from pathlib import Path

from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.io.bids import write_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.bids_labels import write_fraction, write_segmentation
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.participants import write_participants
from rmqnet.io.store import StageOutput, make_provenance, open_stage
from rmqnet.pipeline.layout import REFERENCE, TRUTH, reference_folder, truth_folder
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.references import readers_labels
from rmqnet.simulate.cohort import plan_cohort
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.simulate import Simulated, simulate_subject

READMES = {
    "raw": "Simulated knees: no person was scanned. Made by `rmqnet simulate`; the settings stand in provenance.json.",
    TRUTH: "What was simulated: the maps and labels behind the images of the study, without noise. In a voxel of "
    "several tissues the value is that of the tissue that fills most of it.",
    REFERENCE: "Reference maps, fitted from all images of the study with their noise (as in the paper), and the "
    "labels of the true tissues in the place of a reader's drawing.",
}


def simulate_study(root: Path, config: SimulateConfig, reporter: Reporter) -> None:
    """Write the study into `root`; subjects that are complete are not made again."""
    raw = open_stage(root, make_provenance("simulate", config, seed=config.seed))
    truth = open_stage(truth_folder(root), make_provenance(TRUTH, config, seed=config.seed))
    reference_config = {"simulate": config, "fit": FitConfig()}
    reference = open_stage(
        reference_folder(root), make_provenance(REFERENCE, reference_config, seed=config.seed)
    )
    subjects = plan_cohort(config)
    for output, name in ((raw, "raw"), (truth, TRUTH), (reference, REFERENCE)):
        title = "rmqnet simulated knees" + ("" if name == "raw" else f", {name}")
        write_dataset_description(
            output.root, name=title, derivative=name != "raw", readme=READMES[name], simulated=True
        )
    write_participants(root / "participants.tsv", subjects)
    for index, subject in enumerate(subjects):
        reporter.progress("simulating", index, len(subjects))
        if not (raw.done(subject.name) and truth.done(subject.name) and reference.done(subject.name)):
            _write_subject(simulate_subject(config, index), raw, truth, reference)
    reporter.progress("simulating", len(subjects), len(subjects))


def _write_subject(
    simulated: Simulated, raw: StageOutput, truth: StageOutput, reference: StageOutput
) -> None:
    subject = simulated.scan.subject
    if not truth.done(subject.name):
        with truth.subject(subject.name) as folder:
            write_maps(
                folder, simulated.truth, subject, desc=TRUTH, sidecar={"SignalToNoiseRatio": simulated.snr}
            )
            write_segmentation(folder, simulated.labels, subject, desc=TRUTH)
            write_fraction(folder, simulated.cartilage_fraction, simulated.labels.grid, subject, desc=TRUTH)
    if not reference.done(subject.name):
        notes: list[str] = []
        maps = fit(simulated.scan, FitConfig(), notes=notes)
        with reference.subject(subject.name) as folder:
            write_maps(folder, maps, subject, desc=REFERENCE, sidecar={"EstimationNotes": notes})
            write_segmentation(folder, readers_labels(simulated.labels), subject, desc=REFERENCE)
    if not raw.done(subject.name):
        with raw.subject(subject.name) as folder:
            write_scan(folder, simulated.scan)
