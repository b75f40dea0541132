"""What k-space of one series must be."""

from dataclasses import replace

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.kspace import KSpace, dead_coils, without_coils
from rmqnet.domain.protocols import vfa


def series() -> KSpace:
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((2, 4, 6, 5, 2)).astype(np.float32).view(np.complex64)[..., 0]
    trajectory = rng.uniform(-0.1, 0.1, (6, 5, 3)).astype(np.float32)
    covariance = np.diag([1.0, 2.0, 3.0, 4.0]).astype(complex)
    times = np.arange(1, 6) * 1e-5
    return KSpace(
        samples, trajectory, (vfa(5), vfa(30)), centered_grid((8, 8, 8), (3, 3, 3)), times, covariance
    )


def test_one_contrast_is_a_view_of_the_series():
    kspace = series()
    one = kspace.contrast(1)
    assert one.acquisitions == (vfa(30),)
    assert np.shares_memory(one.samples, kspace.samples)
    assert np.array_equal(one.samples[0], kspace.samples[1])


def test_dead_coils_are_found_and_left_out_with_their_noise():
    kspace = series()
    kspace.samples[:, 2] = 0
    kspace.samples[0, 1] = 0  # dead in one contrast only
    assert dead_coils(kspace) == (2,)
    living = without_coils(kspace, (2,))
    assert np.array_equal(living.samples, kspace.samples[:, [0, 1, 3]])
    assert living.noise_covariance is not None
    assert np.array_equal(np.diag(living.noise_covariance), [1, 2, 4])
    kspace.samples[:] = 0
    with pytest.raises(InputError, match="all coils"):
        dead_coils(kspace)


@pytest.mark.parametrize("axis", range(3))
def test_a_trajectory_that_leaves_the_cube_names_the_axis(axis: int):
    kspace = series()
    trajectory = kspace.trajectory.copy()
    trajectory[3, 2, axis] = 0.1666
    replace(kspace, trajectory=trajectory)
    trajectory[3, 2, axis] = -0.18
    with pytest.raises(InputError, match=f"0.18 1/mm along {'zyx'[axis]}, .* 0.1667"):
        replace(kspace, trajectory=trajectory)


def test_a_covariance_that_is_none_is_refused():
    kspace = series()
    for bad, word in ((np.eye(4) + np.eye(4, k=1), "Hermitian"), (np.full((4, 4), np.nan), "not finite")):
        with pytest.raises(InputError, match=word):
            replace(kspace, noise_covariance=bad.astype(complex))
