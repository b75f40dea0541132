"""What can't be reconstructed is refused in one sentence, or left out and told."""

from dataclasses import replace

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import adiabatic_t1rho, vfa
from rmqnet.encoding.coils import CoilSensitivities
from rmqnet.reconstruct.config import ReconstructConfig
from rmqnet.reconstruct.reconstruct import reconstruct


def error(image: np.ndarray, truth: np.ndarray) -> float:
    inside = np.abs(truth) > 0.5
    return float(np.linalg.norm((image - np.abs(truth))[inside]) / np.linalg.norm(truth[inside]))


def test_a_dead_coil_is_left_out_and_told(full, read, known, truth) -> None:
    kspace = read(full, covariance=np.eye(6, dtype=np.complex128))
    kspace.samples[:, 2] = 0
    for sensitivities in (None, known):
        for algorithm in ("gridding", "cg_sense"):
            notes: list[str] = []
            config = ReconstructConfig(algorithm=algorithm, n_iterations=4)
            image = reconstruct([kspace], config, sensitivities=sensitivities, notes=notes)["vfa"].data[0]
            assert notes == ["Coil 2 holds only zeros and was left out (of 6, counted from 0)."]
            # with known sensitivities nothing is missing; estimated ones lack the shading of the coil
            assert error(image, truth) < (0.2 if sensitivities is None else 0.02)


def test_a_coil_that_dies_during_the_scan_is_refused(full, read) -> None:
    second = read(full, acquisition=vfa(20.0))
    second.samples[:, 4] = 0
    with pytest.raises(InputError, match=r"FA 20.*: all samples of coil 4 are 0, but not in the first"):
        reconstruct([read(full), second])


def test_series_of_different_coils_are_refused(full, read) -> None:
    second = read(full, acquisition=adiabatic_t1rho(0.0))
    with pytest.raises(InputError, match="has 5 coils, the first image of the scan 6"):
        reconstruct([read(full), replace(second, samples=second.samples[:, :5])])


def test_missing_spokes_are_refused_and_counted(full, read) -> None:
    kspace = read(full)
    kspace.samples[:, :, 40:52] = 0
    with pytest.raises(InputError, match=r"12 of \d+ spokes hold only zeros, the first is spoke 40"):
        reconstruct([kspace])


def test_a_part_without_a_spoke_is_refused(full, read) -> None:
    kspace = replace(read(full), acquisitions=(adiabatic_t1rho(0.0),))
    with pytest.raises(InputError, match="leaves none: make it larger"):
        reconstruct([kspace], ReconstructConfig(spokes_part=0.01))


def test_no_data_and_dead_data_are_refused(full, read) -> None:
    with pytest.raises(InputError, match="no k-space"):
        reconstruct([])
    kspace = read(full)
    kspace.samples[:] = 0
    with pytest.raises(InputError, match="all samples of all coils are 0"):
        reconstruct([kspace])


def test_an_image_that_comes_twice_is_refused(full, read) -> None:
    with pytest.raises(InputError, match="comes twice"):
        reconstruct([read(full), read(full)])


def test_sensitivities_of_other_coils_are_refused(full, read, known) -> None:
    with pytest.raises(InputError, match="sensitivities of 5 coils do not match 6 coils"):
        reconstruct([read(full)], sensitivities=CoilSensitivities(known.values[1:], known.grid))


def test_a_doubled_coil_is_refused_where_noise_is_whitened(full, read) -> None:
    covariance = np.eye(6, dtype=np.complex128)
    covariance[0, 1] = covariance[1, 0] = 1
    with pytest.raises(InputError, match="positive definite: is one coil dead, or doubled"):
        reconstruct([replace(read(full), noise_covariance=covariance)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algorithm": "sense"}, "algorithm must be one of gridding, cg_sense"),
        ({"combination": "sum_of_squares", "algorithm": "cg_sense"}, "cg_sense needs sensitivities"),
        ({"combination": "sum_of_squares", "output": "complex"}, "has no phase"),
        ({"n_iterations": 0}, "n_iterations must be in"),
        ({"tolerance": 1.0}, "tolerance must be in"),
        ({"solved_field": (1.0, 0.5, 1.0)}, "solved_field must be in"),
        ({"spokes_part": 0.0}, "spokes_part must be in"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ReconstructConfig(**options)
