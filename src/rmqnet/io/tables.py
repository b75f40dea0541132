"""Tables of numbers that come back from disk as they went there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from rmqnet.domain.errors import InputError

_ENDING = ".csv.gz"


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write each table to <name>.csv.gz, every number with all its digits; a table without columns is left out."""
    for name, table in tables.items():
        if len(table.columns):
            # no time stamp: equal tables give equal files
            table.to_csv(folder / f"{name}{_ENDING}", index=False, compression={"method": "gzip", "mtime": 1})


def read_tables(folder: Path, text: Sequence[str] = ("subject", "name", "person")) -> dict[str, pd.DataFrame]:
    """The tables of a folder by name; the columns of `text` stay text, also where they look like numbers."""
    found = {}
    for path in sorted(folder.glob(f"*{_ENDING}")):
        try:
            found[path.name.removesuffix(_ENDING)] = pd.read_csv(path, dtype=dict.fromkeys(text, str))
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"{path}: is damaged: delete its folder and run again") from error
    return found
