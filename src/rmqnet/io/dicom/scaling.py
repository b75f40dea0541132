"""Whether the images of one method share one intensity scale: where they do not, every fitted value is wrong."""

from collections.abc import Sequence

from rmqnet.io.dicom.header import PHILIPS_SCALE
from rmqnet.io.dicom.methods import FoundVolume

_GE = "GEMS_ACQU_01"
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
