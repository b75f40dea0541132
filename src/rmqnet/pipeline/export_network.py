"""A trained network as an ONNX file: raw images of a knee in, maps in house units out, without this program."""

import json
import logging
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch

from rmqnet import __version__
from rmqnet.domain.errors import InputError
from rmqnet.domain.provenance import canonical
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.tissues import TISSUES
from rmqnet.io.atomic import atomic_file, plain_folder_errors
from rmqnet.networks.checkpoint import Checkpoint, load_checkpoint
from rmqnet.networks.history import learned_targets
from rmqnet.networks.shipped import shipped_checkpoint
from rmqnet.networks.whole import WholeNetwork
from rmqnet.samples.scaling import BRIGHT_FRACTION, INTENSITY_PERCENTILE
from rmqnet.train.config import Targets

METADATA = "rmqnet"
"""Key of the description in the file's metadata."""
EXAMPLE = (2, 64, 48)
"""Slices, height and width of the images that the graph is traced with; any other size works afterwards."""
LARGEST = 4096
"""Most slices, rows and columns that the graph promises to take: a default."""
_NOISY = "torch.onnx._internal.exporter._registration"


def export_network(source: Path | str, path: Path, *, targets: Targets = "reference") -> None:
    """Write the network of a checkpoint file, or the shipped one of an input set and targets, to `path` (.onnx).

    Input `images` (slice, input, y, x): all slices of one right knee, magnitudes in any unit. Outputs `maps` (slice,
    quantity, y, x) in house units, `probabilities` (slice, tissue, y, x) and `tissue` (slice, y, x), true where bright;
    the names, units, acquisitions and the voxel size stand in the metadata of the file.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"{' and '.join(missing)} must be installed to write ONNX files: pip install 'rmqnet[onnx]'"
        )
    if path.suffix != ".onnx":
        raise InputError(f"{path}: the name of the file must end in .onnx")
    checkpoint = load_checkpoint(source) if isinstance(source, Path) else shipped_checkpoint(source, targets)
    with plain_folder_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    program = _program(checkpoint)
    program.model.metadata_props[METADATA] = json.dumps(describe_network(checkpoint))
    with atomic_file(path) as temporary:
        program.save(str(temporary))


def describe_network(checkpoint: Checkpoint) -> dict[str, object]:
    """What a program must know to use the file."""
    return {
        "version": __version__,
        "intended_use": "research use only; not a medical device",
        "input_set": checkpoint.inputs.name,
        "targets": learned_targets(checkpoint.training),
        "inputs": [canonical(acquisition) for acquisition in checkpoint.acquisitions],
        "quantities": {name: QUANTITIES[name].unit for name in checkpoint.quantities},
        "tissues": {name: TISSUES[name].label for name in checkpoint.tissues},
        "label_rule": "most probable tissue where the probabilities add up to more than 0.5",
        "voxel_size_zyx_mm": list(checkpoint.voxel_size),
        "axes": "slices from right to left of a right knee, y from superior to inferior, x from anterior to posterior",
    }


def _program(checkpoint: Checkpoint) -> torch.onnx.ONNXProgram:
    whole = WholeNetwork(checkpoint, bright_fraction=BRIGHT_FRACTION, percentile=INTENSITY_PERCENTILE).eval()
    n_slices, height, width = EXAMPLE
    example = torch.rand(n_slices, len(checkpoint.acquisitions), height, width)
    free = {
        axis: torch.export.Dim(name, min=1, max=LARGEST) for axis, name in ((0, "slice"), (2, "y"), (3, "x"))
    }
    logger = logging.getLogger(_NOISY)  # says for each operator of torchvision that it is not there
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated.*")  # torch's own use of torch
        try:
            program = torch.onnx.export(
                whole,
                (example,),
                dynamo=True,
                verbose=False,
                input_names=["images"],
                output_names=["maps", "probabilities", "tissue"],
                dynamic_shapes=(free,),
            )
        finally:
            logger.setLevel(level)
    if program is None:
        raise InputError(
            "this version of torch wrote no ONNX program: install the versions in constraints.txt"
        )
    return program
