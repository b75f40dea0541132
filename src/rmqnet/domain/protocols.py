"""The paper's protocol, its input sets, and what they cost in scan time."""

from dataclasses import dataclass

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError

FLIP_ANGLES = (5.0, 10.0, 20.0, 30.0)
"""VFA flip angles of the paper [degree]."""
SPIN_LOCK_TIMES = (0.0, 0.012, 0.024, 0.036, 0.048, 0.072, 0.096)
"""Spin-lock times of the paper [s]."""
ECHO_TIME = 3.2e-5
"""Echo time of the paper [s]."""

VFA_SECONDS = 142.0
"""Scan time of one flip angle [s]: 2 min 22 s, Data Acquisition."""
SPIN_LOCK_SECONDS = 154.0
"""Scan time of one spin-lock time [s]: 2 min 34 s, Data Acquisition."""
AFI_SECONDS = 297.0
"""Scan time of the AFI pair [s]: 4 min 57 s, Data Acquisition."""

SPOKE_SPACING = 0.005
"""Time between read-outs after a preparation [s]: a default; the paper does not print it."""
FAT_SATURATION_TIME = 0.010
"""Duration of the fat saturation [s]: a default; the paper does not print it."""


def vfa(flip_angle: float) -> Acquisition:
    """VFA image of the paper at this flip angle [degree].

    The paper does not say whether fat was saturated; that it was is a default (docs/decisions/008-vfa-fat.md).
    """
    return Acquisition(
        "vfa",
        flip_angle=flip_angle,
        repetition_time_excitation=0.020,
        echo_time=ECHO_TIME,
        fat_saturated=True,
    )


def adiabatic_t1rho(spin_lock_time: float) -> Acquisition:
    """Multispoke adiabatic T1rho image of the paper at this spin-lock time [s]."""
    return Acquisition(
        "adiabatic_t1rho",
        flip_angle=10.0,
        echo_time=ECHO_TIME,
        spin_lock_time=spin_lock_time,
        repetition_time_preparation=0.500,
        spokes_per_preparation=25,
        spoke_spacing=SPOKE_SPACING,
        fat_saturated=True,
        fat_saturation_time=FAT_SATURATION_TIME,
    )


def afi_pair() -> tuple[Acquisition, Acquisition]:
    """The AFI images of the paper: repetition times of 20 and 100 ms, 45 degrees."""
    short, long = 0.020, 0.100
    return (
        Acquisition(
            "afi", 45.0, repetition_time_excitation=short, repetition_time_other=long, echo_time=ECHO_TIME
        ),
        Acquisition(
            "afi", 45.0, repetition_time_excitation=long, repetition_time_other=short, echo_time=ECHO_TIME
        ),
    )


@dataclass(frozen=True)
class InputSet:
    """Which images a network or a fit gets."""

    name: str
    flip_angles: tuple[float, ...]
    """VFA flip angles [degree]."""
    spin_lock_times: tuple[float, ...]
    """Spin-lock times [s]."""
    afi: bool = False
    """True where the AFI pair is among the inputs."""
    printed_minutes: float | None = None
    """Scan time printed in Table 1 [min]; it does not follow from the printed times per image."""
    printed_acceleration: float | None = None
    """Acceleration factor printed in Table 1 of the paper."""

    @property
    def acquisitions(self) -> tuple[Acquisition, ...]:
        """The images in channel order: VFA by flip angle, spin-lock images by time, then the AFI pair."""
        images = [vfa(angle) for angle in self.flip_angles]
        images += [adiabatic_t1rho(time) for time in self.spin_lock_times]
        return (*images, *(afi_pair() if self.afi else ()))

    def seconds(self, *, with_afi: bool | None = None) -> float:
        """Scan time [s] from the printed time of each image; `with_afi` adds or leaves out the AFI pair."""
        afi = self.afi if with_afi is None else with_afi
        return (
            VFA_SECONDS * len(self.flip_angles)
            + SPIN_LOCK_SECONDS * len(self.spin_lock_times)
            + AFI_SECONDS * float(afi)
        )


INPUT_SETS: dict[str, InputSet] = {
    item.name: item
    for item in (
        InputSet("4FA+7TSL", FLIP_ANGLES, SPIN_LOCK_TIMES, printed_minutes=32.63, printed_acceleration=1.0),
        InputSet(
            "2FA+3TSL", (5.0, 30.0), (0.012, 0.036, 0.072), printed_minutes=14.03, printed_acceleration=2.3
        ),
        InputSet("1FA+2TSL", (30.0,), (0.012, 0.072), printed_minutes=8.3, printed_acceleration=3.9),
        InputSet("1FA+1TSL", (20.0,), (0.048,), printed_minutes=5.73, printed_acceleration=5.7),
        InputSet("4FA+7TSL+AFI", FLIP_ANGLES, SPIN_LOCK_TIMES, afi=True),
    )
}
"""The paper's four input sets (Table 1), and one with AFI: without AFI no network can know B1."""

FULL = INPUT_SETS["4FA+7TSL+AFI"]
"""Everything the paper acquires; the reference maps are fitted from it."""


def input_set(name: str) -> InputSet:
    """The input set of this name; an InputError lists the known ones."""
    if name not in INPUT_SETS:
        raise InputError(f"input_set must be one of {', '.join(INPUT_SETS)}, got {name!r}")
    return INPUT_SETS[name]


def acceleration(inputs: InputSet, *, with_afi: bool) -> float:
    """Scan time of the full protocol over that of the input set.

    With AFI, the full protocol counts its AFI pair and the input set only the images that it needs;
    without AFI, the pair is left out on both sides.
    """
    if with_afi:
        return FULL.seconds() / inputs.seconds()
    return FULL.seconds(with_afi=False) / inputs.seconds(with_afi=False)
