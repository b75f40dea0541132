"""What a network was before its last training, as its record tells."""

from collections.abc import Mapping


def beginning(training: Mapping[str, object]) -> str:
    """The network that a training began with, that one's own beginning, and their epochs; "" for random weights."""
    start = training.get("started_from")
    if not isinstance(start, Mapping):
        return ""
    epochs = start.get("epochs")
    text = f"the network for {start.get('input_set', 'another input set')}"
    text += " that has learned the truth" if start.get("targets") == "truth" else ""
    text += f" ({epochs} epochs)" if isinstance(epochs, int) else ""
    earlier = beginning(start)
    return f"{text}, that from {earlier}" if earlier else text


def as_beginning(training: Mapping[str, object], input_set: str, weights: str) -> dict[str, object]:
    """What the record of a training says of the network that it begins with: its record, input set and hash."""
    config, earlier = training.get("config"), training.get("started_from")
    epochs = config.get("epochs") if isinstance(config, Mapping) else None
    own: dict[str, object] = {"input_set": input_set, "weights": weights, "epochs": epochs}
    if (targets := learned_targets(training)) != "reference":
        own["targets"] = targets
    return {**own, "started_from": earlier} if earlier else own


def learned_targets(training: Mapping[str, object]) -> str:
    """What maps a network has learned, "reference" (fits) or "truth" (what was simulated), as its record tells."""
    config = training.get("config")
    targets = config.get("targets") if isinstance(config, Mapping) else None
    return targets if isinstance(targets, str) else "reference"
