"""A small knee with known values, for the tests of its page: oblique, with anisotropic voxels."""

import numpy as np

from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.protocols import FULL
from rmqnet.domain.provenance import Provenance
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.physics.signals import synthesize
from rmqnet.report.knee import Knee

NASTY = "</script><script>window.stolen = 1</script><b>bold</b>"
SHAPE = (10, 48, 40)
BRIGHT = (5, 6, 33)
"""A bright voxel, superior and posterior."""
NO_VALUE = (5, 40, 5)
"""A voxel of fat: no T1rho, far from any region."""


def oblique_grid() -> Grid:
    """Grid of voxels of 3 x 0.6 x 0.6 mm, turned by 12 degrees."""
    straight = centered_grid(SHAPE, (3.0, 0.6, 0.6))
    angle = np.radians(12.0)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Grid(SHAPE, turn @ straight.affine)


def make_knee(*, with_regions: bool = True) -> Knee:
    """Maps with their signals, two regions, and texts that try to be HTML."""
    random, grid = np.random.default_rng(3), oblique_grid()
    values = {
        "M0": random.uniform(800, 1200, SHAPE),
        "T1": random.uniform(0.7, 1.3, SHAPE),
        "B1": random.uniform(0.9, 1.1, SHAPE),
        "T1rho": random.uniform(0.02, 0.08, SHAPE),
    }
    signals = synthesize(FULL.acquisitions, values) + random.normal(0, 0.5, (13, *SHAPE)).astype(np.float32)
    signals[:4, BRIGHT[0], BRIGHT[1], BRIGHT[2]] = signals[:4].max() * 1.5
    reason = {name: np.zeros(SHAPE, np.uint8) for name in values}
    reason["T1rho"][NO_VALUE] = Reason.FAT
    maps = MapSet(
        {
            name: np.where(reason[name] == Reason.VALID, v, np.nan).astype(np.float32)
            for name, v in values.items()
        },
        reason,
        grid,
        residual={"vfa": np.full(SHAPE, 0.3, np.float32)},
        sd={"T1rho": (0.1 * values["T1rho"]).astype(np.float32)},
    )
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:7, 18:24, 10:26] = 1
    labels[4:6, 26:28, 12:24] = 5
    tissues = ("femoral_cartilage", "medial_meniscus", "patellar_cartilage")
    series = {}
    for method in ("vfa", "adiabatic_t1rho", "afi"):
        own = [at for at, image in enumerate(FULL.acquisitions) if image.method == method]
        series[method] = ImageSeries(signals[own], tuple(FULL.acquisitions[at] for at in own), grid)
    return Knee(
        Scan(Subject("a1", "left", age=41, kl_grade=2), series),
        maps,
        "Made up for a test.",
        Segmentation(labels, tissues, grid) if with_regions else None,
        "Regions: made up.",
        notes=[NASTY],
        simulated=True,
        provenance=Provenance("fit", "1.2.3", {}, "0", inputs={NASTY: "abc"}),
    )
