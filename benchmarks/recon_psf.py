"""Point spread of the cones presets: width beside that of the sampled ellipsoid, and what undersampling spreads."""

import argparse
import json

import numpy as np

FINER = 8
"""Points per voxel at which the point spread is computed."""
POINTS = 64
"""Points along each axis."""


def width(line: np.ndarray, step: float) -> float:
    """Full width [mm] at half of the largest value of a line with its maximum in the middle."""
    peak = int(line.argmax())
    half = line[peak] / 2
    sides = []
    for way in (line[peak:], line[peak::-1]):
        below = int(np.argmax(way < half))
        sides.append(below - 1 + (way[below - 1] - half) / (way[below - 1] - way[below]))
    return float(sum(sides) * step)


def nominal(voxel: float) -> float:
    """Full width at half maximum [mm] of 3 (sin q - q cos q) / q^3, the transform of the sampled ellipsoid."""
    from scipy.optimize import brentq

    half = brentq(lambda q: 3 * (np.sin(q) - q * np.cos(q)) / q**3 - 0.5, 1, 4)
    return float(half * 2 * voxel / np.pi)


def spread(name: str) -> dict[str, float]:
    """Widths of a preset [mm], and the part of the peak that lies elsewhere in the field of view."""
    from rmqnet.encoding.cones import cones
    from rmqnet.encoding.cones_settings import cones_preset
    from rmqnet.encoding.fourier import FourierOperator

    settings = cones_preset(name)
    made = cones(settings)
    ones = np.ones(made.density.shape, np.complex64)
    z, y, x = (size / FINER for size in settings.voxel_size)
    fine = FourierOperator(made.trajectory, (POINTS + 1,) * 3, (z, y, x), tolerance=1e-5)
    near = np.abs(fine.adjoint(ones, made.density))
    at = POINTS // 2
    lines = {"z": (near[:, at, at], z), "y": (near[at, :, at], y), "x": (near[at, at, :], x)}
    result = {axis: width(line, step) for axis, (line, step) in lines.items()}
    n_z, n_y, n_x = (n + 1 - n % 2 for n in settings.shape)
    image = FourierOperator(made.trajectory, (n_z, n_y, n_x), settings.voxel_size).adjoint(ones, made.density)
    far = np.abs(image) / np.abs(image).max()
    far[n_z // 2 - 5 : n_z // 2 + 6, n_y // 2 - 5 : n_y // 2 + 6, n_x // 2 - 5 : n_x // 2 + 6] = 0
    result |= {"side": float(np.sqrt((far**2).mean())), "undersampling": made.undersampling}
    return result


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    from rmqnet.encoding.cones_settings import CONES_PRESETS

    numbers = {}
    for name, settings in CONES_PRESETS.items():
        numbers[name] = found = spread(name)
        z, y, _ = settings.voxel_size
        print(
            f"{name}: width x {found['x']:.3f}, y {found['y']:.3f} (nominal {nominal(y):.3f}),"
            f" z {found['z']:.3f} (nominal {nominal(z):.3f}) mm; {found['undersampling']:.2f} times undersampled;"
            f" away from the point {found['side']:.2e} of the peak (root mean square)"
        )
    full, settings = numbers["full"], CONES_PRESETS["full"]
    answer = {
        "fwhm_xy_mm": round((full["x"] + full["y"]) / 2, 3),
        "fwhm_z_mm": round(full["z"], 3),
        "nominal_xy_mm": round(nominal(settings.voxel_size[1]), 3),
        "nominal_z_mm": round(nominal(settings.voxel_size[0]), 3),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
