"""Whether the images of one method share one intensity scale: where they do not, every fitted value is wrong."""

from collections.abc import Sequence

from rmqnet.domain.errors import InputError
from rmqnet.io.dicom.header import PHILIPS_SCALE
from rmqnet.io.dicom.methods import FoundVolume
from rmqnet.io.dicom.pixels import PixelReader

_GE = "GEMS_ACQU_01"
_OTHER_BRIGHTNESS = 0.1
"""Relative difference of the mean of two scans of one contrast that is more than motion makes (our choice): a contrast
agent that halves T1 makes an image at 20 degrees 65 % brighter, one at 5 degrees 10 %."""
_GAINS = {
    "receive gain": ((0x0019, 0x95), (0x0019, 0x96)),
    "transmit gain": ((0x0019, 0x94),),
}


def scaling_notes(found: Sequence[FoundVolume]) -> list[str]:
    """Sentences about volumes of one method that can't be compared in intensity."""
    notes: list[str] = []
    for method in dict.fromkeys(item.acquisition.method for item in found):
        own = [item for item in found if item.acquisition.method == method]
        headers = [item.volume.frames[0].header for item in own]
        for name, tags in _GAINS.items():
            gains = {
                tuple(header.private_number(group, element, _GE) for group, element in tags)
                for header in headers
            }
            if len(gains) > 1:
                series = ", ".join(item.volume.label for item in own)
                notes.append(
                    f"The {name} changed between series {series} ({method}): unless the scanner corrected it, maps "
                    "fitted from them are wrong."
                )
        unscaled = [
            item.volume.label
            for item, header in zip(own, headers, strict=True)
            if header.is_philips and header.private_number(*PHILIPS_SCALE) is None
        ]
        if unscaled and len(own) > 1:
            notes.append(
                f"Series {', '.join(unscaled)} ({method}) are Philips images without the private scale slope "
                "(removed by anonymization?): each may be scaled to its own maximum, and maps fitted from them are "
                "then wrong."
            )
    return notes


def rescan_note(first: FoundVolume, later: FoundVolume) -> list[str]:
    """A sentence where an image that is taken for a rescan of another differs from it in brightness."""
    try:
        before, after = (float(PixelReader().intensities(one.volume.frames).mean()) for one in (first, later))
    except InputError:
        return []  # the import of these images says what is wrong with them
    if before <= 0.0 or abs(after / before - 1.0) <= _OTHER_BRIGHTNESS:
        return []
    return [
        f"Series {later.volume.label} is taken as a rescan of series {first.volume.label}, but its mean is "
        f"{after / before:.2f} times as high: if a contrast agent was given between them, give series "
        f"{later.volume.label} the method skip in a table (--settings)."
    ]
