"""Silence for the remarks of Lightning that say nothing to our users."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_REMARKS = (
    ".*does not have many workers.*",  # slices lie in memory: workers would only copy them
    ".*Checkpoint directory .* exists and is not empty.*",  # it is the folder to go on from
    ".*LeafSpec.* is deprecated.*",  # Lightning's own use of torch
    ".*smaller than the logging interval.*",
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Inside the block, Lightning's notes are not logged and the known remarks are no warnings."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for remark in _REMARKS:
            warnings.filterwarnings("ignore", message=remark)
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
