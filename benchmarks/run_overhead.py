"""What `rmqnet run` costs beside the stages themselves, and its largest memory at 8 and at 80 small subjects.

Stages: `fit_study` on all subjects in one process that has loaded everything. Run: the same fits by `run_study` with
one worker, from the first result to the last; its worker has loaded the libraries by then. Memory is the
largest sum over the processes of a run (psutil), with two workers.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from _tiny_run import tiny_config

N_TIMED = 6
N_FEW, N_MANY = 8, 80
CODE = """
import sys
from pathlib import Path
from rmqnet.pipeline.run.config import RunConfig
from rmqnet.pipeline.run.pool import Processes
from rmqnet.pipeline.run.study import plan_run, run_study
sys.path.insert(0, sys.argv[3])
from run_overhead import Clock
if __name__ == "__main__":
    study, out = Path(sys.argv[1]), Path(sys.argv[2])
    plan = plan_run(study, out, RunConfig(steps=("fit",)))
    clock = Clock()
    outcome = run_study(plan, lambda: Processes(int(sys.argv[4])), clock)
    assert not outcome.failures, outcome.failures
    print(clock.seconds())
"""


class Clock:
    """Times from the result of the first subject, which loads the libraries, to that of the last one."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def ended(self, _result: object) -> None:
        """A subject is done."""
        self.times.append(time.perf_counter())

    def seconds(self) -> float:
        """Seconds for all subjects but the first."""
        return self.times[-1] - self.times[0]

    def __getattr__(self, name: str):
        return lambda *_: None


def copies(one: Path, study: Path, n_subjects: int) -> None:
    """A study of the same knee under many names: sizes and times are what counts here."""
    study.mkdir()
    rows = ["participant_id\tside"]
    for index in range(n_subjects):
        name = f"{index + 1:03d}"
        for path in (one / "sub-001").rglob("*"):
            if path.is_file():
                to = study / f"sub-{name}" / path.parent.name / path.name.replace("sub-001", f"sub-{name}")
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)
        rows.append(f"sub-{name}\tright")
    side = (one / "participants.tsv").read_text()
    (study / "participants.tsv").write_text(
        "\n".join(rows).replace("\tright", "\tleft" if "left" in side else "\tright") + "\n"
    )


def run(root: Path, study: Path, n_workers: int) -> tuple[float, float]:
    """Seconds of a run, and its largest memory [GB]."""
    import psutil

    script, out = root / "run.py", root / f"out-{study.name}-{n_workers}"
    script.write_text(CODE)
    here = str(Path(__file__).parent)
    words = [sys.executable, str(script), str(study), str(out), here, str(n_workers)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    peak = 0.0

    def watch() -> None:
        nonlocal peak
        leader = psutil.Process(child.pid)
        while child.poll() is None:
            total = 0
            for process in (leader, *leader.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak = max(peak, total / 1e9)
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    said, _ = child.communicate()
    thread.join()
    assert child.returncode == 0
    return float(said.split()[-1]), peak


def stages(study: Path, out: Path) -> float:
    """Seconds of the stage itself for all subjects but the first."""
    from rmqnet.fit.config import FitConfig
    from rmqnet.pipeline.fit import fit_study
    from rmqnet.pipeline.progress import Quiet

    names = sorted(path.name.removeprefix("sub-") for path in study.glob("sub-*"))
    fit_study(study, out, FitConfig(), Quiet(), subjects=names[:1])
    start = time.perf_counter()
    fit_study(study, out, FitConfig(), Quiet(), subjects=names[1:])
    return time.perf_counter() - start


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        import psutil  # noqa: F401
    except ImportError:
        print(json.dumps({"skipped": "psutil is not installed (it comes with rmqnet[dask])"}))
        return
    from rmqnet.pipeline.progress import Quiet
    from rmqnet.pipeline.simulate import simulate_study

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        simulate_study(root / "one", tiny_config(1), Quiet())
        for n_subjects in (N_TIMED, N_FEW, N_MANY):
            copies(root / "one", root / f"study-{n_subjects}", n_subjects)
        pairs = []
        for attempt in range(3):
            alone = stages(root / f"study-{N_TIMED}", root / f"stages-{attempt}")
            shutil.rmtree(root / f"out-study-{N_TIMED}-1", ignore_errors=True)
            pairs.append((alone, run(root, root / f"study-{N_TIMED}", 1)[0]))
            print(f"{N_TIMED - 1} fits: stages {pairs[-1][0]:.2f} s, run {pairs[-1][1]:.2f} s", flush=True)
        # the least of three: other work on the computer only adds
        percent = 100 * (min(run_time for _, run_time in pairs) / min(alone for alone, _ in pairs) - 1)
        peaks = [run(root, root / f"study-{n}", 2)[1] for n in (N_FEW, N_MANY)]
    print(f"{os.cpu_count()} cores")
    print(
        json.dumps(
            {"percent": round(percent, 1), "peak_gb_8": round(peaks[0], 3), "peak_gb_80": round(peaks[1], 3)}
        )
    )


if __name__ == "__main__":
    main()
