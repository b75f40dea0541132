"""What a check says."""

from dataclasses import dataclass
from typing import Literal

from rmqnet.domain.errors import InputError

Severity = Literal["note", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("note", "warning", "error")
"""From what is only worth knowing to what stops a subject."""

NOT_CHECKED = "not_checked"
"""The rule of the notes that say what the checks were not asked."""


@dataclass(frozen=True)
class Rule:
    """One thing that is looked for."""

    name: str
    """Key of the rule, in findings and in docs/reference/checks.md."""
    severity: Severity
    """Severity of its findings."""
    looks_for: str
    """What is found, in a few words."""


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("refused", "error", "a file, setting or table that no stage can use"),
        Rule("echo_time", "error", "an echo time that the sequence has no room for"),
        Rule("not_finite", "error", "voxels that are not numbers"),
        Rule("not_magnitude", "error", "negative voxels"),
        Rule("empty", "error", "an image of one value"),
        Rule("only_noise", "error", "an image without signal"),
        Rule("too_noisy", "warning", "tissue that hardly rises above the noise"),
        Rule("saturated", "error", "bright voxels cut at one value"),
        Rule("coarse_numbers", "warning", "numbers rounded more coarsely than the noise"),
        Rule("lost_slices", "error", "slices that are empty or repeated"),
        Rule("copy", "error", "one image twice"),
        Rule("other_anatomy", "error", "an image of another person, or one that moved"),
        Rule("gain", "error", "images of one series on different scales"),
        Rule("other_kind", "warning", "an image among its series that was masked or computed"),
        Rule("afi_order", "error", "AFI images in the wrong order"),
        Rule("afi_angle", "warning", "AFI images that no usual transmit field explains"),
        Rule("flip_angles", "error", "signals that contradict the stated flip angles"),
        Rule("spin_lock_times", "error", "signals that contradict the stated spin-lock times"),
        Rule("time_scale", "warning", "spin-lock times and a decay shorter than those of any knee"),
        Rule("grid", "error", "images of one series on different grids"),
        Rule("coverage", "warning", "images that do not lie over each other"),
        Rule("field_of_view", "error", "a field of view that is no knee's"),
        Rule("side", "error", "a knee of the other side than stated"),
        Rule("orientation", "error", "a knee that lies otherwise than its header says"),
        Rule("position", "warning", "a knee on the other side of the magnet than stated"),
        Rule("shared_images", "error", "an image of one subject under the name of another"),
        Rule(
            "contrasts", "warning", "images that most other subjects have, or settings that they do not have"
        ),
        Rule("assumed", "note", "settings that no sidecar states, and images that are not used"),
        Rule("no_noise", "note", "images without air from which the noise could be read"),
        Rule(NOT_CHECKED, "note", "what the checks were not asked, and what they would need"),
        Rule("misfit", "warning", "maps that do not give the measured signals back"),
        Rule("noise_estimates", "warning", "noise in the air and in the residuals that differ"),
        Rule("at_bounds", "warning", "maps without a value within their range"),
        Rule("relaxation_order", "warning", "T1rho longer than T1"),
        Rule("b1_range", "warning", "a transmit field outside what physics allows"),
        Rule("b1_rough", "warning", "a B1 map that changes from place to place as no transmit field does"),
        Rule("b1_coverage", "warning", "a B1 map that lacks where the images have tissue"),
        Rule("same_everywhere", "warning", "a map of one value"),
        Rule("unlike_knee", "note", "values that no knee has"),
    )
}
"""All rules by name; each with its threshold and the reason for it in docs/reference/checks.md."""


@dataclass(frozen=True)
class Finding:
    """One sentence about one subject."""

    rule: str
    """A key of RULES."""
    subject: str
    """Label without "sub-"."""
    sentence: str
    """What is wrong, in which image, and what to do."""

    def __post_init__(self) -> None:
        """Refuse a rule that is not in the table."""
        if self.rule not in RULES:
            raise InputError(f"rule must be one of {', '.join(RULES)}, got {self.rule!r}")

    @property
    def severity(self) -> Severity:
        """Severity of its rule."""
        return RULES[self.rule].severity
