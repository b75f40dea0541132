"""Simulated knees and their scans."""
