"""The commands of `rmqnet`: one dataclass each, whose fields are its options. Stages are imported when they run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional, arg, subcommand

from rmqnet.cli.arguments import (
    B1,
    B1Arguments,
    InputSetName,
    Out,
    SpinLock,
    SpinLockArguments,
    Study,
    Subjects,
    Threads,
)
from rmqnet.cli.check_commands import Check, Doctor
from rmqnet.cli.image_commands import Import, Reconstruct, Register, Simulate
from rmqnet.cli.progress import Terminal
from rmqnet.cli.run_commands import Run
from rmqnet.cli.study_commands import RepeatStudy
from rmqnet.design.config import DesignConfig
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.fit.config import FitConfig
from rmqnet.train.config import Targets, TrainConfig


@dataclass(frozen=True)
class Fit:
    """Fit M0, T1, B1 and T1rho maps of a study voxel by voxel, as far as its images allow."""

    study: Study
    """Folder of the study (BIDS); docs/how-to/your-own-nifti.md shows how to lay out your own files."""
    out: Out
    """Folder for the maps (BIDS derivative) and one page per subject."""
    config: OmitArgPrefixes[FitConfig]
    subjects: Subjects = ()
    """Names of the subjects to fit; all of them where none is named."""
    b1_map: B1 = field(default_factory=B1Arguments)
    b1_from_network: bool = False
    """Subjects without AFI images and B1 map: take the B1 that the largest shipped network predicts whose images they
    have."""
    spin_lock: SpinLock = field(default_factory=SpinLockArguments)
    threads: Threads = None

    def run(self) -> None:
        """Fit."""
        from rmqnet.pipeline.fit import fit_study

        with Terminal() as terminal:
            pages = fit_study(
                self.study,
                self.out,
                self.config,
                terminal,
                subjects=self.subjects,
                source=self.spin_lock.source,
                b1_source=self.b1_map.source,
                b1_from_network=self.b1_from_network,
            )
        for page in pages:
            print(f"Maps and page: {page}")


@dataclass(frozen=True)
class Train:
    """Train RMQ-Net on a study that has reference maps and regions, for one input set."""

    study: Study
    """Folder of the study, with derivatives/reference."""
    out: Out
    """Folder for the checkpoint, the split by person and the learning curves."""
    config: OmitArgPrefixes[TrainConfig]
    input_set: InputSetName = "1FA+1TSL"
    """Images that the network gets."""
    start_from: Annotated[Path | None, arg(metavar="FILE")] = None
    """Checkpoint whose weights are the first ones, of any input set; None: random ones."""
    spin_lock: SpinLock = field(default_factory=SpinLockArguments)
    threads: Threads = None

    def run(self) -> None:
        """Train."""
        from rmqnet.pipeline.train import train_study

        with Terminal() as terminal:
            path = train_study(
                self.study,
                self.out,
                self.input_set,
                self.config,
                terminal,
                start_path=self.start_from,
                source=self.spin_lock.source,
            )
        print(f"Checkpoint: {path}")


@dataclass(frozen=True)
class Predict:
    """Maps, regions and their values of a study by a trained network; without --checkpoint by one that is shipped."""

    study: Study
    """Folder of the study (BIDS)."""
    out: Out
    """Folder for maps, regions, their values, pictures and one page per subject (BIDS derivative)."""
    checkpoint: Annotated[Path | None, arg(metavar="FILE")] = None
    """Checkpoint made by `rmqnet train` (.safetensors, with its .json beside it); None: a shipped network."""
    input_set: InputSetName | None = None
    """Shipped network to use; None: the largest one whose images all subjects have."""
    targets: Targets = "reference"
    """Shipped network by what it has learned: reference, fits of all images as in the paper; truth, what was simulated,
    without the blurred fat and bone that fits hold, as far as the simulator is right about them."""
    subjects: Subjects = ()
    """Names of the subjects; all of them where none is named."""
    b1_map: B1 = field(default_factory=B1Arguments)
    spin_lock: SpinLock = field(default_factory=SpinLockArguments)
    threads: Threads = None

    def run(self) -> None:
        """Predict."""
        from rmqnet.pipeline.predict import predict_study

        with Terminal() as terminal:
            pages = predict_study(
                self.study,
                self.out,
                self.checkpoint,
                terminal,
                input_set=self.input_set,
                targets=self.targets,
                subjects=self.subjects,
                source=self.spin_lock.source,
                b1_source=self.b1_map.source,
            )
        for page in pages:
            print(f"Maps, regions and page: {page}")


@dataclass(frozen=True)
class Evaluate:
    """Score predictions against the reference and, for simulated knees, the truth; tables as CSV."""

    study: Study
    """Folder of the study, with derivatives/reference."""
    out: Out
    """Folder for the tables."""
    predictions: Annotated[tuple[Path, ...], arg(metavar="FOLDER [FOLDER ...]")]
    """Folders made by `rmqnet predict`, one per input set."""
    config: OmitArgPrefixes[EvaluateConfig]
    spin_lock: SpinLock = field(default_factory=SpinLockArguments)
    threads: Threads = None

    def run(self) -> None:
        """Evaluate."""
        from rmqnet.pipeline.evaluate import evaluate_study
        from rmqnet.pipeline.report import write_tables

        with Terminal() as terminal:
            result = evaluate_study(
                self.study, self.predictions, self.config, terminal, source=self.spin_lock.source
            )
            write_tables(self.out, result, self.config)
        print(f"Tables: {self.out}")


@dataclass(frozen=True)
class Report:
    """Score predictions as `evaluate` does and write the page with tables and figures."""

    study: Study
    """Folder of the study, with derivatives/reference."""
    out: Out
    """Folder for the page and the tables."""
    predictions: Annotated[tuple[Path, ...], arg(metavar="FOLDER [FOLDER ...]")]
    """Folders made by `rmqnet predict`, one per input set."""
    config: OmitArgPrefixes[EvaluateConfig]
    training: Annotated[tuple[Path, ...], arg(metavar="[FOLDER ...]")] = ()
    """Folders made by `rmqnet train`, whose learning curves are shown."""
    spin_lock: SpinLock = field(default_factory=SpinLockArguments)
    threads: Threads = None

    def run(self) -> None:
        """Report."""
        from rmqnet.pipeline.evaluate import evaluate_study
        from rmqnet.pipeline.report import training_folders, write_page

        training_folders(self.training)
        with Terminal() as terminal:
            result = evaluate_study(
                self.study, self.predictions, self.config, terminal, source=self.spin_lock.source
            )
            page = write_page(self.out, result, self.config, training=self.training)
        print(f"Report: {page}")


@dataclass(frozen=True)
class Protocol:
    """Show scan time and precision of every input set, and find the best images for a scan time."""

    config: OmitArgPrefixes[DesignConfig]
    out: Annotated[Positional[Path | None], arg(metavar="[OUT]")] = None
    """Folder for the page, the table (CSV) and the figure of precision against scan time; None: print only."""
    minutes: float | None = None
    """Scan time that the best protocol may take [min]; None: show the input sets only."""

    def run(self) -> None:
        """Plan."""
        from rmqnet.cli.tables import print_table
        from rmqnet.pipeline.protocol import make_plan, save_plan
        from rmqnet.report.protocol_page import plan_tables, plan_words

        plan = make_plan(self.config, self.minutes, with_curves=self.out is not None)
        page = None if self.out is None else save_plan(self.out, plan, self.config)
        for table in plan_tables(plan):
            print_table(table)
        for sentence in plan_words(plan):
            print(sentence)
        if page is not None:
            print(f"Page: {page}")


@dataclass(frozen=True)
class Export:
    """Write maps, regions and their values as DICOM objects, for PACS and viewers; research use only."""

    study: Study
    """Folder of the study (BIDS); one made by `rmqnet import` gives the references to the source images."""
    maps: Annotated[Positional[Path], arg(metavar="MAPS")]
    """Folder made by `rmqnet fit` or `rmqnet predict`."""
    out: Out
    """Folder for the DICOM files, one folder per subject."""
    regions: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder with regions (BIDS derivative); None: those beside the maps, else the reference of the study."""
    subjects: Subjects = ()
    """Names of the subjects; all that have maps where none is named."""

    def run(self) -> None:
        """Export."""
        from rmqnet.pipeline.export import export_study

        with Terminal() as terminal:
            folders = export_study(
                self.study, self.maps, self.out, terminal, regions=self.regions, subjects=self.subjects
            )
        for folder in folders:
            print(f"DICOM objects: {folder}")


@dataclass(frozen=True)
class ExportNetwork:
    """Write a trained network as an ONNX file, scaling of its inputs and units of its maps included."""

    out: Out
    """File to write (.onnx)."""
    checkpoint: Annotated[Path | None, arg(metavar="FILE")] = None
    """Checkpoint made by `rmqnet train`; None: the shipped network of --input-set."""
    input_set: InputSetName = "2FA+3TSL"
    """Shipped network to write, where no checkpoint is named."""
    targets: Targets = "reference"
    """The same, by what it has learned: reference, fits of all images; truth, what was simulated."""

    def run(self) -> None:
        """Export the network."""
        from rmqnet.pipeline.export_network import export_network

        export_network(self.checkpoint or self.input_set, self.out, targets=self.targets)
        print(f"Network: {self.out}")


@dataclass(frozen=True)
class Demo:
    """Run everything on a small simulated cohort: simulate, fit, train two input sets, predict, evaluate, report."""

    out: Annotated[Positional[Path], arg(metavar="[OUT]")] = Path("rmqnet-demo")
    """Folder for everything that the demo makes."""
    seed: int = 2024
    """Seed of the cohort and of the training."""
    threads: Threads = None

    def run(self) -> None:
        """Demo."""
        from rmqnet.pipeline.demo import run_demo

        with Terminal() as terminal:
            page = run_demo(self.out, self.seed, terminal)
        print(f"Report: {page.resolve()}")
        print("Open it in a browser; it needs no network.")


@dataclass(frozen=True)
class Info:
    """Show the version, this computer, the input sets and what a folder or checkpoint holds."""

    path: Annotated[Positional[Path | None], arg(metavar="[PATH]")] = None
    """A study, an output folder or a checkpoint."""

    def run(self) -> None:
        """Info."""
        from rmqnet.domain.plain_text import plain_text
        from rmqnet.pipeline.info import describe

        for line in describe(self.path):
            print(plain_text(line))


Command = (
    Annotated[Demo, subcommand("demo")]
    | Annotated[Run, subcommand("run")]
    | Annotated[Simulate, subcommand("simulate")]
    | Annotated[Import, subcommand("import")]
    | Annotated[Reconstruct, subcommand("reconstruct")]
    | Annotated[Register, subcommand("register")]
    | Annotated[Check, subcommand("check")]
    | Annotated[Fit, subcommand("fit")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Predict, subcommand("predict")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Report, subcommand("report")]
    | Annotated[Export, subcommand("export")]
    | Annotated[ExportNetwork, subcommand("export-network")]
    | Annotated[RepeatStudy, subcommand("study")]
    | Annotated[Protocol, subcommand("protocol")]
    | Annotated[Info, subcommand("info")]
    | Annotated[Doctor, subcommand("doctor")]
)
"""All commands, in the order of the help."""
