"""Checkpoints to attack."""

import json
import struct
from pathlib import Path
from typing import Any

from _hostile_format import Attack, Format, dump, json_attacks, wrong_json
from numpy.random import Generator


def make_checkpoint(folder: Path) -> None:
    """A network of one channel with random weights."""
    import torch

    from rmqnet.domain.protocols import input_set
    from rmqnet.networks.backbones import build_network
    from rmqnet.networks.checkpoint import Checkpoint, save_checkpoint

    torch.manual_seed(0)
    inputs, quantities, tissues = input_set("1FA+1TSL"), ("T1", "T1rho"), ("femoral_cartilage",)
    network = build_network("rmqnet", len(inputs.acquisitions), quantities, tissues, 1)
    checkpoint = Checkpoint(
        inputs,
        inputs.acquisitions,
        (3.0, 0.586, 0.586),
        quantities,
        tissues,
        {"T1": 1.0, "T1rho": 0.05},
        "rmqnet",
        1,
        network.state_dict(),
        {"best_epoch": 3, "train_subjects": ["01"]},
    )
    save_checkpoint(folder / "model", checkpoint)


def read_checkpoint(folder: Path) -> None:
    """As `rmqnet predict` and `rmqnet info` read it."""
    from rmqnet.networks.checkpoint import load_checkpoint
    from rmqnet.pipeline.info import describe

    load_checkpoint(folder / "model.safetensors")
    describe(folder / "model.safetensors")


def _seal(folder: Path, change) -> None:
    """Change the record, and make its hashes right again, as whoever forges one does."""
    import hashlib

    from rmqnet.networks.checkpoint import record_hash

    path = folder / "model.json"
    record = change(json.loads(path.read_text()))
    if isinstance(record, dict):
        record["weights_sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        record.pop("record_sha256", None)
        record["record_sha256"] = record_hash(record)
    path.write_text(dump(record))


def _record(**values: Any) -> Attack:
    return lambda folder, _rng: _seal(folder, lambda record: record | values)


def _tensors(change) -> Attack:
    """Other weights, with right hashes."""

    def attack(folder: Path, _rng: Generator) -> None:
        import safetensors.torch

        path = folder / "model.safetensors"
        weights = safetensors.torch.load(path.read_bytes())
        changed = change(weights)
        path.write_bytes(changed if isinstance(changed, bytes) else safetensors.torch.save(changed))
        _seal(folder, lambda record: record)

    return attack


def _first(weights: dict[str, Any], value: Any) -> dict[str, Any]:
    return weights | {next(iter(weights)): value(next(iter(weights.values())))}


def _header(text: str, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text.encode() + bytes(64)


def _wrong_checkpoint(folder: Path, rng: Generator) -> str:
    if rng.random() < 0.3:
        from _hostile_bytes import spoil

        how = spoil(folder / "model.safetensors", rng)
        _seal(folder, lambda record: record)
        return f"weights {how}, sealed"
    where: list[str] = []

    def change(record: Any) -> Any:
        record, place = wrong_json(record, rng)
        where.append(place)
        return record

    _seal(folder, change)
    return f"record {where}, sealed"


def _swap_for_pickle(folder: Path, _rng: Generator) -> None:
    import io

    import torch

    stream = io.BytesIO()
    torch.save({"weights": torch.zeros(3)}, stream)
    (folder / "model.safetensors").write_bytes(stream.getvalue())
    _seal(folder, lambda record: record)


CHECKPOINT = Format(
    "checkpoint",
    make_checkpoint,
    ("model.json", "model.safetensors"),
    read_checkpoint,
    _wrong_checkpoint,
    {
        **json_attacks("model.json"),
        "pickle": _swap_for_pickle,
        "width of 10^9": _record(base_width=10**9),
        "width of 2^70": _record(base_width=2**70),
        "width of -1": _record(base_width=-1),
        "width of 5000 digits": _record(base_width="9" * 5000),
        "unknown network": _record(backbone="../../x"),
        "scaling of NaN": _record(scaling={"T1": float("nan"), "T1rho": 0.05}),
        "scaling of -1": _record(scaling={"T1": -1.0, "T1rho": 0.05}),
        "scaling of 0": _record(scaling={"T1": 0, "T1rho": 0.05}),
        "voxels of -1 mm": _record(voxel_size=[-3.0, 0.5, 0.5]),
        "voxels of NaN": _record(voxel_size=[float("nan"), 0.5, 0.5]),
        "quantities as text": _record(quantities="T1"),
        "quantity twice": _record(quantities=["T1", "T1"], scaling={"T1": 1.0}),
        "tissues that are lists": _record(tissues=[["femoral_cartilage"]]),
        "weights of NaN": _tensors(lambda own: _first(own, lambda one: one * float("nan"))),
        "weights of infinity": _tensors(lambda own: _first(own, lambda one: one + float("inf"))),
        "integer weights": _tensors(lambda own: _first(own, lambda one: one.int())),
        "double weights": _tensors(lambda own: _first(own, lambda one: one.double())),
        "more weights": _tensors(lambda own: own | {"other": next(iter(own.values())).clone()}),
        "header of 2^60 bytes": _tensors(lambda _own: _header("{}", 2**60)),
        "tensor of 2^60": _tensors(
            lambda _own: _header('{"a":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,64]}}')
        ),
        "tensors that overlap": _tensors(
            lambda _own: _header(
                '{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},'
                '"b":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}}'
            )
        ),
        "header nested deep": _tensors(lambda _own: _header("[" * 100_000)),
    },
)
