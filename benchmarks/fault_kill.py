"""Kills at random instants while `rmqnet run` is at work on tiny subjects: broken files, and arrays that differ after.

A run is killed by SIGKILL (the leading process, all of its processes, or one worker), started again, killed again,
until it comes to its end; then its arrays are compared with those of an undisturbed run, and all begins anew. The last
twentieth of the kills hits registration alone: elastix takes seconds to load. Right after each kill, whatever has its
final name must be whole. Pages are written without their figures, or nearly all kills would hit those: --figures.
"""

import argparse
import gzip
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import zlib
from functools import partial
from pathlib import Path
from typing import Any

from _tiny_run import make_kspace_study, make_network

N_SUBJECTS = 2
N_WORKERS = 2
SEED = 8
ELASTIX = """(Registration "MultiResolutionRegistration")
(FixedImagePyramid "FixedSmoothingImagePyramid")
(MovingImagePyramid "MovingSmoothingImagePyramid")
(Interpolator "LinearInterpolator")
(ResampleInterpolator "FinalBSplineInterpolator")
(Resampler "DefaultResampler")
(Transform "EulerTransform")
(Metric "AdvancedMattesMutualInformation")
(Optimizer "AdaptiveStochasticGradientDescent")
(ImageSampler "RandomCoordinate")
(AutomaticScalesEstimation "true")
(NumberOfResolutions 1)
(MaximumNumberOfIterations 3)
(NumberOfSpatialSamples 500)
(WriteResultImage "false")
(RandomSeed 1)
"""


def start(out: Path, *how_to: Any) -> int:
    """Process id of a run, forked from this process, which has loaded everything and started no threads."""
    process = os.fork()
    if process:
        return process
    os.setsid()
    code = 1
    log = (out.parent / "log.txt").open("a")
    os.dup2(log.fileno(), 2)
    try:
        code = run(out, *how_to)
    finally:  # the child must not go on in the code of its parent, whatever happens
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(code)


def run(out: Path, study: Path, checkpoint: Path | None, steps: tuple, fit: Any, file: Path) -> int:
    """Exit code of a run."""
    import multiprocessing

    from rmqnet.evaluate.config import EvaluateConfig
    from rmqnet.pipeline.run.config import RunConfig
    from rmqnet.pipeline.run.pool import Processes
    from rmqnet.pipeline.run.study import plan_run, run_study
    from rmqnet.register.config import RegisterConfig

    config = RunConfig(
        steps=steps,
        fit=fit,
        registration=RegisterConfig(parameter_files=(file,)),
        evaluation=EvaluateConfig(n_bootstrap=5, n_permutations=5),
    )
    plan = plan_run(study, out, config, checkpoint=checkpoint)
    context = multiprocessing.get_context("fork")
    outcome = run_study(plan, lambda: Processes(N_WORKERS, context), Nobody())
    print(outcome.failures or "complete", file=sys.stderr, flush=True)
    return 0 if not outcome.failures else 3


class Nobody:
    """Hears nothing."""

    def __getattr__(self, name: str):
        return lambda *_: None


def children(process: int) -> list[int]:
    """Process ids of the children of a process; none where the system has no such file."""
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def kill(process: int, how: str) -> bool:
    """True where the kill hit; a killed leader is waited for."""
    if how == "worker":
        workers = children(process)
        if not workers:
            return False
        try:
            os.kill(random.choice(workers), signal.SIGKILL)  # noqa: S311
        except ProcessLookupError:
            return False
        return True
    if how == "all":
        os.killpg(process, signal.SIGKILL)
    else:
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def whole(path: Path) -> bool:
    """True where a file can be read to its end."""
    try:
        if path.name.endswith(".nii.gz"):
            gzip.decompress(path.read_bytes())
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".html":
            return path.read_text().rstrip().endswith("</html>")
        else:
            return path.stat().st_size > 0
    except (OSError, EOFError, ValueError, zlib.error):
        return False
    return True


def is_temporary(path: Path, out: Path) -> bool:
    return any(part.startswith((".rmqnet-tmp+", ".rmqnet-lock")) for part in path.relative_to(out).parts)


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def count_broken(out: Path, undisturbed: Path) -> int:
    """Files that are not whole, and folders of subjects that lack any, under their final names."""
    broken = 0
    for path in sorted(out.rglob("*")):
        try:
            if is_temporary(path, out):
                continue
            if path.is_file() and not whole(path) and path.exists():
                print("broken:", path)
                broken += 1
            if not (path.is_dir() and path.name.startswith("sub-") and path.parent.parent == out):
                continue
            if files_of(path) != files_of(undisturbed / path.relative_to(out)) and path.exists():
                print("incomplete:", path)
                broken += 1
        except FileNotFoundError:
            continue  # a worker of the killed run was about to end
    return broken


def arrays(out: Path) -> dict[str, bytes]:
    """Contents of all images by name."""
    return {
        path.relative_to(out).as_posix(): gzip.decompress(path.read_bytes())
        for path in sorted(out.rglob("*.nii.gz"))
    }


def prepare(root: Path) -> dict[str, tuple]:
    """What each kind of run is started with; this process has then loaded and compiled what the stages need."""
    import shutil

    import torch

    import rmqnet.pipeline.register
    import rmqnet.pipeline.run.checked  # noqa: F401
    from rmqnet.evaluate.config import EvaluateConfig
    from rmqnet.fit.config import FitConfig
    from rmqnet.pipeline.evaluate import evaluate_study
    from rmqnet.pipeline.predict import predict_study
    from rmqnet.pipeline.progress import Quiet
    from rmqnet.pipeline.report import write_page

    torch.set_num_threads(1)
    file, pair = root / "elastix.txt", root / "pair"
    file.write_text(ELASTIX)
    make_kspace_study(root / "study", N_SUBJECTS)
    checkpoint = make_network(root / "tiny.safetensors")
    images = root / "images-of-the-reference"
    quick = EvaluateConfig(n_bootstrap=5, n_permutations=5)
    predict_study(images, root / "warm-predicted", checkpoint, Quiet())
    result = evaluate_study(images, [root / "warm-predicted"], quick, Quiet(), reference_study=root / "study")
    write_page(root / "warm-report", result, quick)
    # few images, so that elastix, which takes seconds to load, does not take all the time
    kept = shutil.ignore_patterns("*T1rhow*", "fmap", "*flip-3*", "*flip-4*", "provenance.json")
    shutil.copytree(images, pair, ignore=kept)
    return {
        "all but registration": (
            root / "study",
            checkpoint,
            ("fit", "predict", "evaluate"),
            FitConfig(),
            file,
        ),
        "registration": (pair, None, ("register", "fit"), FitConfig(assumed_b1=1.0), file),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--figures", action="store_true")
    options = parser.parse_args()
    wanted = options.kills
    if not options.figures:
        leave_out_figures()
    random.seed(SEED)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        kinds = prepare(root)
        seconds, references = {}, {}
        kills = broken = different = episode = 0
        while kills < wanted:
            kind = list(kinds)[kills >= 0.95 * wanted]
            if kind not in seconds:
                out = root / f"undisturbed {kind}"
                began = time.monotonic()
                code = os.waitstatus_to_exitcode(os.waitpid(start(out, *kinds[kind]), 0)[1])
                assert code == 0, (root / "log.txt").read_text()
                seconds[kind], references[kind] = time.monotonic() - began, arrays(out)
                print(
                    f"undisturbed, {kind}: {seconds[kind]:.1f} s, {len(references[kind])} images", flush=True
                )
            episode += 1
            hits, torn, failed = disturb(
                root / f"out-{episode}",
                kinds[kind],
                seconds[kind],
                root / f"undisturbed {kind}",
                wanted - kills,
            )
            found = arrays(root / f"out-{episode}")
            unlike = [
                name for name in {*found, *references[kind]} if found.get(name) != references[kind].get(name)
            ]
            kills, broken, different = kills + hits, broken + torn, different + len(unlike) + failed
            print(
                f"{kind}: {hits} kills, {torn} broken, {len(unlike)} of {len(found)} images differ; {kills} so far",
                flush=True,
            )
    print(json.dumps({"kills": kills, "broken": broken, "different": different}))


def leave_out_figures() -> None:
    """Pages become a line."""
    import rmqnet.pipeline.fit
    import rmqnet.pipeline.predict
    import rmqnet.pipeline.register
    import rmqnet.pipeline.report

    def page(folder: Path, *_: Any, name: str = "knee.html", **__: Any) -> Path:
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("<html></html>\n")
        return folder / name

    rmqnet.pipeline.fit.write_knee_page = page
    rmqnet.pipeline.predict.write_knee_page = page
    rmqnet.pipeline.register.write_register_report = partial(page, name="register.html")
    rmqnet.pipeline.report.write_report = partial(page, name="report.html")


def disturb(out: Path, how_to: tuple, seconds: float, undisturbed: Path, most: int) -> tuple[int, int, int]:
    """Kills until a run comes to its end; with the numbers of broken files and of runs that failed."""
    kills = broken = 0
    while True:
        process = start(out, *how_to)
        instant = time.monotonic() + random.uniform(0, seconds)  # noqa: S311
        how = random.choice(("leader", "all", "worker")) if kills < most else ""  # noqa: S311
        ended, status = 0, 0
        while not ended and (not how or time.monotonic() < instant):
            ended, status = os.waitpid(process, os.WNOHANG)
            time.sleep(0.002)
        hit = not ended and kill(process, how)
        kills += hit
        if hit and how != "worker":
            time.sleep(0.05)  # its workers end by themselves
            broken += count_broken(out, undisturbed)
            continue
        if not ended:
            _, status = os.waitpid(process, 0)
        failed = os.waitstatus_to_exitcode(status) != 0
        if failed:
            print("a run failed:", (out.parent / "log.txt").read_text()[-500:])
        return kills, broken + count_broken(out, undisturbed), int(failed)


if __name__ == "__main__":
    main()
