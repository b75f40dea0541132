"""What is fitted to one voxel: signal models, each with its images, over shared quantities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.physics.models import SIGNAL_MODELS, SignalModel


@dataclass(frozen=True)
class Part:
    """Images that follow one signal model."""

    model: SignalModel
    acquisitions: tuple[Acquisition, ...]


@dataclass(frozen=True)
class FitProblem:
    """One or several models, fitted together: a quantity of one name has one value in all of them."""

    parts: tuple[Part, ...]

    @property
    def free(self) -> tuple[str, ...]:
        """Quantities that the fit finds, the amplitude M0 first."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.model.free))

    def free_of(self, part: Part) -> tuple[str, ...]:
        """Free quantities of the problem that stand in the equation of this part."""
        return tuple(name for name in self.free if name in (*part.model.free, *part.model.given))

    def given_of(self, part: Part) -> tuple[str, ...]:
        """Given quantities of the problem that stand in the equation of this part."""
        return tuple(name for name in part.model.given if name not in self.free)

    @property
    def given(self) -> tuple[str, ...]:
        """Quantities that must be known before: those that a model needs and none finds."""
        needed = dict.fromkeys(name for part in self.parts for name in part.model.given)
        return tuple(name for name in needed if name not in self.free)

    @property
    def signed(self) -> frozenset[str]:
        """Free quantities that may be negative."""
        return frozenset(name for part in self.parts for name in part.model.signed)

    @property
    def above(self) -> dict[str, str]:
        """Free quantities that exceed another one, and that other one."""
        return {name: lower for part in self.parts for name, lower in part.model.above.items()}

    @property
    def acquisitions(self) -> tuple[Acquisition, ...]:
        """All images in the order of the parts."""
        return tuple(image for part in self.parts for image in part.acquisitions)

    @property
    def name(self) -> str:
        """The names of the models, joined."""
        return "_and_".join(part.model.name for part in self.parts)

    def settings(self) -> tuple[NDArray[np.float64], ...]:
        """Settings (contrast, setting) of each part."""
        return tuple(part.model.settings_table(part.acquisitions) for part in self.parts)


def single(acquisitions: Sequence[Acquisition], model: str | None = None) -> FitProblem:
    """The fit of one series by the model of this name, or by the default model of its method."""
    name = model or acquisitions[0].method
    if name not in SIGNAL_MODELS:
        raise InputError(f"model must be one of {', '.join(SIGNAL_MODELS)}, got {name!r}")
    return FitProblem((Part(SIGNAL_MODELS[name], tuple(acquisitions)),))
