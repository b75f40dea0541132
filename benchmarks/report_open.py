"""Seconds until the page of a whole knee of the paper's size shows its first image in headless Chromium; its size."""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

N_RUNS = 5
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
OPTIONS += ["--disable-background-networking", "--disable-component-update"]


def write(folder: Path) -> Path:
    """The page of a simulated knee: UTE image, four maps, their SDs, residuals, regions and signals near them."""
    from rmqnet.fit.fit import fit
    from rmqnet.report.knee import Knee
    from rmqnet.report.knee_page import write_knee_page
    from rmqnet.simulate.config import preset
    from rmqnet.simulate.reader import regions_by_rule
    from rmqnet.simulate.simulate import simulate_subject

    simulated = simulate_subject(preset("paper"), 0)
    notes: list[str] = []
    maps = fit(simulated.scan, notes=notes)
    regions = regions_by_rule(simulated.labels, simulated.cartilage_fraction, simulated.fluid_fraction)
    start = time.perf_counter()
    page = write_knee_page(
        folder,
        Knee(
            simulated.scan,
            maps,
            "Maps fitted voxel by voxel, without a network.",
            regions,
            "Regions: simulated.",
            notes=notes,
            simulated=True,
        ),
    )
    print(f"written in {time.perf_counter() - start:.1f} s, grid {maps.grid.shape}")
    return page


def open_once(page: Path, browser: str) -> tuple[float, float, int]:
    """Seconds to the first image and until everything answers, and the number of console errors; a fresh browser."""
    from playwright.sync_api import sync_playwright

    errors: list[str] = []
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser, headless=True, args=OPTIONS)
        tab = opened.new_page(viewport={"width": 1440, "height": 900})
        tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        start = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="commit")
        tab.wait_for_function("['shown', 'ready'].includes(document.documentElement.dataset.viewer)")
        first = time.perf_counter() - start
        tab.wait_for_function("document.documentElement.dataset.viewer === 'ready'")
        answers = time.perf_counter() - start
        opened.close()
    for error in errors:
        print(f"console: {error}")
    return first, answers, len(errors)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or find_spec("playwright") is None:
        print(json.dumps({"skipped": "needs Chromium and the playwright wheel"}))
        return
    with tempfile.TemporaryDirectory() as folder:
        page = write(Path(folder))
        runs = [open_once(page, browser) for _ in range(N_RUNS)]
        megabytes = page.stat().st_size / 1e6
    for first, answers, _ in runs:
        print(f"first image after {first:.2f} s, values and curves after {answers:.2f} s")
    seconds = statistics.median(first for first, _, _ in runs)
    errors = sum(n for _, _, n in runs)
    print(
        json.dumps({"seconds": round(seconds, 2), "megabytes": round(megabytes, 1), "console_errors": errors})
    )


if __name__ == "__main__":
    main()
