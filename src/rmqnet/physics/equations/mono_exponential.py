"""Mono-exponential decay with the spin-lock time."""

import sympy

from rmqnet.physics.equations.symbols import M0, T1rho, spin_lock_time


def mono_exponential() -> sympy.Expr:
    r"""Signal of a spin-lock image whose read-out keeps no memory of the preparation before.

    $$S = M_0\,e^{-TSL/T_{1\rho}}$$

    Holds for: full recovery or a reset of the magnetization between preparations, as in CubeQuant or MAPSS.
    Biased when: applied to a multispoke train (40.5 ms then reads as 34-42 ms, by the spoke spacing).
    Common use in knee T1rho mapping; the sequence that pyKNEEr and DOSMA fit this way is CubeQuant.
    """
    return M0 * sympy.exp(-spin_lock_time / T1rho)
