"""What the checks say about maps that were just made: flags that travel with them, and notes."""

from rmqnet.check.findings import RULES
from rmqnet.check.fitted import check_fitted
from rmqnet.check.images import images_of, with_content
from rmqnet.check.signals import check_signals
from rmqnet.domain.maps import MapSet
from rmqnet.domain.scan import Scan


def quality(scan: Scan, maps: MapSet) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Why these maps should be doubted, and what else is worth knowing: sentences about signals and values.

    The rules are those of `rmqnet check --maps`, in docs/reference/checks.md.
    """
    images = images_of(scan)
    said = [*check_signals(with_content(images)), *check_fitted(images, maps)]
    flags = tuple(sentence for rule, sentence in said if RULES[rule].severity != "note")
    return flags, tuple(sentence for rule, sentence in said if RULES[rule].severity == "note")
