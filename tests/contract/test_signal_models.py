"""Every row of the table of signal models: its forms agree, its derivatives are right, its fit is exact.

The generators draw over the whole plausible range of the quantity table, T1 0.1-4.5 s and T1rho 4-200 ms (by their
logarithms, so that short values are not rare), B1 0.5-1.5. M0 1e-3 to 1e9 stands for any scale that a scanner gives
its images.
"""

import math

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sympy.codegen.cfunctions import expm1

from rmqnet.domain.acquisition import METHODS, Acquisition
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL, adiabatic_t1rho
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.fit import starts
from rmqnet.fit.order import FIT_STEPS
from rmqnet.fit.voxels import fit_voxels
from rmqnet.physics.kernels import kernel_source
from rmqnet.physics.models import SIGNAL_MODELS, SignalModel
from rmqnet.physics.signals import torch_signal

IMAGES: dict[str, tuple[Acquisition, ...]] = {
    method: tuple(image for image in FULL.acquisitions if image.method == method) for method in METHODS
}
IMAGES["spin_lock"] = tuple(Acquisition("spin_lock", spin_lock_time=t) for t in (0.001, 0.010, 0.030, 0.060))
"""The paper's images of each method; for spin_lock those of the CubeQuant knee."""

RANGES = {
    "M0": (1e-3, 1e9),
    "T1": QUANTITIES["T1"].plausible,
    "B1": QUANTITIES["B1"].plausible,
    "T1rho": QUANTITIES["T1rho"].plausible,
}


class Kernel:
    """A generated kernel run as plain Python: the text is tested, without its compiler."""

    def __init__(self, model: SignalModel) -> None:
        self.model = model
        self.space = {name: getattr(math, name) for name in ("sin", "cos", "exp", "expm1", "pi")}
        exec(kernel_source(model, model.free, model.given), self.space)  # noqa: S102

    def __call__(self, values: dict[str, float], image: Acquisition) -> tuple[float, NDArray[np.float64]]:
        """Signal of one voxel and its derivatives (free,)."""
        prepared, jacobian = np.empty(self.space["N_PREPARED"]), np.empty(len(self.model.free))
        row = self.model.settings_table([image])[0]
        self.space["prepare"]([values[name] for name in self.model.given], row, prepared)
        free = [values[name] for name in self.model.free]
        return self.space["signal_and_jacobian"](free, prepared, jacobian), jacobian


def draw(rng: np.random.Generator, n: int) -> dict[str, NDArray[np.float64]]:
    """Quantities (voxel,) over RANGES, uniform in their logarithms."""
    return {name: np.exp(rng.uniform(np.log(low), np.log(high), n)) for name, (low, high) in RANGES.items()}


def exact_signals(
    images: tuple[Acquisition, ...], values: dict[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Signals (contrast, voxel) in double precision."""
    model = SIGNAL_MODELS[images[0].method]
    tensors = {name: torch.tensor(values[name]) for name in (*model.free, *model.given)}
    rows = [
        {
            name: torch.tensor(float(x), dtype=torch.float64)
            for name, x in zip(model.settings, row, strict=True)
        }
        for row in model.settings_table(images)
    ]
    return np.stack([torch_signal(model.method)(**tensors, **row).numpy() for row in rows])


def test_the_tables_of_methods_models_starts_and_steps_name_the_same_methods() -> None:
    assert all(callable(getattr(starts, f"start_{method}")) for method in METHODS)
    assert set(METHODS) == set(SIGNAL_MODELS) == {step.method for step in FIT_STEPS}


@pytest.mark.parametrize("method", METHODS)
def test_a_model_uses_exactly_the_symbols_that_its_row_declares(method: str) -> None:
    model = SIGNAL_MODELS[method]
    names = [*model.free, *model.given, *model.settings]
    assert len(set(names)) == len(names)
    assert {str(symbol) for symbol in model.equation.free_symbols} == set(names)
    assert {*model.free, *model.given} <= set(QUANTITIES)
    assert model.free[0] == "M0"
    assert set(model.settings) <= set(Acquisition.__dataclass_fields__)


@pytest.mark.parametrize("method", METHODS)
def test_kernel_and_torch_function_and_symbols_give_one_signal(method: str) -> None:
    model, images = SIGNAL_MODELS[method], IMAGES[method]
    kernel, values = Kernel(model), draw(np.random.default_rng(1), 20)
    signals = exact_signals(images, values)
    for voxel in range(20):
        one = {name: float(value[voxel]) for name, value in values.items()}
        for contrast, image in enumerate(images):
            assert kernel(one, image)[0] == pytest.approx(signals[contrast, voxel], rel=1e-12)
    # 40 digits: what the difference of nearly equal numbers costs either form would show here
    numbers = {**one, **{name: getattr(images[0], name) for name in model.settings}}
    digits = {
        symbol: sympy.Float(repr(float(numbers[str(symbol)])), 40)
        if not symbol.is_integer
        else numbers[str(symbol)]
        for symbol in model.equation.free_symbols
    }
    plain = model.equation.replace(expm1, lambda x: sympy.exp(x) - 1)
    assert kernel(one, images[0])[0] == pytest.approx(float(plain.subs(digits).evalf(40)), rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_the_kernels_jacobian_is_that_of_autograd_and_of_central_differences(method: str) -> None:
    model, images = SIGNAL_MODELS[method], IMAGES[method]
    kernel, values = Kernel(model), draw(np.random.default_rng(2), 10)
    for voxel in range(10):
        one = {name: float(value[voxel]) for name, value in values.items()}
        for image in (images[0], images[-1]):
            signal, jacobian = kernel(one, image)
            tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in one.items()}
            for name in model.free:
                tensors[name].requires_grad_()
            row = {
                name: torch.tensor(float(getattr(image, name)), dtype=torch.float64)
                for name in model.settings
            }
            needed = {name: tensors[name] for name in (*model.free, *model.given)}
            torch_signal(model.method)(**needed, **row).backward()
            for index, name in enumerate(model.free):
                gradient = tensors[name].grad
                autograd = 0.0 if gradient is None else float(gradient)
                # in relative units (change of signal over signal per relative change of the quantity)
                scale = one[name] / signal
                assert jacobian[index] * scale == pytest.approx(autograd * scale, rel=1e-10, abs=1e-13)
                step = 1e-5
                ahead, behind = (kernel({**one, name: one[name] * (1 + s)}, image)[0] for s in (step, -step))
                central = (ahead - behind) / (2 * step * signal)
                assert jacobian[index] * scale == pytest.approx(central, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_noise_free_fits_over_the_plausible_range_return_the_truth_and_lose_no_voxel(
    method: str, seed: int
) -> None:
    """2000 voxels per example; every quantity of the fit within 1e-6 (it is double precision all the way)."""
    model, truth = SIGNAL_MODELS[method], draw(np.random.default_rng(seed), 2000)
    result = fit_voxels(
        exact_signals(IMAGES[method], truth), IMAGES[method], {name: truth[name] for name in model.given}
    )
    assert (result.reason == Reason.VALID).all()
    for name in model.free:
        np.testing.assert_allclose(result.values[name], truth[name], rtol=1e-6, err_msg=name)
    assert (result.residual <= 1e-9 * truth["M0"]).all()


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(quantities=st.fixed_dictionaries({name: st.sampled_from(ends) for name, ends in RANGES.items()}))
def test_the_corners_of_the_range_are_fitted_as_well_as_its_middle(
    method: str, quantities: dict[str, float]
) -> None:
    model, truth = SIGNAL_MODELS[method], {name: np.array([value]) for name, value in quantities.items()}
    result = fit_voxels(
        exact_signals(IMAGES[method], truth), IMAGES[method], {name: truth[name] for name in model.given}
    )
    assert result.reason[0] == Reason.VALID
    for name in model.free:
        np.testing.assert_allclose(result.values[name], truth[name], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("inputs", "shortest"),
    [((0.0, 0.036, 0.072), 0.004), ((0.012, 0.036, 0.072), 0.016), ((0.012, 0.072), 0.040)],
    ids=str,
)
def test_few_spin_lock_times_are_fitted_exactly_where_they_determine_t1rho(
    inputs: tuple[float, ...], shortest: float
) -> None:
    """With spin-lock time 0 the whole range; the paper's reduced sets lack it and hold less (see the next test)."""
    images = tuple(adiabatic_t1rho(time) for time in inputs)
    truth = draw(np.random.default_rng(5), 5000)
    truth["T1rho"] = np.maximum(truth["T1rho"], shortest)
    result = fit_voxels(exact_signals(images, truth), images, {"T1": truth["T1"], "B1": truth["B1"]})
    assert (result.reason == Reason.VALID).all()
    np.testing.assert_allclose(result.values["T1rho"], truth["T1rho"], rtol=1e-6)


def test_two_spin_lock_times_without_zero_have_two_exact_solutions_for_short_t1rho() -> None:
    """Why the range of (12, 72) ms is narrower than the table: its signals of 12 ms are also those of 50-60 ms.

    The magnetization that T1 refills hides a fast decay that is over before 12 ms, so the ratio of the two signals
    falls and rises again with T1rho. No fit can tell the two apart: both residuals are zero.
    """
    images = (adiabatic_t1rho(0.012), adiabatic_t1rho(0.072))
    n = 400
    T1rho = np.linspace(0.004, 0.2, n)
    values = {"M0": np.ones(n), "T1": np.ones(n), "B1": np.ones(n), "T1rho": T1rho}
    signals = exact_signals(images, values)
    ratio = signals[1] / signals[0]
    lowest = T1rho[ratio.argmin()]
    assert 0.020 < lowest < 0.030
    short = np.array([0.012])
    one = {"M0": np.ones(1), "T1": np.ones(1), "B1": np.ones(1)}
    result = fit_voxels(
        exact_signals(images, {**one, "T1rho": short}), images, {"T1": np.ones(1), "B1": np.ones(1)}
    )
    assert result.values["T1rho"][0] > 2 * lowest
    assert result.residual[0] < 1e-9


def test_two_flip_angles_are_enough_for_noise_free_t1() -> None:
    images = (IMAGES["vfa"][0], IMAGES["vfa"][-1])
    truth = draw(np.random.default_rng(6), 5000)
    result = fit_voxels(exact_signals(images, truth), images, {"B1": truth["B1"]})
    assert (result.reason == Reason.VALID).all()
    np.testing.assert_allclose(result.values["T1"], truth["T1"], rtol=1e-6)
