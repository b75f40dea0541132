"""Plain decay with the spin-lock time."""

import sympy

from rmqnet.physics.equations.decays import single_decay
from rmqnet.physics.equations.symbols import M0, offset


def mono_exponential(decay: sympy.Expr | None = None) -> sympy.Expr:
    r"""Signal of a spin-lock image whose read-out keeps no memory of the preparation before.

    $$S = M_0\,e^{-TSL/T_{1\rho}}$$

    Another `decay` (rmqnet.physics.equations.decays) takes the place of the single one.
    Holds for: full recovery or a reset of the magnetization between preparations, as in CubeQuant or MAPSS.
    Biased when: applied to a multispoke train (40.5 ms then reads as 34-42 ms, by the spoke spacing).
    Common use in knee T1rho mapping; the sequence that pyKNEEr and DOSMA fit this way is CubeQuant.
    """
    return M0 * (single_decay() if decay is None else decay)


def mono_exponential_with_offset() -> sympy.Expr:
    r"""Plain decay to a floor, which is given as a part of the amplitude.

    $$S = M_0\,(e^{-TSL/T_{1\rho}} + c)$$

    Holds for: images with a constant added, as noise of magnitudes or fluid that does not decay.
    Biased when: applied to a multispoke train, as a stand-in for its recovery (40.5 ms then reads as 25.3 ms).
    """
    return M0 * (single_decay() + offset)
