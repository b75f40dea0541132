"""Seconds until `rmqnet --help` has printed its help: median of several starts."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

N_RUNS = 7


def main() -> None:
    command = Path(sys.executable).parent / "rmqnet"
    if not command.exists():
        print(
            json.dumps(
                {"skipped": f"no command rmqnet beside {Path(sys.executable).name}: install the package"}
            )
        )
        return
    seconds = []
    for _ in range(N_RUNS):
        start = time.perf_counter()
        subprocess.run([command, "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    print(f"rmqnet --help: {min(seconds):.3f} to {max(seconds):.3f} s in {N_RUNS} starts")
    print(json.dumps({"seconds": round(statistics.median(seconds), 3)}))


if __name__ == "__main__":
    main()
