"""Writes docs/reference/cones.md: spokes that cones need by read-out length; a test checks that it is current."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.encoding.cones import spokes_needed
from rmqnet.encoding.cones_settings import CONES_PRESETS, ConesSettings, afi_settings

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cones.md"

READ_DURATIONS = (0.001116, 0.0015, 0.002232, 0.00275, 0.00335, 0.00402)
"""Read-outs of the table [s]."""
LIMITS = ((0.050, 150.0), (0.033, 120.0))
"""Gradient [T/m] and slew limits [T/m/s] of the table."""
MILLISECONDS = QUANTITIES["T1"].display_factor

HEAD = """# Cones: how many spokes full sampling needs

`python scripts/write_cones_table.py` writes this page from `rmqnet.encoding.cones`; `python benchmarks/recon_psf.py`
prints the point spread of the presets.

The geometry is the paper's: a field of view of 15 x 15 x 10.8 cm, a matrix of 256 x 256 x 36, and 7100 spokes for each
flip angle (142 s at 20 ms). The paper does not print the read-out. The longer it is, the more a spoke can wind about
its cone, the fewer spokes cover k-space without gaps, and the more short T2* and off-resonance blur.
"""

BOUND = """
Fully sampled k-space holds (4/3) pi 128 128 18 = 1.24 million cells of 1 / field of view. A spoke that ran at 50 mT/m
all the time would pass 1070 cells in 3.35 ms, so that fewer than 1160 spokes can't sample fully, whatever the design;
cones at this slew limit reach about a sixth of that. A trajectory that claims to need fewer is undersampled.
"""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return [*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


def needs(settings: ConesSettings, limits: Sequence[tuple[float, float]]) -> list[Sequence[object]]:
    """Rows of read-out, samples per spoke, and the need for each pair of limits."""
    rows = []
    for duration in READ_DURATIONS:
        row: list[object] = [f"{MILLISECONDS * duration:.3g}", round(duration / settings.dwell_time)]
        for gradient, slew in limits:
            made = replace(settings, read_duration=duration, gradient_limit=gradient, slew_limit=slew)
            needed = spokes_needed(made)
            row += [needed, f"{needed / (settings.n_spokes or needed):.2f}"]
        rows.append(row)
    return rows


def page() -> str:
    """The whole page."""
    columns = ["read-out [ms]", "samples per spoke"]
    for gradient, slew in LIMITS:
        columns += [
            f"spokes needed, {MILLISECONDS * gradient:g} mT/m and {slew:g} T/m/s",
            "times undersampled",
        ]
    fine = CONES_PRESETS["short"]
    coarse = afi_settings(fine)
    parts = [HEAD, "## VFA and T1rho images: 7100 spokes", *table(columns, needs(fine, LIMITS))]
    parts += [
        f"## AFI images: half the matrix, {coarse.n_spokes} spokes",
        *table(columns[:4], needs(coarse, LIMITS[:1])),
    ]
    rows = []
    for name, settings in CONES_PRESETS.items():
        needed = spokes_needed(settings)
        n_spokes = settings.n_spokes or needed
        rows.append(
            (
                name,
                " x ".join(map(str, settings.shape[::-1])),
                f"{MILLISECONDS * settings.read_duration:.4g}",
                n_spokes,
                needed,
                f"{needed / n_spokes:.2f}",
            )
        )
    parts += [
        "## Presets",
        *table(["name", "matrix", "read-out [ms]", "spokes", "needed", "times undersampled"], rows),
    ]
    return "\n".join(parts).rstrip() + "\n" + BOUND


if __name__ == "__main__":
    PAGE.write_text(page())
