"""Slices learned from per second: RMQ-Net, a MONAI BasicUNet of the same width, and five single-task networks."""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

BATCH, EDGE, N_STEPS, INPUTS = 8, 128, 6, "2FA+3TSL"
BASE_WIDTH = 16


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    from monai.networks.nets.basic_unet import BasicUNet

    from rmqnet.domain.protocols import input_set
    from rmqnet.domain.quantities import REGRESSION_ORDER
    from rmqnet.domain.tissues import SEGMENTED
    from rmqnet.networks.backbones import build_network
    from rmqnet.train.config import TrainConfig
    from rmqnet.train.losses import RMQNetLoss
    from rmqnet.train.precision import lightning_precision

    n_inputs = len(input_set(INPUTS).acquisitions)
    n_maps, n_tissues = len(REGRESSION_ORDER), len(SEGMENTED)
    config = TrainConfig()
    bfloat16 = lightning_precision(config.precision) == "bf16-mixed"
    generator = torch.Generator().manual_seed(0)
    signals = torch.rand(BATCH, n_inputs, EDGE, EDGE, generator=generator)
    maps = torch.rand(BATCH, n_maps, EDGE, EDGE, generator=generator)
    mask = torch.rand(BATCH, n_tissues, EDGE, EDGE, generator=generator) > 0.9
    loss = RMQNetLoss(REGRESSION_ORDER, bce_weight=0.5, map_weight=1.0, segmentation_weight=1.0)

    def split(outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return outputs[:, :n_maps], outputs[:, n_maps:]

    def stepper(network: torch.nn.Module, wanted: Callable, channels_last: bool = True) -> Callable[[], None]:
        layout = torch.channels_last if channels_last else torch.contiguous_format
        network.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
        optimizer = torch.optim.Adam(network.parameters())

        def step() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                total = wanted(network(signals.contiguous(memory_format=layout)))
            optimizer.zero_grad()
            total.backward()
            optimizer.step()

        return step

    def all_tasks(predicted: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return loss(predicted, maps, maps > 0, mask)["total"]

    def one_map(predicted: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return (predicted[0].float() - maps[:, :1]).abs().mean()

    def regions(predicted: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return loss(predicted, maps, maps > 0, mask)["segmentation"]

    def build(backbone: str, quantities: tuple[str, ...]) -> torch.nn.Module:
        return build_network(backbone, n_inputs, quantities, SEGMENTED, BASE_WIDTH)

    widths = tuple(BASE_WIDTH * factor for factor in (1, 2, 4, 8, 16, 1))
    basic = BasicUNet(2, n_inputs, n_maps + n_tissues, widths)
    separate = [stepper(build("maps_only", (name,)), one_map) for name in REGRESSION_ORDER]
    separate.append(stepper(build("segmentation_only", REGRESSION_ORDER), regions))
    contestants = {
        "slices_per_s": [stepper(build("rmqnet", REGRESSION_ORDER), all_tasks)],
        "contiguous_slices_per_s": [stepper(build("rmqnet", REGRESSION_ORDER), all_tasks, False)],
        "monai_slices_per_s": [stepper(basic, lambda outputs: all_tasks(split(outputs)))],
        "five_networks_slices_per_s": separate,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(N_STEPS + 1):  # in turn, so that other work on the machine hits all alike
        for name, steps in contestants.items():
            start = time.perf_counter()
            for step in steps:
                step()
            if repeat:  # the first step makes what the others reuse
                seconds[name].append(time.perf_counter() - start)
    rates = {name: BATCH / statistics.median(values) for name, values in seconds.items()}
    what = f"{EDGE} x {EDGE} voxels, base width {BASE_WIDTH}, {'bfloat16' if bfloat16 else 'float32'}"
    for name, rate in rates.items():
        print(f"{name.removesuffix('_slices_per_s'):25} {rate:6.1f} slices/s ({what})")
    print(json.dumps({name: round(rate, 2) for name, rate in rates.items()}))


if __name__ == "__main__":
    main()
