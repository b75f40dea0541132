"""`rmqnet study`: the paper's study, whole."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from rmqnet.cli.arguments import Out, Threads
from rmqnet.cli.progress import Terminal
from rmqnet.domain.errors import InputError


@dataclass(frozen=True)
class RepeatStudy:
    """Repeat the paper's study: cohort, training of five input sets, tests, baselines, counterfactual scans, report."""

    out: Out
    """Folder for everything; an interrupted study goes on where it was, and a finished one is only reported anew."""
    preset: Literal["demo", "small", "paper"] = "small"
    """demo: every part in minutes, its numbers mean nothing; small: the 65 knees at full resolution, half an hour of
    training for each input set on two cores; paper: 600 epochs of whole slices, for a GPU."""
    weights: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder with <input set>.safetensors of the five input sets, or some of them: nothing is trained then, and what is
    missing is left out."""
    variations: bool = True
    """Train and score the variations of the network too, most of them with a third of the budget."""
    also: Annotated[tuple[Path, ...], arg(metavar="[STUDY ...]")] = ()
    """Studies with references whose people are tested too, for example one of `rmqnet simulate --labels`."""

    share: Annotated[str, arg(metavar="K/N")] = "1/1"
    """Test every N-th person only, from the K-th on, where several processes work on one study; a run without it, when
    all are done, writes the report."""
    threads: Threads = None

    def run(self) -> None:
        """Repeat."""
        from rmqnet.pipeline.study.presets import study_preset
        from rmqnet.pipeline.study.report import write_study_report
        from rmqnet.pipeline.study.run import finish_study
        from rmqnet.pipeline.study.scores import read_share

        share = read_share(self.share)
        if self.weights is not None and not self.weights.is_dir():
            raise InputError(f"{self.weights}: there is no such folder: check --weights")
        with Terminal() as terminal:
            finished = finish_study(
                self.out,
                self.preset,
                study_preset(self.preset),
                terminal,
                weights=self.weights,
                also=self.also,
                variations=self.variations,
                share=share,
            )
            if finished is None:
                print(f"Share {self.share} is done: {self.out}")
                return
            page = write_study_report(finished, terminal)
        print(f"Report: {page.resolve()}")
