"""All checks of one subject."""

from collections.abc import Sequence

from rmqnet.check.content import Said, check_content
from rmqnet.check.findings import Finding
from rmqnet.check.geometry import check_geometry
from rmqnet.check.images import Image
from rmqnet.check.pairs import check_pairs
from rmqnet.check.signals import check_signals
from rmqnet.domain.subject import Subject


def check_images(images: Sequence[Image], name: str, subject: Subject | None) -> list[Finding]:
    """Findings about the images of a subject; `subject` is None where its side is not known.

    An image without content is named once and left out of what compares images.
    """
    said: list[tuple[str, str]] = []
    whole: list[Image] = []
    for image in images:
        own = [*check_content(image), *_echo_time(image)]
        said += own
        if not {rule for rule, _ in own} & {"empty", "not_magnitude", "only_noise"}:
            whole.append(image)
    said += check_geometry(images, subject)
    said += check_pairs(whole)
    said += check_signals(whole)
    if whole and all(image.noise is None for image in whole):
        said.append(
            (
                "no_noise",
                "The images hold no air, or it was set to 0: what needs the noise (gain, noisy tissue, mix-ups) is "
                "not checked; convert them without a mask to have it checked.",
            )
        )
    return [Finding(rule, name, sentence) for rule, sentence in said]


def _echo_time(image: Image) -> Said:
    acquisition = image.acquisition
    times = (acquisition.repetition_time_excitation, acquisition.spoke_spacing)
    room = min((time for time in times if time is not None), default=None)
    if room is not None and acquisition.echo_time is not None and acquisition.echo_time >= room:
        yield (
            "echo_time",
            f"{image.label} states an echo time of {acquisition.echo_time:g} s, but its read-outs follow each "
            f"other every {room:g} s: is EchoTime in ms?",
        )
