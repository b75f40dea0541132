"""Sizes of one knee, drawn at random for a subject.

All lengths are mm of a knee of middle size; `size` scales the whole. The frame is that of a right knee:
z towards medial, y towards inferior, x towards posterior, origin between the condyles at the joint line.
The proportions are defaults, chosen so that volumes and thicknesses match PHYSICS 5.4b.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.subject import Subject
from rmqnet.simulate.cohort import group_and_age
from rmqnet.simulate.disease import Disease, draw_disease
from rmqnet.simulate.leg_shape import muscles, outline, rotation, roughness, waves
from rmqnet.simulate.lesions import draw_cysts, draw_lesions, draw_marrow_lesions

Array = NDArray[np.float64]


class Condyle(NamedTuple):
    """One femoral condyle: two circles in the sagittal plane, drawn out sideways."""

    center: float
    """z of its middle."""
    half_width: float
    posterior_radius: float
    distal_radius: float
    cartilage: float
    """Greatest thickness of its cartilage."""


class Plateau(NamedTuple):
    """One side of the tibial plateau."""

    center: float
    """z of its middle."""
    half_depth: float
    """Half of its extent from anterior to posterior."""
    level: float
    """y of the bone in its middle."""
    dish: float
    """How much lower the middle is than the rim; negative for a convex plateau."""
    cartilage: float
    """Greatest thickness of its cartilage."""
    meniscus_height: float
    """Height of the meniscus at its outer rim."""
    meniscus_inner: float
    """Inner border of the meniscus, as a part of the distance from the middle to the rim."""
    meniscus_opening: float
    """Half angle of the opening of the C towards the middle of the joint [radian]."""
    extrusion: float
    """How far the meniscus is pushed out over the rim."""
    tear: float
    """Half height of a cleft in its posterior horn; 0: none."""


class Anatomy(NamedTuple):
    """Everything that the shapes of one knee depend on."""

    size: float
    """Scale of the whole knee."""
    joint: tuple[float, float, float]
    """Where the origin of the knee lies from the middle of the field of view (z, y, x) [mm]."""
    rotation: Array
    """3 x 3 rotation from the field of view to the knee frame."""
    flexion: float
    """Angle of the leg below the joint about the axis of the condyles [radian], from the usual position."""
    varus: float
    """Tangent of the angle of the leg below the joint; negative: valgus."""
    medial: Condyle
    lateral: Condyle
    medial_plateau: Plateau
    lateral_plateau: Plateau
    groove: float
    """How far the bottom of the trochlea lies behind its ridges."""
    trochlea_cartilage: float
    shaft: float
    """Scale of the widths of both shafts."""
    patella: tuple[float, float, float]
    """Center of the patella (z, y, x)."""
    patella_radii: tuple[float, float, float]
    patella_gap: float
    """Distance between the bones of patella and trochlea."""
    patella_cartilage: float
    patellar_tendon: float
    """Half thickness of the patellar tendon."""
    fluid: float
    """Thickness of the fluid film on the joint surfaces."""
    effusion: float
    """Half thickness of the suprapatellar recess."""
    fat: float
    """Mean thickness of the subcutaneous fat."""
    popliteal_cyst: float
    """Size of a Baker cyst; 0: none."""
    osteophyte: tuple[float, float, float]
    """Height of the bony spurs at the margins of the medial, lateral and patellofemoral compartment."""
    outline: Array
    """Front x, back x and half width of the leg (3, level), from y = -120 in steps of 2 mm."""
    muscles: Array
    """One row per muscle; columns as in `MUSCLES`."""
    waves: Array
    """Smooth warp of space, one row per wave: wave vector (3) [turns per mm], phase [turns], displacement (3)."""
    roughness: Array
    """Waves of the unevenness of cartilage, one row each: wave vector (3) [turns per mm], phase [turns]."""
    unevenness: float
    """Relative standard deviation of the thickness of cartilage from place to place."""
    loss: tuple[float, float, float]
    """Part of the cartilage lost all over the medial, lateral and patellofemoral compartment."""
    lesions: Array
    """Cartilage defects, rows as of `draw_lesions`."""
    marrow_lesions: Array
    """Marrow lesions, rows as of `draw_marrow_lesions`."""
    cysts: Array
    """Cysts in the bone, rows as of `draw_cysts`."""


_MENISCUS_LOSS = 0.2
"""Height that the meniscus loses at severity 1, as a part of it: default."""
_EFFUSION = (0.9, 2.4)
"""Mean half thickness of the suprapatellar recess without disease, and what severity 1 adds [mm]: default."""
_OSTEOPHYTE = 3.4
"""Mean height of the spurs at severity 1 [mm]: default."""
_EXTRUSION = 3.5
"""Mean extrusion of a meniscus at severity 1 [mm]; 3 mm and more counts as extruded: default."""
_SIZE = {"female": 0.96, "male": 1.07}
"""Mean scale of the knee by sex: default, for the volumes of PHYSICS 5.4b."""
_SIZE_SD = 0.037
"""Standard deviation of the scale within a sex: default, for the volumes of PHYSICS 5.4b."""


def draw_anatomy(subject: Subject, rng: np.random.Generator) -> Anatomy:
    """Random sizes of this subject's knee; sex sets the size, the grade its disease."""
    group_and_age(subject)
    return anatomy_of(subject, draw_disease(subject, rng), rng)


def anatomy_of(subject: Subject, disease: Disease, rng: np.random.Generator) -> Anatomy:
    """Random sizes of the knee of a subject that suffers from this disease."""

    def vary(mean: float, sd: float) -> float:
        """Normal value, cut at two standard deviations."""
        return mean + sd * float(np.clip(rng.standard_normal(), -2, 2))

    size = vary(_SIZE[subject.sex or "male"], _SIZE_SD)
    # large knees have thick cartilage, beyond what the scale gives
    thickness = vary(1.0, 0.055) * size**0.5
    factor = {name: thickness * kept for name, kept in disease.thickness.items()}
    medial, medial_plateau = _medial_compartment(vary, factor["medial"])
    lateral, lateral_plateau = _lateral_compartment(vary, factor["lateral"])
    medial_plateau = _worn(medial_plateau, disease.severity["medial"], rng)
    lateral_plateau = _worn(lateral_plateau, disease.severity["lateral"], rng)
    trochlea = vary(2.85, 0.12) * factor["patellofemoral"]
    patella_cartilage = vary(3.25, 0.12) * factor["patellofemoral"]
    patella = (vary(-2.5, 0.8), vary(-36.0, 2.0), -40.5)
    spurs = [vary(1.0, 0.3) * _OSTEOPHYTE * min(severity, 1.15) for severity in disease.severity.values()]
    levels = {"medial": medial_plateau.level, "lateral": lateral_plateau.level}
    lesions = draw_lesions(disease, levels, np.array([patella[0], patella[1], -33.0]), rng)
    return Anatomy(
        size=size,
        joint=(vary(0.0, 2.0), vary(11.0, 4.0), vary(-3.0, 2.5)),
        rotation=rotation(vary(0.0, 0.05), vary(0.0, 0.03), vary(0.0, 0.05)),
        flexion=vary(0.0, 0.03),
        varus=float(np.tan(np.radians(disease.varus))),
        medial=medial,
        lateral=lateral,
        medial_plateau=medial_plateau,
        lateral_plateau=lateral_plateau,
        groove=vary(5.6, 0.6),
        trochlea_cartilage=trochlea,
        shaft=vary(1.0, 0.04),
        patella=patella,
        patella_radii=(vary(22.0, 0.6), vary(20.0, 0.7), vary(14.0, 0.4)),
        patella_gap=trochlea + patella_cartilage + 0.4,
        patella_cartilage=patella_cartilage,
        patellar_tendon=vary(2.2, 0.2),
        fluid=vary(0.45, 0.06),
        effusion=vary(1.0, 0.2) * (_EFFUSION[0] + _EFFUSION[1] * disease.worst),
        fat=vary(7.0 if subject.sex == "female" else 4.6, 1.3),
        popliteal_cyst=_popliteal_cyst(disease, rng),
        osteophyte=(spurs[0], spurs[1], spurs[2]),
        outline=outline(vary(1.0, 0.025)),
        muscles=muscles(rng),
        waves=waves(rng),
        roughness=roughness(rng),
        unevenness=0.03 + 0.05 * disease.worst,
        loss=(
            1 - disease.thickness["medial"],
            1 - disease.thickness["lateral"],
            1 - disease.thickness["patellofemoral"],
        ),
        lesions=lesions,
        marrow_lesions=draw_marrow_lesions(disease, lesions, rng),
        cysts=draw_cysts(disease, lesions, rng),
    )


def _level(on_femur: float, on_tibia: float) -> float:
    """Coordinate y of the tibial bone: the joint space closes up where cartilage is lost."""
    return -2.0 + 0.93 * (on_femur + on_tibia)


def _medial_compartment(vary: Callable[[float, float], float], factor: float) -> tuple[Condyle, Plateau]:
    """Medial condyle and plateau; the factor scales cartilage thickness."""
    condyle = Condyle(
        center=vary(23.5, 0.6),
        half_width=vary(14.2, 0.5),
        posterior_radius=vary(20.0, 0.6),
        distal_radius=vary(27.5, 0.6),
        cartilage=vary(2.30, 0.10) * factor,
    )
    cartilage = vary(3.18, 0.10) * factor
    return condyle, Plateau(
        center=20.0,
        half_depth=vary(24.5, 0.7),
        level=_level(condyle.cartilage, cartilage),
        dish=vary(1.3, 0.25),
        cartilage=cartilage,
        meniscus_height=vary(6.6, 0.5),
        meniscus_inner=vary(0.60, 0.02),
        meniscus_opening=vary(0.95, 0.06),
        extrusion=0.0,
        tear=0.0,
    )


def _lateral_compartment(vary: Callable[[float, float], float], factor: float) -> tuple[Condyle, Plateau]:
    """Lateral condyle and plateau: a higher ridge in front, a convex plateau, a more closed meniscus."""
    condyle = Condyle(
        center=vary(-23.5, 0.6),
        half_width=vary(14.4, 0.5),
        posterior_radius=vary(20.0, 0.6),
        distal_radius=vary(28.2, 0.6),
        cartilage=vary(2.25, 0.10) * factor,
    )
    cartilage = vary(3.48, 0.12) * factor
    return condyle, Plateau(
        center=-20.0,
        half_depth=vary(22.8, 0.7),
        level=_level(condyle.cartilage, cartilage),
        dish=vary(-0.3, 0.25),
        cartilage=cartilage,
        meniscus_height=vary(6.4, 0.5),
        meniscus_inner=vary(0.57, 0.02),
        meniscus_opening=vary(0.70, 0.06),
        extrusion=0.0,
        tear=0.0,
    )


def _worn(plateau: Plateau, severity: float, rng: np.random.Generator) -> Plateau:
    """The plateau with its meniscus flattened, frayed inside, pushed out and torn, as the disease has it."""
    s = min(severity, 1.3)
    return plateau._replace(
        meniscus_height=plateau.meniscus_height * (1 - _MENISCUS_LOSS * s),
        meniscus_inner=plateau.meniscus_inner + 0.10 * s * float(rng.uniform()),
        extrusion=_EXTRUSION * s * float(rng.uniform(0.5, 1.5)),
        tear=float(rng.uniform(0.3, 0.7)) if rng.uniform() < 0.05 + 0.6 * s else 0.0,
    )


def _popliteal_cyst(disease: Disease, rng: np.random.Generator) -> float:
    """Size of a Baker cyst [mm]: in one healthy knee of twenty, in about half of those of severity 1. Default."""
    size = float(rng.uniform(4.0, 9.0))
    return size if rng.uniform() < 0.05 + 0.45 * min(disease.worst, 1.0) else 0.0
