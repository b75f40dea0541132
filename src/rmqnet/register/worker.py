"""The process that runs elastix: `python -m rmqnet.register.worker`. A crash in elastix ends it, not the program.

It reads folders from standard input, one per line. Each holds job.npz (fixed, moving, mask, affine, moving_affine,
points_shape, points_affine) and steps.json; the positions that the points take go to result.npz, or what went wrong to
failed.txt, and a line "done" to standard output.
"""

import contextlib
import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.register.parameters import SCRATCH

itk: Any = importlib.import_module("itk")
"""ITK makes its classes when they are first asked for; a type checker can't know them."""


def register_images(folder: Path) -> None:
    """Run one job: the steps of elastix one after the other, and where they take a grid of points."""
    with np.load(folder / "job.npz") as job:
        affine = job["affine"]
        fixed = _to_itk(job["fixed"].astype(np.float32), affine)
        moving = _to_itk(job["moving"].astype(np.float32), job["moving_affine"])
        mask = _to_itk(job["mask"].astype(np.uint8), affine)
        shape, grid = tuple(int(n) for n in job["points_shape"]), job["points_affine"]
    steps = itk.ParameterObject.New()
    for step in json.loads((folder / "steps.json").read_text(encoding="utf-8")):
        if isinstance(step, str):
            steps.AddParameterFile(step)
        else:
            steps.AddParameterMap(step)
    method = itk.ElastixRegistrationMethod.New(fixed, moving)
    method.SetFixedMask(mask)
    method.SetParameterObject(steps)
    method.SetLogToConsole(False)
    method.UpdateLargestPossibleRegion()
    np.savez(
        folder / "result.npz", positions=_positions(method.GetTransformParameterObject(), moving, shape, grid)
    )


def _to_itk(volume: NDArray, affine: NDArray[np.float64]) -> Any:
    """Volume (z, y, x) as an image whose axes run x, y, z; positions are those of the affine."""
    image = itk.image_from_array(volume)
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetSpacing(_spacing(affine).tolist())
    image.SetDirection(itk.matrix_from_array(_direction(affine)))
    return image


def _spacing(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(affine[:3, 2::-1], axis=0)


def _direction(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return affine[:3, 2::-1] / _spacing(affine)


def _positions(
    found: Any, moving: Any, shape: tuple[int, ...], affine: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Positions (3, z, y, x) [mm] that the transform gives to the points of a grid."""
    count = found.GetNumberOfParameterMaps()
    for index in range(count):
        for name, values in (
            ("Size", shape[::-1]),
            ("Index", (0, 0, 0)),
            ("Spacing", _spacing(affine)),
            ("Origin", affine[:3, 3]),
            # elastix writes a direction column by column
            ("Direction", _direction(affine).T.ravel()),
        ):
            found.SetParameter(
                index, name, [repr(float(v)) if name not in ("Size", "Index") else str(v) for v in values]
            )
    transformer = itk.TransformixFilter.New(moving)
    transformer.SetTransformParameterObject(found)
    transformer.SetComputeDeformationField(True)
    transformer.SetLogToConsole(False)
    transformer.UpdateLargestPossibleRegion()
    field = itk.array_from_image(transformer.GetOutputDeformationField())
    moved = np.moveaxis(field, -1, 0).astype(np.float64)
    index = np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij")
    points = np.einsum("ij,j...->i...", affine[:3, :3], np.stack(index)) + affine[:3, 3].reshape(3, 1, 1, 1)
    return points + moved


def main() -> None:
    """Work until standard input ends; the folder around the jobs goes then."""
    folder = None
    for line in sys.stdin:
        folder = Path(line.rstrip("\n"))
        try:
            # transformix leaves files where it runs
            with contextlib.chdir(folder):
                register_images(folder)
        except RuntimeError as error:
            (folder / "failed.txt").write_text(str(error), encoding="utf-8")
        sys.stdout.write("done\n")
        sys.stdout.flush()
    # whoever gave the jobs may have been killed, and images of patients must not be left behind
    if folder is not None and folder.parent.name.startswith(SCRATCH):
        shutil.rmtree(folder.parent, ignore_errors=True)


if __name__ == "__main__":
    main()
