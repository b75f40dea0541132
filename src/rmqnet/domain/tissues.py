"""The tissues of the knee: labels, colours, and their magnetic properties at 3 T."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tissue:
    """One tissue; the magnetic values are means over people, varied per subject by the simulator."""

    name: str
    label: int
    """Value in label images."""
    color: str
    """Colour in figures and label tables (#RRGGBB)."""
    T1: float
    """Longitudinal relaxation time [s]."""
    T1rho: float
    """Adiabatic T1rho [s]; for fat, which is saturated, only nominal."""
    density: float
    """Proton density seen at an ultrashort echo time, relative to fluid."""
    source: str
    """Where the values are from; "default" marks our own choice."""
    fat: bool = False
    """True where the signal comes from fat, which the fat saturation acts on."""


_MA = "T1rho: Ma 2018, MRM 80:1429; "

TISSUES: dict[str, Tissue] = {
    tissue.name: tissue
    for tissue in (
        Tissue(
            "femoral_cartilage", 1, "#e6194b", 0.985, 0.0405, 0.80, "means implied by Table 2 of the paper"
        ),
        Tissue("medial_tibial_cartilage", 2, "#f58231", 0.985, 0.0405, 0.80, "as femoral cartilage"),
        Tissue("lateral_tibial_cartilage", 3, "#ffe119", 0.985, 0.0405, 0.80, "as femoral cartilage"),
        Tissue("patellar_cartilage", 4, "#f032e6", 0.985, 0.0405, 0.80, "as femoral cartilage"),
        Tissue("medial_meniscus", 5, "#3cb44b", 0.830, 0.0225, 0.70, _MA + "T1, density: default"),
        Tissue("lateral_meniscus", 6, "#aaffc3", 0.830, 0.0225, 0.70, _MA + "T1, density: default"),
        Tissue("anterior_cruciate_ligament", 7, "#4363d8", 0.870, 0.0349, 0.65, _MA + "T1, density: default"),
        Tissue(
            "posterior_cruciate_ligament", 8, "#42d4f4", 0.830, 0.0216, 0.65, _MA + "T1, density: default"
        ),
        Tissue("quadriceps_tendon", 9, "#911eb4", 0.800, 0.0139, 0.60, _MA + "T1, density: default"),
        Tissue("patellar_tendon", 10, "#dcbeff", 0.650, 0.0097, 0.60, _MA + "T1, density: default"),
        Tissue("muscle", 11, "#9a6324", 1.250, 0.0432, 0.80, _MA + "T1, density: default"),
        Tissue("subcutaneous_fat", 12, "#fffac8", 0.380, 0.0600, 0.90, "default", fat=True),
        Tissue("synovial_fluid", 13, "#469990", 3.000, 0.2000, 1.00, "default"),
        Tissue("skin", 14, "#a9a9a9", 0.900, 0.0200, 0.60, "default"),
        Tissue("femoral_marrow", 15, "#bfef45", 0.370, 0.0600, 0.90, "default", fat=True),
        Tissue("tibial_marrow", 16, "#808000", 0.370, 0.0600, 0.90, "default", fat=True),
        Tissue("patellar_marrow", 17, "#ffd8b1", 0.370, 0.0600, 0.90, "default", fat=True),
        Tissue("fibular_marrow", 19, "#c2b280", 0.370, 0.0600, 0.90, "default", fat=True),
        Tissue(
            "cortical_bone",
            18,
            "#808080",
            0.112,
            0.0010,
            0.22,
            "T1: bound water in vivo (IR-UTE); T1rho: default",
        ),
        Tissue("calcified_cartilage", 20, "#e0a0a0", 0.450, 0.0100, 0.55, "default"),
        Tissue(
            "medial_collateral_ligament", 21, "#0082c8", 0.830, 0.0216, 0.65, "default: as posterior cruciate"
        ),
        Tissue(
            "lateral_collateral_ligament",
            22,
            "#46c0f0",
            0.830,
            0.0216,
            0.65,
            "default: as posterior cruciate",
        ),
        Tissue("retinaculum", 23, "#b07aa1", 0.800, 0.0139, 0.60, "default: as quadriceps tendon"),
        Tissue(
            "popliteal_vessels",
            24,
            "#c00000",
            1.650,
            0.1000,
            0.85,
            "T1: arterial blood at 3 T (Lu 2004, MRM 52:679); T1rho, density: default",
        ),
        Tissue("intermuscular_fat", 25, "#fff0b3", 0.380, 0.0600, 0.88, "default", fat=True),
        Tissue("infrapatellar_fat_pad", 26, "#f5deb3", 0.390, 0.0600, 0.88, "default", fat=True),
    )
}
"""All tissues that a label image can hold; label 0 is background (air)."""

UNIONS: dict[str, tuple[str, ...]] = {
    "cartilage": (
        "femoral_cartilage",
        "medial_tibial_cartilage",
        "lateral_tibial_cartilage",
        "patellar_cartilage",
    ),
    "meniscus": ("medial_meniscus", "lateral_meniscus"),
}
"""Regions made of several tissues; each has rows of its own in every table."""

SEGMENTED: tuple[str, ...] = (*UNIONS["cartilage"], *UNIONS["meniscus"])
"""Tissues that the network segments by default: the four cartilages and the two menisci."""


def tissue_of_label(label: int) -> Tissue:
    """Tissue with this label; KeyError where there is none."""
    for tissue in TISSUES.values():
        if tissue.label == label:
            return tissue
    raise KeyError(label)


def members(region: str) -> tuple[str, ...]:
    """Names of the tissues that make up a region: the members of a union, or the tissue itself."""
    return UNIONS.get(region, (region,))
