"""Which images to acquire: what a protocol can tell about a tissue, and the best one for a given scan time."""
