"""Training of RMQ-Net."""
