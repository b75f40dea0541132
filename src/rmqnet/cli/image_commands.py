"""Commands that make images for a study: simulate, import, reconstruct, register. Stages are imported when they run."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from rmqnet.cli.arguments import Out, SpinLock, SpinLockArguments, Study, Subjects, Threads
from rmqnet.cli.progress import Terminal
from rmqnet.domain.errors import InputError
from rmqnet.domain.plain_text import plain_text
from rmqnet.io.kspace_stated import Stated
from rmqnet.reconstruct.config import ReconstructConfig
from rmqnet.register.config import RegisterConfig
from rmqnet.simulate.config import SimulateConfig


@dataclass(frozen=True)
class Simulate:
    """Make a study of simulated knees: images with noise, the truth, and reference maps fitted from all images."""

    out: Out
    """Folder of the new study (BIDS); an interrupted run goes on where it was."""
    preset: Literal["paper", "small", "demo"] = "paper"
    """paper: 65 knees of 256 x 256 x 36 voxels; small: the same, slices with cartilage only; demo: a small cohort of
    the same field of view."""
    n_subjects: int | None = None
    """Number of knees, in the paper's proportions; None: as the preset."""
    seed: int | None = None
    """Seed of the cohort; None: as the preset."""
    motion_between: bool = False
    """Let the knee move from image to image: up to 3 mm, 3 degrees and 2 mm of soft tissue (`rmqnet register`)."""
    labels: Annotated[Path | None, arg(metavar="FILE.nii.gz")] = None
    """Your own anatomy instead of a cohort: a label map of one knee, of any grid and orientation."""
    label_map: Annotated[Path | None, arg(metavar="TSV")] = None
    """Table of the labels, columns index and name; docs/how-to/your-own-anatomy.md lists the names."""
    side: Literal["left", "right"] | None = None
    """Side of the knee in `labels`; None: as its labels tell it."""
    kl_grade: Literal[0, 1, 2, 3, 4] = 0
    """Kellgren-Lawrence grade whose tissue values the knee in `labels` gets."""
    kspace: bool = False
    """Write what eight coils read along 3D cones in place of images; `rmqnet reconstruct` makes images of it."""
    trajectory: Literal["short", "stretched", "full", "fast"] = "short"
    """With kspace: 7100 spokes of 1.1 ms, of 2.2 ms, of the 3.1 ms that sample the paper's matrix fully; or fast: as
    many spokes of 1.1 ms as the preset's matrix needs."""
    kspace_format: Literal["hdf5", "ismrmrd", "npz"] = "hdf5"
    """With kspace: format of the files."""
    threads: Threads = None

    def run(self) -> None:
        """Simulate."""
        from rmqnet.simulate.config import MOTION_BETWEEN, preset

        changes: dict[str, float | None] = {"n_subjects": self.n_subjects, "seed": self.seed}
        if self.motion_between:
            changes |= MOTION_BETWEEN
        config = replace(preset(self.preset), **{k: v for k, v in changes.items() if v is not None})
        with Terminal() as terminal:
            if self.kspace:
                self._run_kspace(config, terminal)
            elif self.labels is None and self.label_map is None:
                self._run_cohort(config, terminal)
            else:
                self._run_labels(config, terminal)

    def _run_kspace(self, config: SimulateConfig, terminal: Terminal) -> None:
        from rmqnet.pipeline.kspace import simulate_kspace_study
        from rmqnet.simulate.config import kspace_preset

        if any((self.labels, self.label_map, self.side, self.kl_grade)):
            raise InputError(
                "--kspace is for a cohort: leave out --labels, --label-map, --side and --kl-grade"
            )
        settings = kspace_preset(self.trajectory)
        simulate_kspace_study(self.out, config, settings, self.kspace_format, terminal)
        print(f"K-space of {config.n_subjects} simulated knees: {self.out}")

    def _run_cohort(self, config: SimulateConfig, terminal: Terminal) -> None:
        from rmqnet.pipeline.simulate import simulate_study

        if self.side is not None or self.kl_grade != 0:
            raise InputError("--side and --kl-grade are for --labels: a cohort has its own")
        simulate_study(self.out, config, terminal)
        print(f"Study of {config.n_subjects} simulated knees: {self.out}")

    def _run_labels(self, config: SimulateConfig, terminal: Terminal) -> None:
        from rmqnet.pipeline.simulate import OwnAnatomy, simulate_own_anatomy

        if self.labels is None or self.label_map is None:
            raise InputError("--labels and --label-map belong together: give the label map and its table")
        if self.n_subjects is not None:
            raise InputError("--n-subjects is for a cohort: a label map is one knee")
        own = OwnAnatomy(self.labels, self.label_map, self.side, self.kl_grade)
        simulate_own_anatomy(self.out, own, config, terminal)
        print(f"Study of the knee in {self.labels}: {self.out}")


@dataclass(frozen=True)
class Import:
    """Turn a folder of DICOM files into a study; shows first what was found, and what is left out and why."""

    dicom: Annotated[Positional[Path], arg(metavar="DICOM_FOLDER")]
    """Folder with the DICOM files of one or more knees, in any nesting and order."""
    study: Annotated[Positional[Path | None], arg(metavar="[STUDY]")] = None
    """Folder of the study (BIDS), new or made by an earlier import; None: only show what was found."""
    subject: Annotated[str | None, arg(metavar="NAME")] = None
    """Name of the subject, letters and digits; None: the next free number."""
    side: Literal["left", "right"] | None = None
    """Side of the knee; None: as a tag, a name or the position in the magnet tells it."""
    settings: Annotated[Path | None, arg(metavar="TSV")] = None
    """Table with a column series and what DICOM does not know (spin_lock_time [s], ...): docs/how-to/dicom.md."""
    spin_lock_tag: Annotated[str | None, arg(metavar="GROUP,ELEMENT")] = None
    """Tag that holds the spin-lock time [ms], group and element, for example 0019,10AE."""
    keep_identity: bool = False
    """Keep name, ID, dates, age, sex and UIDs; without this, the study is de-identified (PS3.15 basic profile)."""

    def run(self) -> None:
        """Import."""
        from rmqnet.cli.tables import print_table
        from rmqnet.pipeline.import_dicom import ImportOptions, find_dicom, import_dicom
        from rmqnet.pipeline.import_tables import import_tables, import_words

        options = ImportOptions(
            self.subject, self.side, self.settings, self.spin_lock_tag, self.keep_identity
        )
        with Terminal() as terminal:
            plan = find_dicom(self.dicom, options, terminal)
        for table in import_tables(plan):
            print_table(table)
        for sentence in import_words(plan):
            print(plain_text(sentence))
        if self.study is None:
            here = "Nothing was written: name a folder for the study to import."
            print(here if plan.knees else "Nothing here can be imported.")
            return
        with Terminal() as terminal:
            names = import_dicom(self.study, plan, options, terminal)
        print(f"Imported sub-{', sub-'.join(names)}: {self.study}")


@dataclass(frozen=True)
class Reconstruct:
    """Make images of k-space: ISMRMRD, or plain arrays in HDF5 or NPZ."""

    source: Annotated[Positional[Path], arg(metavar="STUDY_OR_FILE")]
    """Study with k-space in sub-<label>/raw, or one file; docs/how-to/from-k-space.md shows how to write yours."""
    out: Out
    """Folder for the images (BIDS), which `rmqnet fit` takes."""
    config: OmitArgPrefixes[ReconstructConfig]
    subjects: Subjects = ()
    """Names of the subjects of the study; all of them where none is named."""
    subject: str | None = None
    """Name of the person, for a single file."""
    side: Literal["left", "right"] | None = None
    """Side of the knee, for a single file."""
    stated: OmitArgPrefixes[Stated] = field(default_factory=Stated)
    threads: Threads = None

    def run(self) -> None:
        """Reconstruct."""
        from rmqnet.pipeline.kspace import SingleFile, reconstruct_study

        if (self.subject is None) != (self.side is None):
            raise InputError("--subject and --side belong together: give both for a single file")
        single = None
        if self.subject is not None and self.side is not None:
            single = SingleFile(self.subject.removeprefix("sub-"), self.side)
        with Terminal() as terminal:
            folders = reconstruct_study(
                self.source,
                self.out,
                self.config,
                terminal,
                subjects=self.subjects,
                single=single,
                stated=self.stated,
            )
        for folder in folders:
            print(f"Images: {folder}")


@dataclass(frozen=True)
class Register:
    """Bring all images of each subject to where one of them was taken, onto its grid, and say what moved."""

    study: Study
    """Folder of the study (BIDS)."""
    out: Out
    """Folder for the registered images (BIDS; `rmqnet fit` takes it), the transforms and one page per subject."""
    config: OmitArgPrefixes[RegisterConfig]
    subjects: Subjects = ()
    """Names of the subjects to register; all of them where none is named."""
    spin_lock: SpinLock = field(default_factory=SpinLockArguments)
    threads: Threads = None

    def run(self) -> None:
        """Register."""
        from rmqnet.pipeline.register import register_study

        with Terminal() as terminal:
            pages = register_study(
                self.study,
                self.out,
                self.config,
                terminal,
                subjects=self.subjects,
                source=self.spin_lock.source,
            )
        for page in pages:
            print(f"Images and page: {page}")
