"""Parameter files of elastix and records of rmqnet to attack."""

import json
from pathlib import Path
from typing import Any

from _hostile_bytes import NASTY_CELLS
from _hostile_format import Attack, Format, chosen, dump, json_attacks, one_of, wrong_json_file
from numpy.random import Generator

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
        "an absolute path": _line('(WriteIt "/elsewhere/x")'),
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


def _linked_folder(folder: Path, _rng: Generator) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/image.nii.gz").write_bytes(b"outside")
    (folder / "out/sub-01/anat").symlink_to(folder / "elsewhere")
    _source(file="anat/image.nii.gz")(folder, _rng)


def _linked_file(folder: Path, _rng: Generator) -> None:
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
        "link to a folder outside": _linked_folder,
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
    # links are the user's own (SECURITY.md); only the folder must be that of the subject
    taken={"link to a file outside": _linked_file},
)
