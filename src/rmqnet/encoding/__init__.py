"""How a scanner encodes space: trajectories, Fourier operator, sampling density, coils."""
