"""RMQ-Net and its parts."""
