"""What one DICOM header says about one frame, the same for classic and enhanced multi-frame images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SECONDS = 0.001
"""DICOM times are in ms."""

# where an enhanced image keeps what a classic one has at the top: (functional group, keyword) by classic keyword
_GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    "ImagePositionPatient": (("PlanePositionSequence", "ImagePositionPatient"),),
    "ImageOrientationPatient": (("PlaneOrientationSequence", "ImageOrientationPatient"),),
    "PixelSpacing": (("PixelMeasuresSequence", "PixelSpacing"),),
    "EchoTime": (("MREchoSequence", "EffectiveEchoTime"),),
    "RepetitionTime": (("MRTimingAndRelatedParametersSequence", "RepetitionTime"),),
    "FlipAngle": (("MRTimingAndRelatedParametersSequence", "FlipAngle"),),
    "InversionTime": (("MRModifierSequence", "InversionTimes"),),
    "ImageType": (("MRImageFrameTypeSequence", "FrameType"),),
    "ComplexImageComponent": (("MRImageFrameTypeSequence", "ComplexImageComponent"),),
    "VolumeBasedCalculationTechnique": (("MRImageFrameTypeSequence", "VolumeBasedCalculationTechnique"),),
    "T2Preparation": (("MRModifierSequence", "T2Preparation"),),
    "SliceThickness": (("PixelMeasuresSequence", "SliceThickness"),),
    "SpacingBetweenSlices": (("PixelMeasuresSequence", "SpacingBetweenSlices"),),
    "RescaleType": (("PixelValueTransformationSequence", "RescaleType"),),
    "ImageLaterality": (("FrameAnatomySequence", "FrameLaterality"),),
    "AcquisitionNumber": (("FrameContentSequence", "FrameAcquisitionNumber"),),
    "TemporalPositionIdentifier": (("FrameContentSequence", "TemporalPositionIndex"),),
    "AcquisitionTime": (("FrameContentSequence", "FrameAcquisitionDateTime"),),
    "TriggerTime": (("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),),
    "RescaleSlope": (("PixelValueTransformationSequence", "RescaleSlope"),),
    "RescaleIntercept": (("PixelValueTransformationSequence", "RescaleIntercept"),),
}

_GAUSS, _STRONGEST = 1e4, 100.0
"""Gauss in a tesla, and the field [T] above which a number is one in gauss (default); magnets for people have 12 T."""
PHILIPS_SCALE = (0x2005, 0x0E, "Philips MR Imaging DD 001")
"""Group, element in its block and creator of Philips' scale slope (Chenevert 2014, Transl Oncol 7:65)."""
_COMPONENTS = {"M": "magnitude", "P": "phase", "R": "real part", "I": "imaginary part"}
_COMPONENT_WORDS = {"MAGNITUDE": "M", "PHASE": "P", "REAL": "R", "IMAGINARY": "I", "PHASE MAP": "P"}
_GE_COMPONENTS = {0: "M", 1: "P", 2: "R", 3: "I"}


@dataclass(frozen=True)
class Header:
    """The attributes of one frame: those of its functional groups, else those at the top of the file."""

    dataset: "Dataset"
    frame: int
    """Index of the frame in its file, from 0."""

    def get(self, keyword: str, default: Any = None) -> Any:
        """Value of a standard attribute; the default where it is absent, empty or not of its type."""
        value = self._of_groups(keyword)
        value = _value(self.dataset, keyword) if value is None else value
        return default if value is None else value

    def in_groups(self, keyword: str) -> bool:
        """True where a functional group of the frame states the attribute."""
        return self._of_groups(keyword) is not None

    def number(self, keyword: str) -> float | None:
        """A single number; the first of several; None where it is absent or no number."""
        return _number(self.get(keyword))

    def numbers(self, keyword: str, count: int) -> tuple[float, ...] | None:
        """Exactly `count` finite numbers, or None."""
        value = self.get(keyword)
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != count:
            return None
        found = [_number(item) for item in value]
        return None if any(item is None for item in found) else tuple(float(item or 0.0) for item in found)

    def text(self, keyword: str) -> str:
        """Text without surrounding blanks; "" where it is absent."""
        return str(self.get(keyword, "")).strip()

    def words(self, keyword: str) -> tuple[str, ...]:
        """The values of an attribute with several, in capitals."""
        return _words(self.get(keyword, ()))

    def file_words(self, keyword: str) -> tuple[str, ...]:
        """The same from the top of the file, whatever the frame says."""
        return _words(_value(self.dataset, keyword) or ())

    def tag(self, group: int, element: int) -> Any:
        """Value of any tag, private ones included, of the frame or of the file; None where it is absent."""
        for place in (*self._groups(), self.dataset):
            if (group, element) in place:
                return place[group, element].value
        return None

    def nested_tag(self, sequence: tuple[int, int], inner: tuple[int, int]) -> Any:
        """Value of a tag of the frame or of the file, or in the first item of a private sequence there."""
        value = self.tag(*inner)
        items = self.tag(*sequence) if value is None else None
        if not isinstance(items, Sequence) or isinstance(items, str | bytes) or not items:
            return value
        return items[0][inner].value if inner in items[0] else None

    def private_number(self, group: int, element: int, creator: str) -> float | None:
        """A number in the private block of a creator, whose name starts so; None where it is absent."""
        for place in (*self._philips_items(), self.dataset):
            for data_element in place.group_dataset(group):
                if data_element.tag.element >> 8 or not str(data_element.value).startswith(creator):
                    continue
                tag = (group, (data_element.tag.element << 8) + element)
                if tag in place and (value := _number(place[tag].value)) is not None:
                    return value
        return None

    @property
    def component(self) -> str:
        """M, P, R or I: magnitude, phase, real or imaginary part; M where nothing is said."""
        word = self.text("ComplexImageComponent").upper()
        if word in _COMPONENT_WORDS:
            return _COMPONENT_WORDS[word]
        if "GE MEDICAL" in self.text("Manufacturer").upper():
            code = self.private_number(0x0043, 0x2F, "GEMS_PARM_01")
            if code in _GE_COMPONENTS:
                return _GE_COMPONENTS[int(code)]
        for word in self.words("ImageType")[2:]:
            for ending in (word, word.removesuffix("_FFE").removesuffix("_SE").removesuffix("_IR")):
                if ending in _COMPONENTS:
                    return ending
                if ending in _COMPONENT_WORDS:
                    return _COMPONENT_WORDS[ending]
        return "M"

    @property
    def scale(self) -> tuple[float, float]:
        """Slope and intercept that turn stored numbers into intensities comparable between images.

        Philips scales the stored numbers of every image to its own maximum; its private scale slope takes that
        back: (stored x rescale slope + rescale intercept) / (rescale slope x scale slope).
        """
        slope, intercept = self.number("RescaleSlope") or 1.0, self.number("RescaleIntercept") or 0.0
        private = self.private_number(*PHILIPS_SCALE) if self.is_philips else None
        if not private:
            return slope, intercept
        return 1.0 / private, intercept / (slope * private)

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the intensities as the header states them: of its real-world values, and its RescaleType."""
        codes = [
            _value(code, "CodeValue")
            for place in (*self._groups(), self.dataset)
            for mapping in _value(place, "RealWorldValueMappingSequence") or ()
            for code in _value(mapping, "MeasurementUnitsCodeSequence") or ()
        ]
        return tuple(str(text).strip() for text in (*codes, self.get("RescaleType")) if text is not None)

    @property
    def field_strength(self) -> float | None:
        """Field of the magnet [T]; some scanners write it in gauss."""
        stated = self.number("MagneticFieldStrength")
        return stated / _GAUSS if stated is not None and stated > _STRONGEST else stated

    @property
    def contrast_agent(self) -> bool:
        """True where the header states that a contrast agent was given before the image."""
        for group in self._groups():
            for usage in _value(group, "ContrastBolusUsageSequence") or ():
                return str(_value(usage, "ContrastBolusAgentAdministered")).upper() == "YES"
        stated = self.text("ContrastBolusAgent").upper() not in ("", "NONE", "NO", "N/A", "N.A.")
        if not stated and not _value(self.dataset, "ContrastBolusAgentSequence"):
            return False
        given, measured = self.number("ContrastBolusStartTime"), self.number("AcquisitionTime")
        return given is None or measured is None or measured >= given

    @property
    def is_philips(self) -> bool:
        """True for images of Philips scanners."""
        return "PHILIPS" in self.text("Manufacturer").upper()

    def _of_groups(self, keyword: str) -> Any:
        for sequence, inner in _GROUPS.get(keyword, ()):
            for group in self._groups():
                items = group.get(sequence)
                if items and (value := _value(items[0], inner)) is not None:
                    return value
        return None

    def _groups(self) -> "list[Dataset]":
        """Functional groups of this frame, then those shared by all."""
        per_frame = self.dataset.get("PerFrameFunctionalGroupsSequence") or ()
        own = [per_frame[self.frame]] if self.frame < len(per_frame) else []
        return [*own, *(self.dataset.get("SharedFunctionalGroupsSequence") or ())]

    def _philips_items(self) -> "list[Dataset]":
        """The classic header that Philips hides in the functional groups of its enhanced images."""
        private = [element for group in self._groups() for element in group.group_dataset(0x2005)]
        return [element.value[0] for element in private if element.VR == "SQ" and element.value]


def component_name(component: str) -> str:
    """M, P, R or I in words."""
    return _COMPONENTS[component]


def _value(dataset: "Dataset", keyword: str) -> Any:
    """Value of an attribute; None where it is absent, empty or not of its type, as "13x0" for a number."""
    try:
        value = dataset.get(keyword)
    except (ValueError, TypeError, OverflowError, AttributeError, KeyError, NotImplementedError):
        # how pydicom says that a value is not of its type
        return None
    return None if value == "" else value


def _words(value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    return tuple(str(item).strip().upper() for item in values)


def _number(value: Any) -> float | None:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        value = value[0] if len(value) else None
    try:
        number = float(value)  # pyright: ignore[reportArgumentType]  # None is caught below
    except (TypeError, ValueError):
        return None
    return number if abs(number) < float("inf") else None
