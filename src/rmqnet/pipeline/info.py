"""What is installed, and what a path holds, in words."""

import os
import platform
from pathlib import Path

from rmqnet import __version__
from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import FULL, INPUT_SETS, acceleration
from rmqnet.io.store import PROVENANCE, read_provenance

MINUTE = 60.0
"""Seconds."""


def describe(path: Path | None) -> list[str]:
    """Lines about this installation, or about a study, an output folder or a checkpoint."""
    if path is None:
        return [*_installation(), "", *_input_sets()]
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder: check the path")
    if path.suffix in (".safetensors", ".json") and path.is_file():
        return _checkpoint(path.with_suffix(".safetensors"))
    if not path.is_dir():
        raise InputError(f"{path}: is neither a study, nor an output folder, nor a checkpoint (.safetensors)")
    return _folder(path)


def _installation() -> list[str]:
    import torch

    from rmqnet.networks.shipped import shipped_names

    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [
        f"rmqnet {__version__} (research use only; not a medical device)",
        f"Python {platform.python_version()}, torch {torch.__version__}, {platform.system()} {platform.machine()}",
        f"{os.cpu_count()} processor cores, GPU: {', '.join(devices) or 'none'}",
        f"networks of the package: {', '.join(shipped_names()) or 'none'}",
        f"networks that have learned the truth: {', '.join(shipped_names('truth')) or 'none'}",
    ]


def _input_sets() -> list[str]:
    lines = ["Input sets: minutes of their images (with AFI), acceleration with AFI in the full protocol"]
    for item in INPUT_SETS.values():
        minutes, with_afi = item.seconds() / MINUTE, item.seconds(with_afi=True) / MINUTE
        factor = acceleration(item, with_afi=True)
        lines.append(f"  {item.name:<14} {minutes:5.1f} min ({with_afi:4.1f})  {factor:4.2f}x")
    return [*lines, f"  the reference maps are fitted from {FULL.name}"]


def _checkpoint(path: Path) -> list[str]:
    from rmqnet.networks.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)
    n_weights = sum(tensor.numel() for tensor in checkpoint.weights.values())
    return [
        f"Checkpoint {path.name}: {checkpoint.backbone}, {n_weights / 1e6:.1f} million weights",
        f"  inputs: {', '.join(a.label for a in checkpoint.acquisitions)} ({checkpoint.inputs.name})",
        f"  maps: {', '.join(checkpoint.quantities)}; regions: {', '.join(checkpoint.tissues)}",
        f"  voxels of the training data (z, y, x): {' x '.join(f'{v:.3g}' for v in checkpoint.voxel_size)} mm",
    ]


def _folder(path: Path) -> list[str]:
    n_subjects = len([item for item in path.glob("sub-*") if item.is_dir()])
    lines = [f"{path}: {n_subjects} subjects" if n_subjects else f"{path}:"]
    if not (path / PROVENANCE).is_file() and not n_subjects:
        raise InputError(f"{path}: is neither a study (no sub-* folders) nor an output folder of rmqnet")
    if not (path / PROVENANCE).is_file():
        return [*lines, "  not made by rmqnet (no provenance.json)"]
    provenance = read_provenance(path)
    lines.append(f"  made by `rmqnet {provenance.stage}` {provenance.version}, seed {provenance.seed}")
    if isinstance(provenance.config, dict):
        lines += [f"  {key}: {value}" for key, value in provenance.config.items()]
    return lines + [f"  warning: {text}" for text in provenance.warnings]
