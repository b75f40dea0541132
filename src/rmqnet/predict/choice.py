"""Which network a scan can be given to."""

from collections.abc import Mapping, Sequence

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.samples.agreement import acquisition_difference
from rmqnet.samples.stack import describe, matching


def choose_network(
    networks: Mapping[str, Sequence[Acquisition]], scans: Mapping[str, Sequence[Acquisition]]
) -> tuple[str, str]:
    """Name of the network with most images that every scan has, acquired as in its training, and a sentence why.

    `networks` are the images that each network has learned from, `scans` those of each subject. Raises InputError,
    which says for each network what keeps it from being used, where there is none.
    """
    if not networks:
        raise InputError(
            "this version ships no trained network: train one with `rmqnet train` and name its file with --checkpoint"
        )
    refused: dict[str, str] = {}
    for name in sorted(networks, key=lambda name: -len(networks[name])):
        obstacle = next((text for who in scans if (text := _obstacle(networks[name], who, scans[who]))), None)
        if obstacle is not None:
            refused[name] = obstacle
            continue
        whose = "the scan has" if len(scans) == 1 else f"all {len(scans)} scans have"
        larger = "".join(f"; {other}: {text}" for other, text in refused.items())
        return name, f"The network for {name} was taken: the largest whose images {whose}{larger}."
    who = next(iter(scans))
    raise InputError(
        "no shipped network can be used: "
        + "; ".join(f"{name}: {text}" for name, text in refused.items())
        + f" (sub-{who} has {describe(scans[who]) or 'no images'}); train a network on scans like these, and name "
        "its file with --checkpoint"
    )


def held_back(
    networks: Mapping[str, Sequence[Acquisition]], scans: Mapping[str, Sequence[Acquisition]], chosen: str
) -> dict[str, str]:
    """Sentence about each scan that keeps most of the others from a network of more images than the chosen one."""
    found: dict[str, str] = {}
    for name in sorted(networks, key=lambda name: -len(networks[name])):
        if len(networks[name]) <= len(networks[chosen]):
            break
        obstacles = {who: text for who in scans if (text := _obstacle(networks[name], who, scans[who]))}
        if 2 * len(obstacles) < len(scans):
            for who, text in obstacles.items():
                found.setdefault(
                    who,
                    f"{text}: so all subjects were predicted by the network for {chosen} instead of {name}. Add what "
                    f"is missing, leave sub-{who} out, or choose with --input-set.",
                )
    return found


def _obstacle(trained: Sequence[Acquisition], who: str, present: Sequence[Acquisition]) -> str | None:
    """Why a network of these images can't be used for a scan; None where it can."""
    found = matching(trained, present)
    missing = [image for image, own in zip(trained, found, strict=True) if own is None]
    if missing:
        return f"sub-{who} lacks {describe(missing)}"
    difference = acquisition_difference(trained, [own for own in found if own is not None])
    return f"of sub-{who}, {difference}" if difference else None
