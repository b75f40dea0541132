"""Which field of view CG-SENSE should solve for: error of images by trajectory, coils and what lies beyond the image.

`chosen` is the default, which looks at the data; the others are fixed. Slices are read analytically (ellipses, one that
goes on beyond the field of view along y); a leg is read along cones from an image twice as long. Errors are NRMSE over
the object in the middle three quarters of the image.
"""

import argparse
import json
from dataclasses import replace

import numpy as np
from _ellipses import LEG, LONG, inside, radial, reference, spirals
from recon_2d import FIELD_OF_VIEW, N, coil_samples, kspace

FIELDS = {"chosen": None, "1": (1.0, 1.0, 1.0), "1.25 1.75 1.25": (1.25, 1.75, 1.25)}


def cones_case(n_coils: int, *, long: bool, part: float):
    """K-space of a leg along cones, and what its image should be."""
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.kspace import KSpace
    from rmqnet.domain.protocols import vfa
    from rmqnet.encoding.cones import cones
    from rmqnet.encoding.cones_settings import ConesSettings
    from rmqnet.encoding.fourier import FourierOperator

    settings = ConesSettings(shape=(12, 48, 48), n_spokes=None, dwell_time=6e-6)
    made = cones(settings)
    made = cones(replace(settings, n_spokes=round(part * made.n_needed)))
    sizes = ((12, 12), (96, 48), (48, 48))
    z, y, x = np.meshgrid(*((2 * np.arange(n) + 1) / m - n / m for n, m in sizes), indexing="ij")
    leg = np.exp(-((x / 0.5) ** 4) - (z / 0.5) ** 4) * (1 + 0.3 * np.sin(5 * y))
    leg *= 1 if long else np.exp(-((y / 0.7) ** 8))
    angle = 2 * np.pi / n_coils * np.arange(n_coils)[:, None, None, None]
    maps = np.exp(-((x - 1.3 * np.cos(angle)) ** 2) - (z - 1.3 * np.sin(angle)) ** 2 + 1j * angle)
    power = np.sqrt((np.abs(maps) ** 2).sum(axis=0))
    maps *= np.exp(-((np.maximum(np.abs(y) - 1, 0) / 0.4) ** 2)) / power
    operator = FourierOperator(made.trajectory, leg.shape, settings.voxel_size, tolerance=1e-4)
    samples = np.prod(settings.voxel_size) * operator.forward(maps * leg)
    grid = centered_grid(settings.shape, settings.voxel_size)
    whole = KSpace(
        samples[None].astype(np.complex64),
        made.trajectory,
        (vfa(10.0),),
        grid,
        made.read_times,
        None,
        made.density,
    )
    wanted = leg[:, 24:72]
    return whole, wanted, (wanted > 0.1) & (np.abs(y[:, 24:72]) < 0.75)


def slice_case(name: str, n_coils: int, *, long: bool):
    """K-space of a slice, and what its image should be."""
    shape = LONG if long else LEG
    path = spirals(N, FIELD_OF_VIEW, 24, 1000) if "spiral" in name else radial(N, FIELD_OF_VIEW, 202, 256)
    path = path[:: 2 if "half" in name else 1]
    samples, shade = coil_samples(path, n_coils, shape)
    where = inside(N, shape[0])
    where[: N // 8] = where[-N // 8 :] = False
    return kspace(path, samples), (reference(N, FIELD_OF_VIEW, shape) * shade)[None], where[None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="spirals of one coil only")
    quick = parser.parse_args().quick
    from rmqnet.reconstruct.config import ReconstructConfig
    from rmqnet.reconstruct.reconstruct import reconstruct

    cases = [("spirals", 1, False)]
    if not quick:
        names = ("spirals", "half of the spirals", "radial", "cones", "a third of the cones")
        cases = [(name, coils, long) for name in names for long in (False, True) for coils in (1, 8)]
    rows = []
    print(f"{'trajectory':22} coils beyond  " + "  ".join(f"{field:>14}" for field in FIELDS))
    for name, n_coils, long in cases:
        if "cones" in name:
            series, wanted, where = cones_case(n_coils, long=long, part=1 / 3 if "third" in name else 1.0)
        else:
            series, wanted, where = slice_case(name, n_coils, long=long)
        errors, said = [], []
        for field in FIELDS.values():
            notes: list[str] = []
            config = ReconstructConfig(algorithm="cg_sense", solved_field=field)
            image = reconstruct([series], config, notes=notes)["vfa"].data[0]
            off = (image - np.abs(wanted))[where]
            errors.append(round(float(np.linalg.norm(off) / np.linalg.norm(wanted[where])), 4))
            said += notes
        rows.append([name, n_coils, long, *errors])
        print(
            f"{name:22} {n_coils:5} {'yes' if long else 'no':>6}  "
            + "  ".join(f"{error:14.4f}" for error in errors),
            *said,
            flush=True,
        )
    worst = max(row[3] / min(row[4:]) for row in rows)
    print(json.dumps({"worst_over_best_fixed": round(worst, 2), "rows": rows}))


if __name__ == "__main__":
    main()
