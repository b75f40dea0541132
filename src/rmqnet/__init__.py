"""Quantitative knee MRI: UTE images to T1, adiabatic T1rho, B1 and M0 maps, regions and a report.

The functions that the commands call, imported when they are first used: load_scan, simulate, reconstruct, fit,
predict, evaluate.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("rmqnet")

_STAGES = ("simulate", "reconstruct", "fit", "predict", "evaluate")


def __getattr__(name: str) -> Any:
    if name in _STAGES:
        return import_module(f"rmqnet.{name}")
    if name == "load_scan":
        return import_module("rmqnet.io.bids").load_scan
    raise AttributeError(f"module 'rmqnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["__version__", "load_scan", *_STAGES]
