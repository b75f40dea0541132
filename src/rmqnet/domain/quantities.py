"""The quantities that are mapped: units, plausible ranges, names on disk, how they are shown and scaled."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """One mapped quantity; every other table derives from these fields."""

    name: str
    """Key of the quantity everywhere in the program."""
    long_name: str
    """Name shown to a person."""
    unit: str
    """House unit of all values inside the program ("" for a ratio, "a.u." for arbitrary units)."""
    plausible: tuple[float, float]
    """Range in which a value is believed to be tissue of a knee at 3 T [house unit]."""
    bounds: tuple[float, float]
    """Range searched by a fit [house unit]; a fit that ends on a border is reported as failed."""
    display_unit: str
    """Unit in reports and figures."""
    display_factor: float
    """House unit to display unit."""
    display_range: tuple[float, float] | None
    """Fixed colour range in the display unit; None where the scale is arbitrary."""
    colormap: str
    """Colour map of matplotlib or, with cmc. before its name, of cmcrameri.

    Lipari for T1 and Navia for T1rho: recommended for T1 and T2 (Fuderer 2025); T1rho is shown as T2 is, a default.
    """
    bids_suffix: str
    """Suffix of the map's file name."""
    bids_folder: str
    """Data type folder of the map (anat or fmap)."""
    bids_unit: str
    """`Units` in the sidecar."""
    bids_factor: float
    """House unit to the unit on disk."""
    network_scale: float
    """The network predicts value / network_scale; M0 is first divided by the subject's intensity scale."""
    intensity: bool = False
    """True where the value is proportional to the arbitrary scale of the images."""


# Fit bounds of T1 and T1rho: 0.05-5 s and 1-300 ms, defaults of this project (the paper gives none).
QUANTITIES: dict[str, Quantity] = {
    "M0": Quantity(
        name="M0",
        long_name="relative proton density, with receive sensitivity",
        unit="a.u.",
        plausible=(0.0, float("inf")),
        bounds=(0.0, float("inf")),
        display_unit="a.u.",
        display_factor=1.0,
        display_range=None,
        colormap="gray",
        bids_suffix="M0map",
        bids_folder="anat",
        bids_unit="arbitrary",
        bids_factor=1.0,
        # M0 is about five times the brightest images of these protocols; scaled so, no map outweighs the others
        network_scale=5.0,
        intensity=True,
    ),
    "T1": Quantity(
        name="T1",
        long_name="longitudinal relaxation time",
        unit="s",
        plausible=(0.1, 4.5),
        bounds=(0.05, 5.0),
        display_unit="ms",
        display_factor=1e3,
        display_range=(0.0, 2000.0),
        colormap="cmc.lipari",
        bids_suffix="T1map",
        bids_folder="anat",
        bids_unit="s",
        bids_factor=1.0,
        network_scale=1.0,
    ),
    "B1": Quantity(
        name="B1",
        long_name="transmit field, achieved over nominal flip angle",
        unit="",
        plausible=(0.5, 1.5),
        bounds=(0.2, 2.2),
        display_unit="%",
        display_factor=100.0,
        display_range=(70.0, 130.0),
        colormap="coolwarm",
        bids_suffix="TB1map",
        bids_folder="fmap",
        bids_unit="percent",
        bids_factor=100.0,
        network_scale=1.0,
    ),
    "T1rho": Quantity(
        name="T1rho",
        long_name="relaxation time in the rotating frame",
        unit="s",
        plausible=(0.004, 0.2),
        bounds=(0.001, 0.3),
        display_unit="ms",
        display_factor=1e3,
        display_range=(0.0, 100.0),
        colormap="cmc.navia",
        bids_suffix="T1rho",
        bids_folder="anat",
        bids_unit="s",
        bids_factor=1.0,
        network_scale=0.05,
    ),
    "T1rho_short": Quantity(
        name="T1rho_short",
        long_name="T1rho of the short component",
        unit="s",
        plausible=(0.001, 0.05),
        bounds=(0.0005, 0.3),
        display_unit="ms",
        display_factor=1e3,
        display_range=(0.0, 40.0),
        colormap="cmc.navia",
        bids_suffix="T1rhoshort",
        bids_folder="anat",
        bids_unit="s",
        bids_factor=1.0,
        network_scale=0.05,
    ),
    "T1rho_long": Quantity(
        name="T1rho_long",
        long_name="T1rho of the long component",
        unit="s",
        plausible=(0.004, 0.3),
        bounds=(0.001, 0.6),
        display_unit="ms",
        display_factor=1e3,
        display_range=(0.0, 200.0),
        colormap="cmc.navia",
        bids_suffix="T1rholong",
        bids_folder="anat",
        bids_unit="s",
        bids_factor=1.0,
        network_scale=0.05,
    ),
    "short_fraction": Quantity(
        name="short_fraction",
        long_name="part of the signal in the short component",
        unit="",
        plausible=(0.001, 0.999),
        bounds=(0.001, 0.999),
        display_unit="%",
        display_factor=100.0,
        display_range=(0.0, 100.0),
        colormap="cividis",
        bids_suffix="shortfraction",
        bids_folder="anat",
        bids_unit="percent",
        bids_factor=100.0,
        network_scale=1.0,
    ),
    "stretching_exponent": Quantity(
        name="stretching_exponent",
        long_name="stretching exponent: 1 for one relaxation time, less for a spread of them",
        unit="",
        plausible=(0.3, 1.3),
        bounds=(0.2, 2.0),
        display_unit="",
        display_factor=1.0,
        display_range=(0.3, 1.3),
        colormap="cividis",
        bids_suffix="stretching",
        bids_folder="anat",
        bids_unit="ratio",
        bids_factor=1.0,
        network_scale=1.0,
    ),
    "offset": Quantity(
        name="offset",
        long_name="floor of the decay over its amplitude",
        unit="",
        plausible=(-0.2, 1.0),
        bounds=(-0.9, 100.0),
        display_unit="%",
        display_factor=100.0,
        display_range=(-20.0, 50.0),
        colormap="cividis",
        bids_suffix="offset",
        bids_folder="anat",
        bids_unit="percent",
        bids_factor=100.0,
        network_scale=1.0,
    ),
}

REGRESSION_ORDER: tuple[str, ...] = ("M0", "T1", "B1", "T1rho")
"""The four maps of the paper, in the order of its equation 1."""
