"""What kind of image a frame is: measured or computed, which part of a Dixon image, how it was corrected.

Scanners say it in any value of ImageType or FrameType, in a private copy of it, in units, or only in the description.
Words: DICOM PS3.3 C.8.3.1.1.1 and C.8.13.3.1 (standard); public readers of vendors' files, among them dcm2niix issues
243 and 719 (Siemens), 345, 455, 641 and 1022 (Philips), heudiconv issue 266 (NORM), mrQA issue 49 (SUB, MOCO).
"""

import re
from dataclasses import dataclass

from rmqnet.io.dicom.header import Header

_SIEMENS_TYPE = (0x0021, 0x1175)
"""Where Siemens XA keeps the values that ImageType had before (ImageTypeText)."""
_SIEMENS_ITEMS = (0x0021, 0x11FE)
"""The private sequence that holds it in enhanced images."""

# a word that is a quantity only where it does not name a weighting or a sequence, as in T1\NONE and M_B1\M\B1
_WEIGHTINGS = {"T1", "T2", "T2 STAR", "T2*", "PROTON DENSITY", "PD", "T1RHO"}
_QUANTITIES = {
    "ADC": "ADC",
    "EADC": "ADC",
    "FA": "fractional anisotropy",
    "TRACEW": "diffusion trace",
    "TRACE": "diffusion trace",
    "B0": "B0",
    "B1": "B1",
    "R1": "R1",
    "R2": "R2",
    "R2*": "R2*",
    "R2 STAR": "R2*",
    "R2STAR": "R2*",
    "R1RHO": "R1rho",
    "RHO": "proton density",
    "FF": "fat fraction",
    "PDFF": "fat fraction",
    "FATFRAC": "fat fraction",
    "FAT FRACTION": "fat fraction",
    "WATER FRACTION": "water fraction",
    "WF": "water fraction",
    "VELOCITY": "velocity",
    "QUANTITY": "quantitative",
    "FIT": "fit",
} | {word: word.removesuffix(" STAR") + "*" * word.endswith(" STAR") for word in _WEIGHTINGS}
_COMPUTED = {
    "SUB": "a subtraction",
    "SUBTRACTION": "a subtraction",
    "MODULUS SUBTRACT": "a subtraction",
    "PHASE SUBTRACT": "a subtraction",
    "ADDITION": "a sum of images",
    "IMAGE ADDITION": "a sum of images",
    "DIVISION": "a ratio of images",
    "MULTIPLICATION": "a product of images",
    "MEAN": "a mean of images",
    "MAXIMUM": "a maximum of images",
    "MINIMUM": "a minimum of images",
    "STD DEVIATION": "a standard deviation of images",
    "TTEST": "a statistical image",
    "R COEFFICIENT": "a statistical image",
    "MASKED": "a masked image",
    "UNI": "a combination of inversion images (UNI)",
    "SYNTHETIC": "a synthetic image",
    "MPR": "a reformatted image",
    "CURVED MPR": "a reformatted image",
    "REFORMATTED": "a reformatted image",
    "RESAMPLED": "a reformatted image",
    "MIP": "a projection",
    "MINIP": "a projection",
    "MIN IP": "a projection",
    "MAX IP": "a projection",
    "MEAN IP": "a projection",
    "MEDIAN IP": "a projection",
    "PROJECTION IMAGE": "a projection",
    "VOLUME RENDER": "a rendering",
    "SURFACE RENDER": "a rendering",
    "CSAPARALLEL": "a protocol page",
    "CSA REPORT": "a protocol page",
}
_DIXON = {
    "W": "water",
    "WATER": "water",
    "F": "fat",
    "FAT": "fat",
    "IP": "in phase",
    "IN PHASE": "in phase",
    "INPHASE": "in phase",
    "OP": "opposed phase",
    "OPP PHASE": "opposed phase",
    "OPPOSED PHASE": "opposed phase",
    "OUT PHASE": "opposed phase",
    "OUT OF PHASE": "opposed phase",
    "OUTPHASE": "opposed phase",
}
_GENERAL = {
    "ORIGINAL",
    "DERIVED",
    "PRIMARY",
    "SECONDARY",
    "MIXED",
    "OTHER",
    "NONE",
    "VOLUME",
    "NORM",
    "ND",
    "DIS2D",
    "DIS3D",
    "MOCO",
    "MFSPLIT",
    "GSPS",
    "M",
    "DIXON",
    "MAGNITUDE",
}
"""Words that tell nothing of a kind, or are told by another field."""
_FILTERED = re.compile(r"FIL\d*|FM\d+(?: \d+)*|SH\d*(?: \d+)*")
_UNITS = re.compile(
    r"ms|msec|s|sec|us|Hz|HZ|hz|rad/s|1/s|/s|s-1|s\^-1|1/ms|/ms|%|percent|PERCENT|[um]m2/s|ppm|ppb|MS|MSEC|SEC"
)
"""Physical units, in the words of UCUM and of vendors: magnitude images have none ("US" is unspecified)."""
_PLAIN_MAP = re.compile(
    r"(?<![a-z0-9])(?:t1[\s_-]?rho|r1[\s_-]?rho|t2[\s_-]?star|t2\*|t2s|t1|t2|r2[\s_-]?star|r2\*|r2s|r1|r2|b0|b1\+?|pd|m0|"
    r"e?adc|ff|pdff|fat[\s_-]?fraction|water[\s_-]?fraction|fit|param(?:etric)?|colou?r)[\s_-]*(?:parametric[\s_-]*)?"
    r"maps?(?![a-z])"
    r"|_(?:t1|t2|t2[\s_-]?star|t2\*|r2|r2[\s_-]?star|r2\*)_images?(?![a-z])"
    r"|(?<![a-z])(?:e?adc|pdff|fat[\s_-]?frac(?:tion)?)(?![a-z])"
    r"|(?<![a-z0-9])r2(?:\*|[\s_-]?star)(?![a-z])",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"(?<![a-z])(?:fa|flip|alpha|tsl|te|ti|tr|sl)[\s_=:-]*(?:angle)?[\s_=:-]*\d|\d\s*(?:deg|\N{DEGREE SIGN}|ms|us|hz)"
    r"|(?<![a-z])afi(?![a-z])",
    re.IGNORECASE,
)
"""A setting in a description: it names one measured image of a protocol, which may be called "T1 map"."""
_SUBTRACTION = re.compile(r"(?:^|[\s_])sub$|(?<![a-z])subtract", re.IGNORECASE)
_PROJECTION = re.compile(r"(?<![a-z])m(?:in|ax)?ip(?![a-z])", re.IGNORECASE)
_DIXON_NAMES = {
    "water": ("water", "w"),
    "fat": ("fat", "f"),
    "in phase": (r"in[\s_-]?phase", "in|ip"),
    "opposed phase": (r"(?:out|opp(?:osed)?)(?:[\s_-]?of)?[\s_-]?phase", "opp|op|out"),
}
_DIXON_PATTERNS = {
    part: re.compile(rf"^\s*{word}\s*:|(?:dixon|ideal|flex).*[\s_-](?:{word}|{short})$", re.IGNORECASE)
    for part, (word, short) in _DIXON_NAMES.items()
}
"""Dixon parts in descriptions: GE puts them before a colon, others at the end."""


@dataclass(frozen=True, order=True)
class ImageKind:
    """What an image shows and how it was corrected; images of different kinds are never fitted together."""

    component: str = "M"
    """M, P, R or I."""
    computed: str = ""
    """What the scanner computed, in words ("a T1 map"); "" for a measured image."""
    dixon: str = ""
    """water, fat, in phase or opposed phase; "" where fat and water were not separated."""
    distortion_correction: str = ""
    """2D or 3D; "" where distortion by the gradients was not corrected."""
    normalized: bool = False
    """True where the scanner divided by the sensitivity of the coil."""
    filtered: bool = False
    """True where the scanner filtered the image."""
    motion_corrected: bool = False
    """True where the scanner moved the image onto another."""

    @property
    def in_words(self) -> str:
        """The kind for a person, "as measured" where nothing was done to it."""
        distortion = (
            f"distortion corrected in {self.distortion_correction}" if self.distortion_correction else ""
        )
        parts = (
            self.dixon,
            "normalized" if self.normalized else "",
            distortion,
            "filtered" if self.filtered else "",
            "motion corrected by the scanner" if self.motion_corrected else "",
        )
        return self.computed or ", ".join(part for part in parts if part) or "as measured"


def image_kind(header: Header) -> ImageKind:
    """Kind of the image that a frame belongs to, from all values that state it."""
    words = type_words(header)
    filtered = any(_FILTERED.fullmatch(word) for word in words)
    correction = next((word[3:] for word in ("DIS3D", "DIS2D") if word in words), "")
    return ImageKind(
        component=header.component,
        computed=_computed(header, words),
        dixon=_dixon(header, words),
        distortion_correction=correction,
        normalized="NORM" in words,
        filtered=filtered,
        motion_corrected="MOCO" in words,
    )


def type_words(header: Header) -> tuple[str, ...]:
    """Values of FrameType or ImageType, then those of their private copy, in capitals, "_" as a blank."""
    words = list(header.words("ImageType"))
    stated = header.nested_tag(_SIEMENS_ITEMS, _SIEMENS_TYPE)
    if stated is not None:
        own = [str(word).strip().upper() for word in ([stated] if isinstance(stated, str) else stated)]
        words += own[2:]
    of_file = header.file_words("ImageType")
    if header.in_groups("ImageType") and "MIXED" not in of_file:
        # what an enhanced file states for all of its frames; its third value may be a weighting
        words += [word for place, word in enumerate(of_file[2:]) if place or _plain(word) not in _WEIGHTINGS]
    return tuple(map(_plain, words))


def _plain(word: str) -> str:
    """A value with blanks for "_"."""
    return re.sub(r"[\s_]+", " ", word).strip()


def other_words(header: Header) -> str:
    """The values whose meaning is not known here: they tell images at one position apart."""
    known = _GENERAL | _DIXON.keys() | _COMPUTED.keys() | _QUANTITIES.keys()
    return " ".join(sorted(word for word in type_words(header) if word not in known))


def plainly_a_map(description: str) -> bool:
    """True where a description names a map, and no setting of a measured image."""
    return bool(_PLAIN_MAP.search(description) and not _SETTING.search(description))


def _computed(header: Header, words: tuple[str, ...]) -> str:
    for word in words[2:]:
        if word in _COMPUTED:
            return _COMPUTED[word]
        if re.search(r"MAPS?$", word.removesuffix("*")) and word != "PHASE MAP":
            return _with_article(f"{_map_name(word)} map")
    quantity = _bare_quantity(words)
    if quantity:
        return _with_article(f"{quantity} map")
    technique = _plain(header.text("VolumeBasedCalculationTechnique").upper())
    if technique in _COMPUTED:
        return _COMPUTED[technique]
    for unit in header.units:
        if _UNITS.fullmatch(unit):
            return f"a map in {unit}"
    description = header.text("SeriesDescription")
    if _SUBTRACTION.search(description):
        return "a subtraction"
    if _PROJECTION.search(description):
        return "a projection"
    if words[:1] == ("DERIVED",):
        return "derived"
    return ""


def _with_article(name: str) -> str:
    """The name after "a" or "an", as it is spoken: an R2 map, a T1 map, a fit map."""
    return f"{'an' if re.match(r'[AEFHILMNORSX](?=[A-Z0-9])|[aeiou]', name) else 'a'} {name}"


def _map_name(word: str) -> str:
    name = re.sub(r"\s*MAPS?$", "", word)
    if name in ("", "Q", "MULTI Q"):
        return "quantitative"
    return _QUANTITIES.get(name, name.lower() if name.isalpha() else name)


def _bare_quantity(words: tuple[str, ...]) -> str:
    """The quantity that a value names without the word map; "" where it names a weighting or a sequence."""
    for place, word in enumerate(words[2:], start=2):
        if word not in _QUANTITIES:
            continue
        # ORIGINAL\PRIMARY\M_B1\M\B1: a magnitude image of a sequence called B1 (Philips)
        of_sequence = any(re.fullmatch(rf"[MPRI] {re.escape(word)}", other) for other in words)
        # ORIGINAL\PRIMARY\T1\NONE: a T1-weighted image (enhanced)
        weighting = word in _WEIGHTINGS and place == 2
        if not of_sequence and not weighting:
            return _QUANTITIES[word]
    return ""


def _dixon(header: Header, words: tuple[str, ...]) -> str:
    for word in words[2:]:
        if word in _DIXON:
            return _DIXON[word]
    description = header.text("SeriesDescription")
    return next((part for part, pattern in _DIXON_PATTERNS.items() if pattern.search(description)), "")
