"""Quantitative knee MRI: UTE images to T1, adiabatic T1rho, B1 and M0 maps, regions and a report.

The functions that the commands call, imported when they are first used: load_scan, load_b1_map, simulate,
reconstruct, fit, predict, evaluate.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("rmqnet")

_READERS = {"load_scan": "rmqnet.io.bids", "load_b1_map": "rmqnet.io.b1_map"}
_STAGES = ("simulate", "reconstruct", "fit", "predict", "evaluate")


def __getattr__(name: str) -> Any:
    if name in _STAGES:
        return import_module(f"rmqnet.{name}")
    if name in _READERS:
        return getattr(import_module(_READERS[name]), name)
    raise AttributeError(f"module 'rmqnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["__version__", *_READERS, *_STAGES]
