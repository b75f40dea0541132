"""Boxes around masks."""

import numpy as np

from rmqnet.domain.boxes import bounding_box


def test_a_box_holds_all_true_voxels_and_ends_with_the_mask():
    mask = np.zeros((4, 6, 8), bool)
    mask[1, 2:4, 5] = mask[2, 3, 7] = True
    assert bounding_box(mask) == (slice(1, 3), slice(2, 4), slice(5, 8))
    assert bounding_box(mask, 2) == (slice(0, 4), slice(0, 6), slice(3, 8))
    assert bounding_box(mask, (0, 1, 0)) == (slice(1, 3), slice(1, 5), slice(5, 8))
    assert mask[bounding_box(np.zeros_like(mask), 3)].shape == mask.shape
