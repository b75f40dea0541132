"""Tiny studies for the benchmarks of `rmqnet run`: k-space or images, with a reference and a network."""

from pathlib import Path

from rmqnet.simulate.config import KSpaceConfig, SimulateConfig

SHAPE = (8, 32, 32)


def tiny_config(n_subjects: int) -> SimulateConfig:
    """Knees of 8 x 32 x 32 voxels."""
    return SimulateConfig(n_subjects=n_subjects, seed=7, shape=SHAPE, supersampling=(1, 1, 1))


def make_network(path: Path) -> Path:
    """A checkpoint with random weights: what it says is of no interest here."""
    import torch

    from rmqnet.domain.protocols import input_set
    from rmqnet.domain.quantities import REGRESSION_ORDER
    from rmqnet.domain.tissues import SEGMENTED
    from rmqnet.networks.backbones import build_network
    from rmqnet.networks.checkpoint import Checkpoint, save_checkpoint
    from rmqnet.samples.scaling import network_scales

    inputs = input_set("1FA+1TSL")
    torch.manual_seed(2)
    torch.set_num_threads(1)
    network = build_network("rmqnet", len(inputs.acquisitions), REGRESSION_ORDER, SEGMENTED, 2)
    size = tuple(side / n for side, n in zip(tiny_config(1).field_of_view, SHAPE, strict=True))
    checkpoint = Checkpoint(
        inputs=inputs,
        acquisitions=inputs.acquisitions,
        voxel_size=size,
        quantities=REGRESSION_ORDER,
        tissues=SEGMENTED,
        scaling=network_scales(REGRESSION_ORDER),
        backbone="rmqnet",
        base_width=2,
        weights=network.state_dict(),
        training={"scans": {}},
    )
    save_checkpoint(path, checkpoint)
    return path


def make_kspace_study(root: Path, n_subjects: int) -> None:
    """K-space with truth, and a reference: maps fitted to its images, and the true regions."""
    from rmqnet.encoding.cones_settings import ConesSettings
    from rmqnet.fit.config import FitConfig
    from rmqnet.io.bids_labels import load_segmentation, write_segmentation
    from rmqnet.io.bids_maps import load_maps
    from rmqnet.io.participants import load_participants
    from rmqnet.pipeline.fit import fit_study
    from rmqnet.pipeline.kspace import reconstruct_study, simulate_kspace_study
    from rmqnet.pipeline.layout import reference_folder, truth_folder
    from rmqnet.pipeline.progress import Quiet
    from rmqnet.reconstruct.config import ReconstructConfig

    config = tiny_config(n_subjects)
    cones = ConesSettings(shape=SHAPE, field_of_view=config.field_of_view, n_spokes=None)
    simulate_kspace_study(root, config, KSpaceConfig(cones=cones, n_coils=2), "npz", Quiet())
    images = root.parent / "images-of-the-reference"
    reconstruct_study(root, images, ReconstructConfig(), Quiet())
    fit_study(images, reference_folder(root), FitConfig(), Quiet())
    for subject in load_participants(root).values():
        folder = reference_folder(root) / f"sub-{subject.name}"
        maps = load_maps(folder, desc="fitted")
        true = load_segmentation(truth_folder(root) / folder.name, desc="truth", grid=maps.grid)
        write_segmentation(folder, true, subject, desc="reference")
