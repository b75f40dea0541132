"""Whether predicted maps explain the images that they were predicted from."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import torch_signal


class PhysicsLoss(nn.Module):
    """Mean absolute difference of the images from those that the signal equations give from the predicted maps.

    Images and M0 are in units of the subject's intensity scale, so the loss is near that of a map with the same
    relative error. Only voxels whose reference has a value for every quantity count: elsewhere (fat, air) the
    equations do not hold. Paper, Discussion: "adding the physics loss design", without its form; this form is ours.
    """

    def __init__(
        self, acquisitions: Sequence[Acquisition], quantities: Sequence[str], scaling: Mapping[str, float]
    ) -> None:
        super().__init__()
        self.acquisitions, self.quantities = tuple(acquisitions), tuple(quantities)
        self.scaling = dict(scaling)

    def forward(self, predicted: Tensor, signals: Tensor, valid: Tensor) -> Tensor:
        """The loss from predicted maps (batch, quantity, y, x) in units of the network, and the images."""
        values = {
            name: self._plausible(name, predicted[:, index] * self.scaling[name])
            for index, name in enumerate(self.quantities)
        }
        inside = valid.all(dim=1)
        difference = torch.zeros_like(values["M0"])
        for index, acquisition in enumerate(self.acquisitions):
            difference = difference + (self._signal(acquisition, values) - signals[:, index]).abs()
        total = torch.where(inside, difference, 0.0).sum()
        return total / (len(self.acquisitions) * inside.sum().clamp(min=1))

    def _plausible(self, name: str, values: Tensor) -> Tensor:
        # an untrained network gives values that no equation takes, such as negative times
        low, high = QUANTITIES[name].bounds
        return values if QUANTITIES[name].intensity else values.clamp(low, high)

    def _signal(self, acquisition: Acquisition, values: Mapping[str, Tensor]) -> Tensor:
        model = SIGNAL_MODELS[acquisition.method]
        arguments = {name: values[name] for name in (*model.free, *model.given)}
        for name in model.settings:
            arguments[name] = torch.tensor(float(getattr(acquisition, name)))
        return torch_signal(model.name)(**arguments)
