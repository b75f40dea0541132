"""A trained network with everything needed to use it: weights in safetensors, the rest in JSON, never a pickle."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import VOXEL_SIZES
from rmqnet.domain.protocols import InputSet
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.strict_json import parse_json
from rmqnet.domain.tissues import TISSUES
from rmqnet.networks.backbones import build_network, check_network

FORMAT = 1
"""Version of a checkpoint on disk."""

_HASH = "record_sha256"
LARGEST_WEIGHTS = 1 << 30
"""Bytes of a file of weights: default; ours have some ten million."""
_LARGEST_RECORD = 1 << 26
"""Bytes of a record: default."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network and what it was trained for."""

    inputs: InputSet
    """Images that it gets."""
    acquisitions: tuple[Acquisition, ...]
    """How those images were acquired in the training data, by channel."""
    voxel_size: tuple[float, float, float]
    """Edge lengths of a voxel of the training data (z, y, x) [mm]."""
    quantities: tuple[str, ...]
    """Maps that it gives, in the order of its output."""
    tissues: tuple[str, ...]
    """Tissues that it segments, in the order of its output."""
    scaling: Mapping[str, float]
    """House units per unit of the network by quantity; for M0 times the subject's intensity scale."""
    backbone: str
    """Name of the network in BACKBONES."""
    base_width: int
    """Channels of its first level."""
    weights: Mapping[str, Tensor]
    """Weights and batch statistics by name, on the CPU."""
    training: Mapping[str, object] = field(default_factory=dict)
    """How it was trained: version, configuration, subjects, best epoch and its losses (plain JSON values)."""

    def __post_init__(self) -> None:
        """Refuse names that the tables don't know and numbers of channels that contradict each other."""
        for known, names, what in (
            (QUANTITIES, self.quantities, "quantity"),
            (TISSUES, self.tissues, "tissue"),
        ):
            for name in names:
                if name not in known:
                    raise InputError(f"{what} must be one of {', '.join(known)}, got {name!r}")
            if len(set(names)) < len(names):
                raise InputError(f"each {what} must stand there once, got {', '.join(names)}")
        if set(self.scaling) != set(self.quantities):
            raise InputError(
                f"scaling of {', '.join(self.scaling)} does not match {', '.join(self.quantities)}"
            )
        for name, value in self.scaling.items():
            if not 0 < value < math.inf:
                raise InputError(f"the scaling of {name} must be positive, got {value:g}")
        low, high = VOXEL_SIZES
        if not all(low <= edge <= high for edge in self.voxel_size):
            raise InputError(f"voxel_size must be within {low:g} to {high:g} mm, got {self.voxel_size}")
        check_network(self.backbone, self.base_width)
        if len(self.acquisitions) != len(self.inputs.acquisitions):
            raise InputError(
                f"{len(self.acquisitions)} acquisitions do not match the input set {self.inputs.name}, "
                f"which has {len(self.inputs.acquisitions)}"
            )
        for own, named in zip(self.acquisitions, self.inputs.acquisitions, strict=True):
            if not own.same_image(named):
                raise InputError(
                    f"acquisition {own.label} does not match {named.label} of the input set {self.inputs.name}"
                )

    def network(self) -> nn.Module:
        """The network with its weights, on the CPU, ready to predict; InputError where the weights don't fit."""
        with torch.device("meta"):  # shapes only: the weights come from the checkpoint
            network = build_network(
                self.backbone, len(self.acquisitions), self.quantities, self.tissues, self.base_width
            )
        expected = network.state_dict()
        if expected.keys() != self.weights.keys():
            raise InputError(f"the weights are not those of the network {self.backbone!r}")
        for name, tensor in expected.items():
            if tensor.shape != self.weights[name].shape:
                raise InputError(
                    f"weight {name} must have shape {tuple(tensor.shape)}, got {tuple(self.weights[name].shape)}"
                )
            if tensor.dtype != self.weights[name].dtype:
                raise InputError(f"weight {name} must be of {tensor.dtype}, got {self.weights[name].dtype}")
            if not torch.isfinite(self.weights[name]).all():
                raise InputError(f"weight {name} holds numbers that are not finite: every map would be empty")
        network.load_state_dict({name: tensor.clone() for name, tensor in self.weights.items()}, assign=True)
        return network.eval()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `<path>.safetensors` and `<path>.json`; each file appears whole or not at all, the JSON last."""
    weights_path, record_path = checkpoint_files(Path(path))
    blob = safetensors.torch.save({name: tensor.contiguous() for name, tensor in checkpoint.weights.items()})
    record = {
        "format": FORMAT,
        "inputs": asdict(checkpoint.inputs),
        "acquisitions": [asdict(acquisition) for acquisition in checkpoint.acquisitions],
        "voxel_size": list(checkpoint.voxel_size),
        "quantities": list(checkpoint.quantities),
        "tissues": list(checkpoint.tissues),
        "scaling": dict(checkpoint.scaling),
        "backbone": checkpoint.backbone,
        "base_width": checkpoint.base_width,
        "weights_sha256": hashlib.sha256(blob).hexdigest(),
        "training": dict(checkpoint.training),
    }
    record[_HASH] = record_hash(record)
    text = json.dumps(record, indent=2, allow_nan=False) + "\n"
    _write(weights_path, blob)
    _write(record_path, text.encode())


def load_checkpoint(path: Path | str) -> Checkpoint:
    """The checkpoint of `<path>.safetensors` and `<path>.json`; either file may be named too.

    Weights that are kept in half precision come in single precision: the network computes in that. Raises InputError,
    which names the file, where one is missing, damaged or not ours.
    """
    weights_path, record_path = checkpoint_files(Path(path))
    blob = _read(weights_path, LARGEST_WEIGHTS)
    record = _read_record(record_path)
    if hashlib.sha256(blob).hexdigest() != record.get("weights_sha256"):
        raise InputError(
            f"{weights_path}: is damaged, or belongs to another checkpoint than {record_path.name}: copy both again"
        )
    try:
        stored = safetensors.torch.load(blob)
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError, OverflowError) as error:
        # what the reader finds first, and what torch says of shapes and kinds of numbers it does not have
        raise InputError(f"{weights_path}: holds no safetensors weights: copy the file again") from error
    half = torch.float16
    weights = {name: tensor.float() if tensor.dtype == half else tensor for name, tensor in stored.items()}
    try:
        checkpoint = _parse(record, weights)
        checkpoint.network()
    except InputError as error:
        raise InputError(f"{record_path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"{record_path}: is not a complete rmqnet checkpoint ({error!r}): copy it again"
        ) from error
    return checkpoint


def record_hash(record: Mapping[str, object]) -> str:
    """SHA-256 over a record without its own hash, the same however its JSON is laid out (64 hexadecimal digits)."""
    content = {key: value for key, value in record.items() if key != _HASH}
    plain = json.loads(json.dumps(content))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def checkpoint_files(path: Path) -> tuple[Path, Path]:
    """Paths of the weights and of the record; `path` is one of them or their common part."""
    stem = path.with_suffix("") if path.suffix in (".safetensors", ".json") else path
    return stem.with_name(stem.name + ".safetensors"), stem.with_name(stem.name + ".json")


def _parse(record: dict[str, object], weights: dict[str, Tensor]) -> Checkpoint:
    inputs = _fields(record["inputs"])
    if not isinstance(inputs["name"], str) or not re.fullmatch(
        r"[A-Za-z0-9][A-Za-z0-9+._ -]{0,60}", inputs["name"]
    ):
        raise InputError(
            f"the name of the input set must be letters, digits, + and -, got {inputs['name']!r}"
        )
    return Checkpoint(
        inputs=InputSet(
            **{
                **inputs,
                "flip_angles": tuple(inputs["flip_angles"]),
                "spin_lock_times": tuple(inputs["spin_lock_times"]),
            }
        ),
        acquisitions=tuple(Acquisition(**_fields(item)) for item in _list(record["acquisitions"])),
        voxel_size=_voxel_size(record["voxel_size"]),
        quantities=_names(record["quantities"]),
        tissues=_names(record["tissues"]),
        scaling={name: float(value) for name, value in _fields(record["scaling"]).items()},
        backbone=str(record["backbone"]),
        base_width=_whole(record["base_width"]),
        weights=weights,
        training=_fields(record["training"]),
    )


def _fields(value: object) -> dict:
    if not isinstance(value, dict):
        raise TypeError(f"expected named values, got {value!r}")
    return value


def _list(value: object) -> list:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {value!r}")
    return value


def _names(value: object) -> tuple[str, ...]:
    names = _list(value)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"expected names, got {value!r}")
    return tuple(names)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected a whole number, got {value!r}")
    return value


def _voxel_size(value: object) -> tuple[float, float, float]:
    z, y, x = (float(length) for length in _list(value))
    return z, y, x


def _read(path: Path, largest: int) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe or a device would never end
            raise InputError(f"{path}: is no file: give the file itself")
        if path.stat().st_size > largest:
            raise InputError(
                f"{path}: has more than {largest >> 20} MiB, too much for such a file: give another one"
            )
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: is missing; a checkpoint is a .safetensors and a .json file") from error
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error
    if not content:
        raise InputError(f"{path}: is empty: copy it again")
    return content


def _read_record(path: Path) -> dict[str, object]:
    try:
        record = parse_json(_read(path, _LARGEST_RECORD))
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from error
    if record.get("format") != FORMAT:
        raise InputError(
            f"{path}: is no rmqnet checkpoint of format {FORMAT} (format: {record.get('format')!r})"
        )
    if record.get(_HASH) != record_hash(record):
        raise InputError(f"{path}: was changed by hand or damaged: copy it again")
    return record


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
