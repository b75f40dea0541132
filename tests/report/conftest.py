"""The report is tested on the tiny cohort of the evaluation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluate"))
