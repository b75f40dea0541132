"""How much air is taken for tissue and how much tissue for air, in images of every kind of air."""

import argparse
import json
from pathlib import Path

import numpy as np
from _air_kinds import HAS_NO_AIR, KINDS, Leg, phantom, simulated

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "pykneer_t1rho_dess"
TARGET = 1.0
"""Percent of either mistake that a kind may have."""
FRONT, MUSCLE, JOINT = np.s_[:, 8:-8, 8:28], np.s_[29, 20:60, 60:110], np.s_[10:30, 90:200, 70:180]
"""Boxes of the real knee, looked at by eye: air in front of it, thigh muscle, and a part without air."""


def percent(mask: np.ndarray) -> float:
    return round(100 * float(mask.mean()), 3) if mask.size else 0.0


def kinds_of(name: str, leg: Leg) -> list[list[object]]:
    from rmqnet.physics.foreground import foreground

    rows: list[list[object]] = []
    for number, (kind, make) in enumerate(KINDS.items()):
        for n_images in (1, len(leg.clean)):
            case = make(leg.first(n_images), np.random.default_rng(number))
            found = foreground(case.images)
            air, tissue = percent(found.tissue[case.air]), percent(~found.tissue[case.tissue])
            right = found.has_air == (kind not in HAS_NO_AIR)
            rows.append([name, kind, n_images, air, tissue, right])
            flag = "" if max(air, tissue) < TARGET and right else "  <-- beyond the target"
            print(
                f"{name:10} {kind:22} {n_images}  {air:8.3f}  {tissue:8.3f}  {'yes' if right else 'NO'}{flag}"
            )
    return rows


def real_knee() -> list[list[object]]:
    import nibabel.nifti1

    from rmqnet.physics.foreground import foreground

    names = [*(f"T1rho_tsl-{ms:02d}ms" for ms in (1, 10, 30, 60)), "DESS_echo-1"]
    images = [
        np.asarray(
            nibabel.nifti1.Nifti1Image.from_filename(REAL / f"{name}.nii.gz").dataobj, np.float32
        ).transpose(2, 1, 0)
        for name in names
    ]
    rows: list[list[object]] = []
    for name, stack in (("all spin-lock images", np.stack(images[:4])), *zip(names, images, strict=True)):
        volumes = stack if stack.ndim == 4 else stack[None]
        found = foreground(volumes)
        row = [
            name,
            round(found.limits[1], 1),
            percent(found.tissue[FRONT]),
            percent(~found.tissue[MUSCLE]),
            percent(found.tissue),
            foreground(volumes[(slice(None), *JOINT)]).has_air,
        ]
        rows.append(row)
        print("{:22} {:9} {:8} {:8} {:8}  {}".format(*row))
    return rows


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(
        "leg        kind               images  air called tissue [%], tissue called air [%], air is told rightly"
    )
    legs = {"phantom": phantom(), "simulated": simulated(1)}
    rows = [row for name, leg in legs.items() for row in kinds_of(name, leg)]
    real = []
    if REAL.is_dir():
        print(
            "real knee: threshold, air in front called tissue [%], muscle called air [%], tissue [%], air in a crop"
        )
        real = real_knee()
    beyond = [row for row in rows if max(row[3], row[4]) >= TARGET or not row[5]]  # pyright: ignore[reportArgumentType]
    print(json.dumps({"kinds": len(rows), "beyond": beyond, "rows": rows, "real": real}))


if __name__ == "__main__":
    main()
