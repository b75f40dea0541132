"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

InputSetName = Literal["4FA+7TSL", "2FA+3TSL", "1FA+2TSL", "1FA+1TSL", "4FA+7TSL+AFI"]

Study = Annotated[Positional[Path], arg(metavar="STUDY")]
Out = Annotated[Positional[Path], arg(metavar="OUT")]
Subjects = Annotated[tuple[str, ...], arg(metavar="[NAME ...]")]
