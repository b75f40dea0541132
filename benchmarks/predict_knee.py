"""Seconds and memory to predict a whole knee of the paper's size from 2FA+3TSL: all maps and regions, no file reading.

`--compare` also times other ways to compute the same network, and how far their maps are from plain float32.
"""

import argparse
import copy
import importlib.util
import io
import json
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

N_RUNS = 3
INPUTS = "2FA+3TSL"
Outputs = tuple[np.ndarray, np.ndarray]


def peak_gb() -> float:
    """Largest memory of this process so far [GB]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def random_checkpoint():
    """A network of the shipped size with random weights, whose speed is the same."""
    from rmqnet.domain.protocols import input_set
    from rmqnet.domain.quantities import REGRESSION_ORDER
    from rmqnet.domain.tissues import SEGMENTED
    from rmqnet.networks.backbones import build_network
    from rmqnet.networks.checkpoint import Checkpoint
    from rmqnet.samples.scaling import network_scales
    from rmqnet.simulate.config import preset

    inputs = input_set(INPUTS)
    torch.manual_seed(0)
    network = build_network("rmqnet", len(inputs.acquisitions), REGRESSION_ORDER, SEGMENTED, 16)
    return Checkpoint(
        inputs,
        inputs.acquisitions,
        preset("paper").voxel_size,
        REGRESSION_ORDER,
        SEGMENTED,
        network_scales(REGRESSION_ORDER),
        "rmqnet",
        16,
        network.state_dict(),
    )


def a_knee():
    """A scan of the paper's size: slices of a simulated knee of fewer voxels, repeated, so that it is quickly made."""
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.protocols import input_set
    from rmqnet.domain.scan import ImageSeries, Scan
    from rmqnet.domain.subject import Subject
    from rmqnet.simulate.config import SimulateConfig, preset
    from rmqnet.simulate.simulate import simulate_subject

    full = preset("paper")
    small = simulate_subject(SimulateConfig(n_subjects=1, shape=(18, 64, 64)), 0).scan
    grid = centered_grid(full.shape, full.voxel_size)
    series = {}
    for method, one in small.series.items():
        images = [image for image in input_set(INPUTS).acquisitions if image.method == method]
        if images:
            volumes = np.stack([one.magnitudes[one.acquisitions.index(image)] for image in images])
            large = volumes.repeat(2, axis=1).repeat(4, axis=2).repeat(4, axis=3)
            series[method] = ImageSeries(np.ascontiguousarray(large), tuple(images), grid)
    return Scan(Subject("001", "right"), series)


def timed(run: Callable[[], Outputs], n_runs: int) -> tuple[list[float], Outputs]:
    """Seconds of each run after a first one that is not counted, and the last result."""
    result, seconds = run(), []
    for _ in range(n_runs):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return seconds, result


def in_onnx_runtime(network: torch.nn.Module, slices: torch.Tensor) -> Callable[[], Outputs]:
    """The same network run by ONNX Runtime, two threads, one slice at a time."""
    import onnxruntime

    file = io.BytesIO()
    program = torch.onnx.export(network.eval(), (slices[:1],), dynamo=True, verbose=False)
    program.save(file)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file.getvalue(), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run() -> Outputs:
        parts = [session.run(None, {name: slices[index : index + 1].numpy()}) for index in range(len(slices))]
        maps, logits = (np.concatenate(one) for one in zip(*parts, strict=True))
        return maps, logits

    return run


def compare(checkpoint, scan) -> None:
    """Print seconds, processor seconds and difference from plain float32 of each way through the network alone."""
    from rmqnet.predict.run import fused, run_network
    from rmqnet.samples.sample import network_signals
    from rmqnet.samples.scaling import intensity_scale
    from rmqnet.samples.stack import stack_inputs

    stack = stack_inputs(scan, checkpoint.inputs)
    signals = network_signals(stack, intensity_scale(stack), "right")
    slices = torch.from_numpy(np.ascontiguousarray(np.moveaxis(signals, 1, 0)))
    plain, folded = checkpoint.network(), fused(checkpoint.network())
    last = fused(checkpoint.network()).to(memory_format=torch.channels_last)
    half = copy.deepcopy(last).bfloat16()

    def through(
        network, batch: int, *, autocast: bool = False, channels_last: bool = False, dtype=torch.float32
    ):
        def run() -> Outputs:
            parts = []
            layout = torch.channels_last if channels_last else torch.contiguous_format
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                for start in range(0, len(slices), batch):
                    images = slices[start : start + batch].to(dtype).contiguous(memory_format=layout)
                    parts.append([one.float().numpy() for one in network(images)])
            maps, logits = (np.concatenate(one) for one in zip(*parts, strict=True))
            return maps, logits

        return run

    ways: dict[str, Callable[[], Outputs]] = {
        "float32, batches of 8": through(plain, 8),
        "float32, folded, batches of 8": through(folded, 8),
        "float32, folded, one slice": through(folded, 1),
        "float32, folded, one slice, channels last (used)": lambda: run_network(
            checkpoint.network(), signals
        ),
        "bfloat16 autocast, folded, one slice, channels last": through(
            last, 1, autocast=True, channels_last=True
        ),
        "bfloat16, folded, one slice, channels last": through(
            half, 1, channels_last=True, dtype=torch.bfloat16
        ),
    }
    if shutil.which("g++"):
        compiled = torch.compile(last)
        ways["float32, folded, one slice, channels last, torch.compile"] = through(
            compiled, 1, channels_last=True
        )
    else:
        print("torch.compile is left out: it needs the compiler g++")
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnxscript"):
        ways["ONNX Runtime, one slice"] = in_onnx_runtime(folded, slices)
    else:
        print("ONNX Runtime is left out: it needs `pip install 'rmqnet[onnx]'`")
    reference: np.ndarray | None = None
    for name, run in ways.items():
        before = time.process_time()
        seconds, (maps, _) = timed(run, 1)
        used = (time.process_time() - before) / 2
        maps = np.moveaxis(maps, 0, 1) if name.endswith("(used)") else maps
        reference = maps if reference is None else reference
        change = np.abs(maps - reference) / np.maximum(np.abs(reference), 0.1)
        print(
            f"{name}: {seconds[0]:.2f} s ({used:.2f} s of processor), relative change of the maps: "
            f"99 % of the voxels below {np.percentile(change, 99):.1e}, largest {change.max():.1e}"
        )
    print(f"peak {peak_gb():.2f} GB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compare", action="store_true")
    options = parser.parse_args()
    from rmqnet.networks.shipped import shipped_checkpoint, shipped_names
    from rmqnet.predict.predict import predict

    torch.set_num_threads(2)
    shipped = INPUTS in shipped_names()
    checkpoint = shipped_checkpoint(INPUTS) if shipped else random_checkpoint()
    scan = a_knee()
    if options.compare:
        compare(checkpoint, scan)
        return
    seconds = []
    used = 0.0
    predict(scan, checkpoint)
    for _ in range(N_RUNS):
        start, before = time.perf_counter(), time.process_time()
        prediction = predict(scan, checkpoint)
        seconds.append(time.perf_counter() - start)
        used = time.process_time() - before
    print(
        f"{'shipped' if shipped else 'random'} weights, {INPUTS}, {prediction.maps.grid.shape} voxels, two threads"
    )
    print(
        f"{min(seconds):.2f} to {max(seconds):.2f} s in {N_RUNS} runs; {used:.2f} s of processor in the last"
    )
    print(json.dumps({"seconds": round(statistics.median(seconds), 2), "peak_gb": round(peak_gb(), 2)}))


if __name__ == "__main__":
    main()
