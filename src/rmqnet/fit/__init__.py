"""Voxel-wise fits of quantity maps."""
