"""Checkpoints, motions, parameter files of elastix and records of rmqnet to attack."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from _hostile_bytes import NASTY_CELLS, gzip_bomb
from _hostile_format import Attack, Format, chosen, dump, json_attacks, one_of, wrong_json, wrong_json_file
from _hostile_images import header_of
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
        "more weights": _tensors(lambda own: own | {"other": next(iter(own.values()))}),
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


def make_transform(folder: Path) -> None:
    """A smooth displacement."""
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.motion import Motion, field_grid
    from rmqnet.io.transforms import write_motion

    grid = centered_grid((8, 40, 40), (3.0, 0.6, 0.6))
    coarse = field_grid(grid)
    field = np.random.default_rng(2).uniform(-1, 1, (3, *coarse.shape))
    write_motion(
        folder / "xfm/sub-01_xfm.nii.gz", Motion(np.eye(4), field, coarse), grid, {"Outcome": "aligned"}
    )


def read_transform(folder: Path) -> None:
    from rmqnet.io.transforms import load_motion

    motion = load_motion(folder / "xfm/sub-01_xfm.nii.gz")
    motion.positions(np.zeros((3, 2)))


def _field(change) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        import nibabel as nib

        path = folder / "xfm/sub-01_xfm.nii.gz"
        image: Any = nib.load(path)
        data = change(np.asanyarray(image.dataobj).copy())
        nib.save(nib.Nifti1Image(data, image.affine), path)  # pyright: ignore

    return attack


def _wrong_transform(folder: Path, rng: Generator) -> str:
    from _hostile_images import _FIELDS, _VALUES

    name = chosen(tuple(_FIELDS), rng)
    value = chosen(_VALUES[_FIELDS[name][1]], rng)
    header_of(folder / "xfm/sub-01_xfm.nii.gz", **{name: value})
    return f"{name} = {value}"


def _spread(data: np.ndarray, value: float) -> np.ndarray:
    data[0, 0, 0, 0, 0] = value
    return data


TRANSFORM = Format(
    "transform",
    make_transform,
    ("xfm/*.nii.gz",),
    read_transform,
    _wrong_transform,
    {
        "NaN": _field(lambda data: _spread(data, np.nan)),
        "a kilometer": _field(lambda data: _spread(data, 1e6)),
        "infinite": _field(lambda data: _spread(data, np.inf)),
        "two components": _field(lambda data: data[..., :2]),
        "an image": _field(lambda data: data[..., 0, 0]),
        "complex": _field(lambda data: data.astype(np.complex64)),
        "gzip bomb": lambda folder, _rng: (folder / "xfm/sub-01_xfm.nii.gz").write_bytes(gzip_bomb(3)),
        "huge": lambda folder, _rng: header_of(
            folder / "xfm/sub-01_xfm.nii.gz", dim1=32767, dim2=32767, dim3=32767
        ),
    },
)

_STEP = """// a rigid step
(Registration "MultiResolutionRegistration")
(Transform "EulerTransform")
(Metric "AdvancedMattesMutualInformation")
(Optimizer "AdaptiveStochasticGradientDescent")
(NumberOfResolutions 2)
(ImagePyramidSchedule 2 2 1 1 1 1)
(MaximumNumberOfIterations 100)
(NumberOfSpatialSamples 2048)
(NumberOfHistogramBins 32)
"""


def make_parameters(folder: Path) -> None:
    (folder / "step.txt").write_text(_STEP)


def read_parameters(folder: Path) -> None:
    """As `rmqnet register --parameter-files` does before elastix sees the file."""
    from rmqnet.io.elastix_parameters import read_parameter_file

    read_parameter_file(folder / "step.txt")


def _line(text: str) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        path = folder / "step.txt"
        path.write_bytes(path.read_bytes() + text.encode("utf-8", "surrogatepass") + b"\n")

    return attack


def _wrong_parameters(folder: Path, rng: Generator) -> str:
    path = folder / "step.txt"
    lines = path.read_text().splitlines()
    place = int(rng.integers(1, len(lines)))
    words = lines[place].strip("()").split()
    spot = int(rng.integers(len(words)))
    words[spot] = chosen(("-1", "0", "1e999", "nan", '"', "((", *NASTY_CELLS), rng)
    lines[place] = "(" + " ".join(words) + ")"
    path.write_text("\n".join(lines))
    return f"line {place}, word {spot}: {words[spot][:30]!r}"


ELASTIX = Format(
    "elastix",
    make_parameters,
    ("step.txt",),
    read_parameters,
    _wrong_parameters,
    {
        "start from another file": _line('(InitialTransformParameterFileName "/etc/passwd")'),
        "start from another file, plural": _line('(InitialTransformParametersFileName "../../x")'),
        "a path as value": _line('(SomeFile "../../x.txt")'),
        "an absolute path": _line('(WriteIt "/tmp/x")'),
        "10^9 resolutions": _line("(MaximumStepLength 1.0)\n(NumberOfGridPoints 1000000000)"),
        "a parameter twice": _line("(NumberOfResolutions 3)"),
        "no bracket": _line("(NumberOfThreads 4"),
        "open quotation mark": _line('(Text "abc)'),
        "NUL": _line("(Text \0)"),
        "a billion iterations": lambda folder, _rng: (folder / "step.txt").write_text(
            _STEP.replace("Iterations 100", "Iterations 1000000000")
        ),
        "a billion samples": lambda folder, _rng: (folder / "step.txt").write_text(
            _STEP.replace("2048", "1000000000")
        ),
        "a thousand resolutions": lambda folder, _rng: (folder / "step.txt").write_text(
            _STEP.replace("Resolutions 2", "Resolutions 1000")
        ),
        "nothing": lambda folder, _rng: (folder / "step.txt").write_text("// nothing\n"),
        "2 MB": lambda folder, _rng: (folder / "step.txt").write_bytes(b"(a 1)\n" * 340_000),
        "binary": lambda folder, _rng: (folder / "step.txt").write_bytes(bytes(range(256)) * 10),
    },
)


def make_records(folder: Path) -> None:
    """An output folder of a fit, with the record of a DICOM import in it."""
    from rmqnet.io.store import make_provenance, open_stage

    config = {"noise": None, "names": ["a", "b"], "inner": {"x": 1.5}}
    (folder / "out").mkdir()
    open_stage(folder / "out", make_provenance("fit", config, 3, {"sub-01": "0" * 64}, ["a note"]))
    (folder / "out/sub-01").mkdir()
    volume = {
        "file": "anat/sub-01_flip-1_VFA.nii.gz", "study": "2.25.1", "series": "2.25.2", "frame_of_reference": "2.25.3",
        "orientation": [0.0, 1.0, 0.0, 0.0, 0.0, -1.0],
        "instances": [["1.2.840.10008.5.1.4.1.1.4", f"2.25.{n}", None, [1.0, 2.0, 3.0 * n]] for n in range(3)],
    }  # fmt: skip
    record = {
        "format": 1, "patient": {}, "deidentification": "x", "equipment": {"Manufacturer": "GE"}, "volumes": [volume]
    }  # fmt: skip
    (folder / "out/sub-01/dicom.json").write_text(json.dumps(record))


def read_records(folder: Path) -> None:
    """As a stage that goes on, `rmqnet info` and `rmqnet export` read them."""
    from rmqnet.io.dicom.source import positions, read_source
    from rmqnet.io.store import make_provenance, open_stage, read_provenance
    from rmqnet.pipeline.info import describe

    root = folder / "out"
    describe(root)
    source = read_source(root / "sub-01")
    for volume in () if source is None else source.volumes:
        positions(volume)
    found = read_provenance(root)
    open_stage(root, make_provenance(found.stage, found.config, found.seed, {"sub-02": "1" * 64}, ["more"]))


_RECORDS = ("out/provenance.json", "out/sub-01/dicom.json")


def _source(**values: Any) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        path = folder / "out/sub-01/dicom.json"
        record = json.loads(path.read_text())
        record["volumes"][0].update(values)
        path.write_text(dump(record))

    return attack


def _own(**values: Any) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        path = folder / "out/provenance.json"
        path.write_text(dump(json.loads(path.read_text()) | values))

    return attack


def _linked(folder: Path, _rng: Generator) -> None:
    outside = folder / "elsewhere.nii.gz"
    outside.write_bytes(b"outside")
    (folder / "out/sub-01/linked.nii.gz").symlink_to(outside)
    _source(file="linked.nii.gz")(folder, _rng)


RECORDS = Format(
    "record",
    make_records,
    _RECORDS,
    read_records,
    lambda folder, rng: wrong_json_file(one_of(folder, _RECORDS, rng), rng),
    {
        **json_attacks("out/provenance.json"),
        **{f"source: {name}": attack for name, attack in json_attacks("out/sub-01/dicom.json").items()},
        "absolute path": _source(file="/etc/passwd"),
        "path above": _source(file="../../../etc/passwd"),
        "link to outside": _linked,
        "number as path": _source(file=5),
        "UID that is none": _source(study="<script>"),
        "NaN position": _source(instances=[["1.2.3", "2.25.1", None, [float("nan"), 0, 0]]]),
        "two coordinates": _source(instances=[["1.2.3", "2.25.1", None, [0, 0]]]),
        "warnings as text": _own(warnings="abc"),
        "inputs as list": _own(inputs=["abc"]),
        "hash as number": _own(config_hash=5),
        "stage as list": _own(stage=["fit"]),
        "seed as text": _own(seed="3"),
        "unknown field": _own(other=1),
    },
)
