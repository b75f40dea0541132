"""All checks of one subject."""

from collections.abc import Sequence

from rmqnet.check.content import Said, check_content
from rmqnet.check.findings import NOT_CHECKED, Finding
from rmqnet.check.geometry import check_geometry
from rmqnet.check.images import Image, by_method, known_noise
from rmqnet.check.pairs import EMPTIED, check_pairs
from rmqnet.check.side import Seen, side_seen
from rmqnet.check.signals import SPIN_LOCK_NEEDED, VFA_NEEDED, check_signals
from rmqnet.domain.acquisition import Method
from rmqnet.domain.subject import Subject

NEEDED: tuple[tuple[Method, int, str], ...] = (
    ("vfa", VFA_NEEDED, "the stated flip angles"),
    ("spin_lock", SPIN_LOCK_NEEDED, "the stated spin-lock times"),
    ("adiabatic_t1rho", SPIN_LOCK_NEEDED, "the stated spin-lock times"),
)
"""Method, images of it from which on its settings are held against the signals, and those settings in words."""


def check_images(
    images: Sequence[Image], name: str, subject: Subject | None, seen: Seen | None = None
) -> list[Finding]:
    """Findings about the images of a subject; `subject` is None where its side is not known.

    An image without content is named once and left out of what compares images. `seen`: what `side_seen` told, where
    it was asked already.
    """
    said: list[tuple[str, str]] = []
    whole: list[Image] = []
    for image in images:
        own = [*check_content(image), *_echo_time(image)]
        said += own
        if not {rule for rule, _ in own} & {"empty", "not_magnitude", "only_noise"}:
            whole.append(image)
    said += check_geometry(images, subject)
    if subject is not None:
        said += _side(seen or side_seen(whole, subject.side), subject)
    said += check_pairs(whole)
    said += check_signals(whole)
    said += _no_air(whole)
    said += _not_asked(whole)
    return [Finding(rule, name, sentence) for rule, sentence in said]


def _no_air(images: Sequence[Image]) -> Said:
    """Which images hold no air, where none on their grid does; small images may hold too little of it to say more."""
    known = known_noise(images)
    without = [image for image in images if image.name not in known and not image.foreground.has_air]
    if not without:
        return
    emptied = all(float((image.finite == 0).mean()) > EMPTIED for image in without)
    why = "it was set to 0" if emptied else "they show tissue up to their borders, or it was set to 0"
    cure = "convert them without a mask" if emptied else "convert them uncropped and without a mask"
    few = ", ".join(image.label for image in without)
    names = "The images" if len(without) == len(images) else f"The images {few}"
    yield (
        "no_noise",
        f"{names} hold no air ({why}): what needs the noise (gain, noisy tissue, mix-ups) is not checked; {cure} "
        "to have it checked.",
    )


def _side(seen: Seen, subject: Subject) -> Said:
    if seen == "other":
        shown = "left" if subject.side == "right" else "right"
        yield (
            "side",
            f"sub-{subject.name} is said to be a {subject.side} knee, but its images show a {shown} one (where fibula, "
            "condyles and muscles lie): check `side` in participants.tsv and ImageLaterality in the sidecars, or "
            "whether a conversion mirrored the images.",
        )


def _not_asked(images: Sequence[Image]) -> Said:
    """What the images of a subject are too few for."""
    if not images:
        return
    if len(images) == 1:
        yield (
            NOT_CHECKED,
            "Not checked: whether the images show one knee, their scale and their settings (there is one image only).",
        )
        return
    left_out: list[str] = []
    for method, needed, what in NEEDED:
        n_images = len(by_method(images).get(method, ()))
        if 0 < n_images < needed:
            left_out.append(f"{what} (they need {needed} images, you have {n_images})")
    if left_out:
        yield NOT_CHECKED, f"Not checked: {'; '.join(left_out)}."


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
