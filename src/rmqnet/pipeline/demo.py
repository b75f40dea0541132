"""The demonstration: every stage on a small cohort, for two input sets."""

from dataclasses import replace
from pathlib import Path

from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.pipeline.evaluate import evaluate_study
from rmqnet.pipeline.predict import predict_study
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.report import write_page
from rmqnet.pipeline.simulate import simulate_study
from rmqnet.pipeline.train import names, study_split, train_study
from rmqnet.simulate.config import preset
from rmqnet.train.config import TrainConfig

DEMO_INPUT_SETS = ("4FA+7TSL", "1FA+1TSL")
"""The full set without AFI, and the fastest one."""
DEMO_EPOCHS = 14
"""Passes over the training slices: enough to see the stages work, far from the paper's 600."""
DEMO_CROP = 96
"""Edge of the square cut from each training slice [voxel], to save time."""


def run_demo(out: Path, seed: int, reporter: Reporter) -> Path:
    """Run all stages into `out`; returns the path of the report. A second run redoes nothing."""
    study = out / "study"
    simulate_study(study, replace(preset("demo"), seed=seed), reporter)
    config = TrainConfig(epochs=DEMO_EPOCHS, crop=DEMO_CROP, learning_rate=0.002, n_cycles=1, seed=seed)
    tested = names(study_split(study).test)
    folders, trainings = [], []
    for inputs in DEMO_INPUT_SETS:
        trainings.append(out / f"train-{inputs}")
        reporter.say(f"Training RMQ-Net for {inputs}: {DEMO_EPOCHS} epochs.")
        checkpoint = train_study(study, trainings[-1], inputs, config, reporter)
        folders.append(out / f"predict-{inputs}")
        predict_study(study, folders[-1], checkpoint, reporter, subjects=tested)
    evaluation = EvaluateConfig(seed=seed)
    result = evaluate_study(study, folders, evaluation, reporter)
    return write_page(out / "report", result, evaluation, training=trainings)
