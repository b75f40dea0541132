"""The numbers that Lu et al. 2024 print, to stand beside ours: another population, so not a reproduction."""

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scores import Level, Score

SOURCE = "Lu X, et al. J Imaging Inform Med 2024;37(5), doi 10.1007/s10278-024-01089-8"
"""Where the numbers are from."""

_SETS = ("4FA+7TSL", "2FA+3TSL", "1FA+2TSL", "1FA+1TSL")

CORRELATIONS: dict[tuple[Level, str], tuple[float, ...]] = {
    ("roi", "T1"): (0.918, 0.912, 0.904, 0.908),
    ("roi", "T1rho"): (0.816, 0.841, 0.785, 0.733),
    ("voxel", "T1"): (0.985, 0.965, 0.963, 0.945),
    ("voxel", "T1rho"): (0.969, 0.910, 0.914, 0.895),
}
"""Table 1: Pearson r per input set. The text gives 0.911 and 0.907 for two ROI values of T1: rounding."""

# Table 2, mean and SD per input set. Units are not printed; ms and percent follow from their sizes.
_ERRORS: dict[tuple[str, str], tuple[tuple[float, float], ...]] = {
    ("l1", "T1"): ((36.03, 13.54), (53.37, 17.81), (67.88, 19.12), (67.07, 18.12)),
    ("l1", "T1rho"): ((1.96, 0.42), (3.55, 1.01), (3.48, 1.01), (3.69, 1.1)),
    ("l2_paper", "T1"): ((1.86, 0.74), (2.96, 1.19), (3.63, 1.43), (3.84, 2.28)),
    ("l2_paper", "T1rho"): ((0.11, 0.05), (0.21, 0.11), (0.21, 0.12), (0.22, 0.15)),
    ("normalized_l1", "T1"): ((3.62, 1.2), (5.36, 1.52), (6.94, 2.02), (6.83, 1.74)),
    ("normalized_l1", "T1rho"): ((4.89, 1.06), (8.72, 2.33), (8.61, 2.39), (9.06, 2.38)),
    # the SD of 0.7 is as printed; 0.07 would fit its neighbors
    ("normalized_l2_paper", "T1"): ((0.19, 0.7), (0.30, 0.12), (0.37, 0.16), (0.39, 0.23)),
    ("normalized_l2_paper", "T1rho"): ((0.28, 0.15), (0.49, 0.26), (0.49, 0.27), (0.54, 0.35)),
}


def paper_scores() -> list[Score]:
    """Tables 1 and 2 of the paper as scores of cartilage in house units, 16 correlations and 32 errors."""
    scores = [
        _score(name, quantity, level, "pearson_r", value)
        for (level, quantity), values in CORRELATIONS.items()
        for name, value in zip(_SETS, values, strict=True)
    ]
    for (metric, quantity), pairs in _ERRORS.items():
        factor = 100.0 if metric.startswith("normalized") else QUANTITIES[quantity].display_factor
        for name, (mean, sd) in zip(_SETS, pairs, strict=True):
            scores.append(_score(name, quantity, "voxel", f"{metric}_mean", mean / factor))
            scores.append(_score(name, quantity, "voxel", f"{metric}_sd", sd / factor))
    return scores


def _score(input_set: str, quantity: str, level: Level, metric: str, value: float) -> Score:
    return Score("all", "all", input_set, quantity, "cartilage", level, "reference", metric, value)
