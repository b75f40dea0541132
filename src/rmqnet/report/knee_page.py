"""The page of one knee: a viewer of its maps, its regions, what could not be fitted, and how it was acquired."""

import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from rmqnet import __version__
from rmqnet.domain.provenance import canonical
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.report.figures import Picture, unit_label
from rmqnet.report.fit_words import METHOD_WORDS, map_words, reason_words
from rmqnet.report.knee import Knee
from rmqnet.report.knee_regions import (
    CHECKS,
    findings,
    marks,
    middle_voxel,
    region_table,
    relative_residuals,
)
from rmqnet.report.knee_tables import (
    RESIDUAL,
    acquisition_table,
    background,
    product,
    reason_table,
    residual_pictures,
    scan_words,
    series_table,
    tilt_words,
    value_table,
)
from rmqnet.report.lookup import counted
from rmqnet.report.page import environment
from rmqnet.report.slice_figure import map_png
from rmqnet.report.viewer_curves import Signals, equations, models_of, page_signals
from rmqnet.report.viewer_volumes import Layer, gray_codes, map_layer, packed, sd_layer, volume_layer

SCRIPTS = ("viewer-data.js", "viewer-planes.js", "viewer-voxel.js", "viewer-page.js")
PAGE = "knee.html"
"""Name of the page of one knee."""


def write_knee_page(folder: Path, knee: Knee) -> Path:
    """Path of knee.html; each map is also written as <quantity>.png beside it, residuals as residual_<method>.png."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = _pictures(knee)
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(picture.png)
    page = folder / PAGE
    page.write_text(render_knee(knee, pictures.values()), encoding="utf-8")
    return page


def render_knee(knee: Knee, pictures: Iterable[Picture] = ()) -> str:
    """The page as text; it needs no other file."""
    layers, signals = viewer_layers(knee), page_signals(knee)
    label, image = background(knee.scan)
    blobs = {"image": packed(gray_codes(image)), "kept": packed(signals.kept.astype(np.uint8))}
    blobs |= {layer.key: layer.data for layer in layers}
    blobs |= {f"signals-{method}": data for method, data in signals.data.items()}
    if knee.regions is not None:
        blobs["labels"] = packed(knee.regions.labels)
    grid, subject, provenance = knee.maps.grid, knee.scan.subject, knee.provenance
    names = dict.fromkeys(name for models in models_of(knee).values() for name in models)
    tables = [value_table(knee.maps), reason_table(knee.maps, predicted=knee.predicted)]
    return (
        environment()
        .get_template("knee.html.j2")
        .render(
            knee=knee,
            subject=subject,
            version=__version__,
            slices=counted(grid.shape[0], "slice"),
            matrix=product(grid.shape[1:]),
            voxel_size=product(grid.voxel_size),
            tilt=tilt_words(grid),
            minutes=scan_words(knee.scan, simulated=knee.simulated),
            findings=findings(knee),
            checks=CHECKS,
            image_label=label,
            regions=None if knee.regions is None else region_table(knee, knee.regions),
            pictures=pictures,
            tables=tables,
            protocol=[series_table(knee.scan), acquisition_table(knee.scan)],
            provenance="" if provenance is None else json.dumps(canonical(provenance), indent=2),
            layers=layers,
            blobs=blobs,
            facts=_facts(knee, layers, signals, label),
            style=_asset("viewer.css"),
            equations=Markup(equations(list(names))),  # noqa: S704  # our own equations, no text of a user
            scripts=Markup("\n").join(_asset(name) for name in SCRIPTS),
        )
    )


def viewer_layers(knee: Knee) -> list[Layer]:
    """All volumes that the viewer can colour: maps, their standard deviations, residuals."""
    maps = knee.maps
    layers = [map_layer(maps, QUANTITIES[name], _title(name, knee)) for name in knee.quantities]
    layers += [
        sd_layer(maps, QUANTITIES[name], f"SD of {name}: spread that noise gives a voxel")
        for name in knee.quantities
        if name in maps.sd
    ]
    anything = next(iter(maps.reason.values()))
    for method, relative in relative_residuals(knee).items():
        title = f"Residual of the {METHOD_WORDS[method]} fit: what the model leaves unexplained of the mean signal"
        layers.append(volume_layer(f"residual-{method}", relative, anything, RESIDUAL, title))
    return layers


def _title(name: str, knee: Knee) -> str:
    return f"{name}: {map_words(name, knee.scan)}"


def _facts(knee: Knee, layers: list[Layer], signals: Signals, label: str) -> dict[str, Any]:
    """What the script of the page must know beside the volumes."""
    grid, regions = knee.maps.grid, knee.regions
    tissue = next(iter(knee.maps.values.values()))
    start = [n // 2 for n in grid.shape]
    if regions is not None and regions.labels.any():
        cartilage = regions.mask("cartilage")
        start = list(middle_voxel(cartilage if cartilage.any() else regions.labels > 0))
    elif np.isfinite(tissue).any():
        start = list(middle_voxel(np.isfinite(tissue)))
    return {
        "shape": grid.shape,
        "voxel": grid.voxel_size,
        "affine": np.round(grid.affine, 6).tolist(),
        "start": start,
        "image": label,
        "side": knee.scan.subject.side,
        "layers": [layer.facts for layer in layers],
        "quantities": [{"name": name, "factor": QUANTITIES[name].display_factor} for name in knee.quantities],
        "assumed": dict(knee.assumed),
        "reasons": {int(reason): text for reason, text in reason_words(predicted=knee.predicted).items()},
        "regions": [] if regions is None else marks(regions),
        "series": list(signals.series),
        "n_kept": int(signals.kept.sum()),
    }


def _pictures(knee: Knee) -> dict[str, Picture]:
    """Slices of each map and residual by the name of their file: for paper, and where scripts don't run."""
    shown = {}
    for name in knee.quantities:
        text = f"{unit_label(QUANTITIES[name])}: {map_words(name, knee.scan)}"
        png = map_png(knee.maps, name)
        shown[name] = Picture(text, "Light gray: no value.", f"Sagittal slices of the {name} map.", png)
    return shown | residual_pictures(knee.maps.grid, relative_residuals(knee))


def _asset(name: str) -> Markup:
    """A script or style of the page, as it is."""
    text = files("rmqnet.report").joinpath("templates", name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704  # our own file
