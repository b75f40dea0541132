"""Images of one slice from two-dimensional read-outs: error against what the samples tell of an analytic phantom.

The samples are the Fourier transform of ellipses, which is known; the reference is its integral over the disc of
k-space that the read-outs cover, without any other smoothing. Errors are root mean squares over the phantom, relative
to that of the reference (NRMSE), at the defaults of `rmqnet reconstruct`; no factor is fitted.
"""

import argparse
import json

import numpy as np
from _ellipses import LEG, inside, radial, reference, spirals, transform

N, FIELD_OF_VIEW, THICKNESS = 128, 160.0, 3.0


def kspace(path: np.ndarray, samples: np.ndarray):
    """K-space of one slice."""
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.kspace import KSpace, Slices
    from rmqnet.domain.protocols import vfa

    trajectory = np.concatenate([np.zeros((*path.shape[:2], 1), np.float32), path], axis=-1)
    grid = centered_grid((1, N, N), (THICKNESS, FIELD_OF_VIEW / N, FIELD_OF_VIEW / N))
    times = 3.2e-5 + 2e-6 * np.arange(path.shape[1])
    slices = Slices(0, np.zeros(len(path), np.intp))
    return KSpace(
        (THICKNESS * samples).astype(np.complex64)[None], trajectory, (vfa(10.0),), grid, times, slices=slices
    )


def coil_samples(path: np.ndarray, n_coils: int, shape: tuple = LEG) -> tuple[np.ndarray, np.ndarray]:
    """Samples (coil, spoke, read), and the root (y, x) of the summed squares of the sensitivities.

    A sensitivity is half a cosine across the field of view, a sum of plane waves, so that the transform stays exact.
    """
    if n_coils == 1:
        return transform(path, shape, FIELD_OF_VIEW)[None], np.ones((N, N))
    place = ((2 * np.arange(N) + 1) / N - 1) / 2
    samples, power = [], np.zeros((N, N))
    for angle in 2 * np.pi * np.arange(n_coils) / n_coils:
        to = np.array([np.sin(angle), np.cos(angle)])
        wave = to / (2 * FIELD_OF_VIEW)
        phase = np.exp(-1j * np.pi / 2)  # the maximum lies at the border of the field of view
        near = 0.6 * transform(path, shape, FIELD_OF_VIEW)
        near = near + 0.2 * phase * transform(path - wave, shape, FIELD_OF_VIEW)
        near = near + 0.2 / phase * transform(path + wave, shape, FIELD_OF_VIEW)
        samples.append(near * np.exp(1j * angle))
        along = place[:, None] * to[0] + place * to[1]
        power += (0.6 + 0.4 * np.sin(np.pi * along)) ** 2
    return np.stack(samples), np.sqrt(power)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the spirals of one coil only")
    quick = parser.parse_args().quick
    from rmqnet.reconstruct.config import ReconstructConfig
    from rmqnet.reconstruct.reconstruct import reconstruct

    wanted = reference(N, FIELD_OF_VIEW, LEG)
    where = inside(N, LEG[0])
    paths = {"spirals": spirals(N, FIELD_OF_VIEW, 24, 1000)}
    if not quick:
        paths["spirals, turns exactly 1 / field of view apart"] = spirals(
            N, FIELD_OF_VIEW, 24, 1000, density=1.0
        )
        paths["spirals, half as many"] = spirals(N, FIELD_OF_VIEW, 24, 1000)[::2]
        paths["radial"] = radial(N, FIELD_OF_VIEW, 202, 256)
    rows = []
    print(f"{'trajectory':48} coils  gridding  cg")
    for name, path in paths.items():
        for n_coils in (1,) if quick else (1, 8):
            samples, shade = coil_samples(path, n_coils)
            errors = []
            for algorithm in ("gridding", "cg_sense"):
                image = reconstruct([kspace(path, samples)], ReconstructConfig(algorithm=algorithm))[
                    "vfa"
                ].data[0, 0]
                off = (image - np.abs(wanted * shade))[where]
                errors.append(float(np.linalg.norm(off) / np.linalg.norm((wanted * shade)[where])))
            rows.append([name, n_coils, *(round(error, 4) for error in errors)])
            print(f"{name:48} {n_coils:5}  {errors[0]:8.4f}  {errors[1]:.4f}", flush=True)
    print(json.dumps({"cg": rows[0][3], "gridding": rows[0][2], "rows": rows}))


if __name__ == "__main__":
    main()
