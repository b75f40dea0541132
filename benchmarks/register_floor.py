"""T1rho error of simulated knees that moved, brought back by the true motions: what interpolation alone costs.

No registration can be expected to get below it; `register_cohort` says what ours reaches on the same knees.
"""

import argparse
import json

import numpy as np
from _moved_knees import N_SUBJECTS, SHAPE, still_and_moved, t1rho_error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=N_SUBJECTS)
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE, metavar=("Z", "Y", "X"))
    options = parser.parse_args()
    from rmqnet.domain.motion import STILL
    from rmqnet.fit.fit import fit
    from rmqnet.register.align import Alignment
    from rmqnet.register.volumes import fixed_unit, units_of

    z, y, x = options.shape
    increase = []
    for index in range(options.subjects):
        calm, knee = still_and_moved(index, options.subjects, (z, y, x))
        units = units_of(knee.scan)
        fixed = fixed_unit(knee.scan, units, None)
        grid = knee.scan.series[fixed.method].grid
        state = Alignment(knee.scan, units, fixed, grid, np.ones(grid.shape, bool))
        leading = {unit: knee.scan.series[unit.method].acquisitions[unit.indices[0]] for unit in units}
        true = {unit: STILL if unit is fixed else knee.motions.get(leading[unit], STILL) for unit in units}
        reference = t1rho_error(calm, fit(calm.scan))
        increase.append(100 * (t1rho_error(knee, fit(state.brought(true))) / reference - 1))
        print(f"knee {index}: T1rho error {increase[-1]:+.1f} % with the true motions", flush=True)
    floor = {"subjects": options.subjects, "t1rho_error_increase_percent": round(float(np.mean(increase)), 1)}
    print(json.dumps(floor))


if __name__ == "__main__":
    main()
