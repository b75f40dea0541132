"""Quantitative knee MRI: UTE images to T1, adiabatic T1rho, B1 and M0 maps, regions and a report."""

from importlib.metadata import version

__version__ = version("rmqnet")
