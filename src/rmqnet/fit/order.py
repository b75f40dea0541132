"""The order of the fits, from what each model needs and gives."""

from collections.abc import Collection
from dataclasses import dataclass

from rmqnet.domain.acquisition import Method
from rmqnet.domain.errors import InputError


@dataclass(frozen=True)
class FitStep:
    """One fit: what must be known before, and what is known after."""

    method: Method
    needs: tuple[str, ...]
    gives: tuple[str, ...]


FIT_STEPS: tuple[FitStep, ...] = (
    FitStep("afi", needs=(), gives=("B1",)),
    FitStep("vfa", needs=("B1",), gives=("M0", "T1")),
    FitStep("adiabatic_t1rho", needs=("T1", "B1"), gives=("T1rho",)),
    FitStep("spin_lock", needs=(), gives=("T1rho", "M0")),
)
"""All fits. The closed form of AFI needs nothing; the amplitude of a multispoke fit is not a map of its own."""

CURES = {
    "B1": "add the AFI pair (fmap/*_TB1AFI) or a B1 map (fmap/*_TB1map, or --b1 FILE), let a network predict it "
    "(--b1-from-network) or state a value with --assumed-b1",
    "T1": "add VFA images (anat/*_VFA) or state a value with --assumed-t1",
}


def fit_order(methods: Collection[Method], known: Collection[str]) -> tuple[FitStep, ...]:
    """Steps for the series at hand, each after the steps that give what it needs.

    `known` holds quantities that are given from outside. A quantity that two series could give comes from the first
    in the table. Raises InputError where a series can't be used for lack of a quantity.
    """
    waiting, taken = list[FitStep](), set(known)
    for step in FIT_STEPS:
        gives = tuple(name for name in step.gives if name not in taken)
        if step.method in methods and gives:
            waiting.append(FitStep(step.method, step.needs, gives))
            taken.update(gives)
    have, order = set(known), list[FitStep]()
    while waiting:
        ready = [step for step in waiting if set(step.needs) <= have]
        if not ready:
            step = waiting[0]
            missing = [name for name in step.needs if name not in have]
            cures = "; ".join(CURES[name] for name in missing)
            raise InputError(
                f"the {step.method} images can't be fitted without {' and '.join(missing)}: {cures}"
            )
        for step in ready:
            waiting.remove(step)
            have.update(step.gives)
            order.append(step)
    return tuple(order)
