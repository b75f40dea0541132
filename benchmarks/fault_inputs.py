"""Spoiled and hostile inputs of all formats: how many end in a traceback, hang or take too much memory."""

import argparse
import json
import os
import shutil
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _hostile_bytes import spoil
from _hostile_checkpoint import CHECKPOINT
from _hostile_dicom import DICOM
from _hostile_format import Format, one_of
from _hostile_images import SIDECARS, TABLES, nifti, use_checks
from _hostile_ismrmrd import ISMRMRD
from _hostile_kspace import HDF5
from _hostile_maps import MAPS, TRANSFORM
from _hostile_npz import NPZ
from _hostile_records import ELASTIX, RECORDS
from _hostile_run import Case, Outcome, run_cases

LIGHT = (
    nifti(".nii"), nifti(".nii.gz"), SIDECARS, TABLES, MAPS, HDF5, NPZ, ISMRMRD, DICOM, TRANSFORM, ELASTIX, RECORDS
)  # fmt: skip
"""Formats whose readers start fast."""
FORMATS = (*LIGHT, CHECKPOINT)
N_INPUTS, SEED = 3000, 2024


def warm(formats: tuple[Format, ...]) -> None:
    """Import what the readers need, so that the children do not."""
    import h5py
    import ismrmrd.hdf5
    import ismrmrd.xsd
    import nibabel
    import pydicom.pixels.decoders
    import scipy.ndimage

    import rmqnet.io.elastix_parameters
    import rmqnet.io.ismrmrd_file
    import rmqnet.io.kspace_plain
    import rmqnet.io.transforms
    import rmqnet.pipeline.import_dicom
    import rmqnet.pipeline.import_tables
    import rmqnet.pipeline.info

    _ = h5py, ismrmrd, nibabel, pydicom, scipy, rmqnet
    if CHECKPOINT in formats:
        import rmqnet.networks.checkpoint

        use_checks()


def cases(formats: tuple[Format, ...], n_inputs: int, seed: int, scratch: Path) -> Iterator[Case]:
    """Inputs in turn over the formats: all planted attacks first, then spoiled bytes and wrong values by chance."""
    for kind in formats:
        whole = scratch / f"whole-{kind.name}"
        whole.mkdir()
        kind.make(whole)
    for number in range(n_inputs):
        kind = formats[number % len(formats)]
        yield _case(kind, number // len(formats), number, n_inputs // len(formats), seed, scratch)


def _case(kind: Format, index: int, number: int, n_own: int, seed: int, scratch: Path) -> Case:
    rng = np.random.default_rng([seed, zlib.crc32(kind.name.encode()), index])
    folder = scratch / f"case-{number}"
    shutil.copytree(scratch / f"whole-{kind.name}", folder, symlinks=True)
    planted = {**kind.refused, **kind.taken}
    names = list(planted)
    if n_own < 2 * len(names):  # a subset: some of each kind, by chance, without those that take long to make
        names = [name for name in names if not any(word in name for word in ("bomb", "MB", "unfold"))]
        names = [
            names[k] for k in np.random.default_rng([seed, len(names)]).permutation(len(names))[: n_own // 2]
        ]
    if index < len(names):
        planted[names[index]](folder, rng)
        return Case(names[index], kind.name, folder, kind.handle, must_refuse=names[index] in kind.refused)
    if rng.random() < 0.5:
        try:
            return Case(f"{index}: {kind.wrong(folder, rng)}", kind.name, folder, kind.handle)
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, struct.error):
            pass  # a value that the writing library refuses: bytes are spoiled instead
    path = one_of(folder, kind.targets, rng)
    return Case(f"{index}: {path.name}: {spoil(path, rng)}", kind.name, folder, kind.handle)


def summary(outcomes: list[Outcome]) -> dict[str, object]:
    """The numbers of the benchmark, over all formats and by format."""
    by_format: dict[str, Counter[str]] = {}
    for one in outcomes:
        by_format.setdefault(one.format, Counter())[one.kind] += 1
    kinds = Counter(one.kind for one in outcomes)
    return {
        "inputs": len(outcomes),
        "tracebacks": kinds["traceback"],
        "hangs": kinds["hang"],
        "oversized": kinds["oversized"],
        "accepted": kinds["accepted"],
        "unclear": sum(one.unclear for one in outcomes),
        "refused": kinds["refused"],
        "handled": kinds["handled"],
        "largest_gb": round(max(one.gigabytes for one in outcomes), 2),
        "longest_seconds": round(max(one.seconds for one in outcomes), 1),
        "formats": {name: dict(sorted(counts.items())) for name, counts in by_format.items()},
    }


def without_threads() -> None:
    """Start anew where libraries may have started threads: such a process may not be forked."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    if any(os.environ.get(name) != "1" for name in names):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | dict.fromkeys(names, "1"))  # noqa: S606


def main() -> None:
    without_threads()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=N_INPUTS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--formats", nargs="*", help="names of formats; all where none is named")
    parser.add_argument("--light", action="store_true", help="without the formats whose readers start slowly")
    parser.add_argument("--log", type=Path, help="file for every outcome, one JSON line each")
    chosen = parser.parse_args()
    formats = tuple(
        kind
        for kind in (LIGHT if chosen.light else FORMATS)
        if not chosen.formats or kind.name in chosen.formats
    )
    warm(formats)
    start, outcomes = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="rmqnet-fault-") as scratch:
        for outcome in run_cases(cases(formats, chosen.inputs, chosen.seed, Path(scratch)), Path(scratch)):
            outcomes.append(outcome)
            if outcome.kind not in ("handled", "refused") or outcome.unclear:
                last = outcome.text.strip().splitlines()[-1:] or [""]
                print(f"{outcome.kind}: {outcome.format}: {outcome.name!r}: {last[0][:200]!r}", flush=True)
    if chosen.log:
        chosen.log.write_text("".join(json.dumps(vars(one)) + "\n" for one in outcomes), encoding="utf-8")
    print(f"{time.monotonic() - start:.0f} s")
    result = summary(outcomes)
    print(json.dumps(result))
    bad = ("tracebacks", "hangs", "oversized", "accepted", "unclear")
    sys.exit(any(result[name] for name in bad))


if __name__ == "__main__":
    main()
