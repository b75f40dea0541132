"""Names and colors of labels in the files that drawing programs read: ITK-SNAP and 3D Slicer."""

from collections.abc import Sequence
from pathlib import Path

from rmqnet.domain.tissues import TISSUES
from rmqnet.io.layout import with_ending
from rmqnet.io.text import write_table


def write_label_tables(image: Path, tissues: Sequence[str]) -> None:
    """Write three tables of the tissues beside a label image: .tsv (BIDS), .label (ITK-SNAP), .ctbl (3D Slicer)."""
    rows = [(TISSUES[name].label, name, TISSUES[name].color) for name in tissues]
    write_table(with_ending(image, ".tsv"), ("index", "name", "color"), rows)
    with_ending(image, ".label").write_text(_itk_snap(tissues), encoding="utf-8")
    with_ending(image, ".ctbl").write_text(_slicer(tissues), encoding="utf-8")


def _itk_snap(tissues: Sequence[str]) -> str:
    """Label descriptions of ITK-SNAP: number, red, green, blue, opacity 0 to 1, shown in slices, shown in 3D, name."""
    lines = ["# Labels for ITK-SNAP: Segmentation > Import Label Descriptions", '0 0 0 0 0 0 0 "Clear Label"']
    for name in tissues:
        lines.append(f'{TISSUES[name].label} {_channels(name)} 1 1 1 "{name}"')
    return "\n".join(lines) + "\n"


def _slicer(tissues: Sequence[str]) -> str:
    """Color table of 3D Slicer: number, name, red, green, blue, opacity 0 to 255."""
    lines = ["# Colors for 3D Slicer: Add Data, then choose this table in Segmentations or Volumes"]
    lines += ["0 background 0 0 0 0"]
    lines += [f"{TISSUES[name].label} {name} {_channels(name)} 255" for name in tissues]
    return "\n".join(lines) + "\n"


def _channels(name: str) -> str:
    """Red, green and blue of a tissue, 0 to 255."""
    return " ".join(str(channel) for channel in bytes.fromhex(TISSUES[name].color.removeprefix("#")))
