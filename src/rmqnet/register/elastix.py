"""elastix in a process of its own: a crash in it becomes a plain failure of one volume."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.motion import (
    STILL,
    Motion,
    field_grid,
    grid_points,
    motion_from_positions,
    nearest_rigid,
)
from rmqnet.register.parameters import SCRATCH, Parameters

WORKER = "rmqnet.register.worker"
HOW_TO_GET_IT = "registration needs itk-elastix, which is not installed: pip install 'rmqnet[register]'"


TIME_LIMIT = 900.0
"""Time that one volume may take before its process is ended [s]: default. Ours take seconds on a free core."""


class ElastixError(RuntimeError):
    """One volume could not be registered; the sentence says why."""


class Elastix:
    """Registers pairs of images in a child process, which is started anew after a crash. Use as a context."""

    def __init__(self, worker: str = WORKER, time_limit: float = TIME_LIMIT) -> None:
        if find_spec("itk") is None:
            raise InputError(HOW_TO_GET_IT)
        self._worker, self._time_limit = worker, time_limit
        self._child: subprocess.Popen[str] | None = None
        self._jobs = 0

    def __enter__(self) -> "Elastix":
        self._scratch = tempfile.TemporaryDirectory(prefix=SCRATCH)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._scratch.cleanup()

    def register(
        self,
        fixed: NDArray[np.float32],
        moving: NDArray[np.float32],
        mask: NDArray[np.bool_],
        grid: Grid,
        steps: Sequence[Parameters | Path],
        *,
        moving_grid: Grid | None = None,
        start: Motion = STILL,
    ) -> Motion:
        """Motion from the fixed to the moving image, by these steps of elastix; only voxels in the mask count.

        The moving image is as it was taken, on its own grid; None: that of the fixed one. The search begins at the
        rotation and translation of `start`.

        Raises:
            ElastixError: elastix gave up, crashed, or did not end in time.
        """
        self._jobs += 1
        folder = Path(self._scratch.name) / f"job-{self._jobs}"
        folder.mkdir()
        points, origin = field_grid(grid), nearest_rigid(start)
        own = grid if moving_grid is None else moving_grid
        np.savez(
            folder / "job.npz",
            fixed=fixed,
            moving=moving,
            mask=mask,
            affine=grid.affine,
            # where the voxels would lie had the start been undone: elastix then begins at no motion
            moving_affine=np.linalg.inv(origin.matrix) @ own.affine,
            points_shape=points.shape,
            points_affine=points.affine,
        )
        stated = [str(step.resolve()) if isinstance(step, Path) else dict(step) for step in steps]
        (folder / "steps.json").write_text(json.dumps(stated), encoding="utf-8")
        self._run(folder)
        with np.load(folder / "result.npz") as result:
            positions = result["positions"]
        shutil.rmtree(folder)
        if not np.isfinite(positions).all():
            raise ElastixError("elastix found no finite transform")
        return motion_from_positions(grid_points(points), origin.positions(positions), points)

    def _run(self, folder: Path) -> None:
        """Hand a job to the child and wait for it."""
        child = self._started()
        if child.stdin is None or child.stdout is None:
            raise ElastixError("elastix could not be started")
        late = threading.Event()
        watch = threading.Timer(self._time_limit, lambda: (late.set(), child.kill()))
        watch.start()
        try:
            child.stdin.write(f"{folder}\n")
            child.stdin.flush()
            # elastix itself may write lines too
            while (line := child.stdout.readline()) and line != "done\n":
                pass
        except BrokenPipeError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            code = child.wait()
            self._stop()
            if late.is_set():
                raise ElastixError(f"elastix did not end within {self._time_limit:g} s and was stopped")
            raise ElastixError(f"elastix crashed (exit code {code})")
        failed = folder / "failed.txt"
        if failed.is_file():
            raise ElastixError(f"elastix gave up ({_reason(failed.read_text(encoding='utf-8'))})")

    def _started(self) -> subprocess.Popen[str]:
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [sys.executable, "-m", self._worker],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        return self._child

    def _stop(self) -> None:
        if self._child is None:
            return
        child, self._child = self._child, None
        if child.stdout is not None:
            child.stdout.close()
        if child.stdin is not None:
            # what a dead child did not read can't be sent any more
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
        child.terminate()
        child.wait()


def _reason(text: str) -> str:
    """The last line of what ITK says, which holds the reason."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "no reason given"
