"""The page of a knee in a browser, used as a person would: opened from disk, clicked, read, printed."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from knee_cases import BRIGHT, NO_VALUE, SHAPE, make_knee

from rmqnet.domain.protocols import FULL
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import synthesize
from rmqnet.report.figures import color_map
from rmqnet.report.knee_page import write_knee_page
from rmqnet.report.viewer_curves import equations

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs the playwright wheel to drive a browser"
)
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium (Debian: apt-get install chromium)")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
OPTIONS += ["--disable-background-networking", "--disable-component-update"]
INSIDE = (5, 20, 15)
"""A voxel of femoral cartilage."""
NEAR = (5, 16, 15)
"""Two voxels above it."""


@pytest.fixture(scope="module")
def knee():
    return make_knee()


@pytest.fixture(scope="module")
def address(knee, tmp_path_factory):
    return write_knee_page(tmp_path_factory.mktemp("page"), knee).as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, headless=True, args=OPTIONS)
        yield opened
        opened.close()


def opened(browser, address, width=1440, height=900, before=""):
    """A page with the lists `said` of console messages and errors and `asked` of requests."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(20_000)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    if before:
        page.add_init_script(before)
    page.goto(address)
    page.wait_for_function("['ready', 'failed'].includes(document.documentElement.dataset.viewer)")
    return page


@pytest.fixture(scope="module")
def page(browser, address):
    page = opened(browser, address)
    yield page
    assert page.said == [], "nothing was said in the console during all tests"
    assert page.asked == [address], "no request left the file"


def click(page, voxel, plane="sagittal"):
    """Click on a voxel (z, y, x) of the slice that the plane shows, and wait for its description."""
    across, down = {"sagittal": (2, 1), "coronal": (0, 1), "axial": (0, 2)}[plane]
    box = page.locator(f"#{plane}").bounding_box()
    page.locator(f"#{plane}").click(
        position={
            "x": (voxel[across] + 0.5) / SHAPE[across] * box["width"],
            "y": (voxel[down] + 0.5) / SHAPE[down] * box["height"],
        }
    )
    wait_for(page, voxel)


def wait_for(page, voxel):
    words = " ".join(map(str, voxel))
    page.wait_for_function("text => document.getElementById('voxel').dataset.voxel === text", arg=words)


def start(page, z=5):
    """The first view, at one sagittal slice."""
    page.click("#reset")
    page.select_option("#map", "T1rho")
    page.locator("#sagittal-slice").fill(str(z + 1))


def cell(page, quantity):
    return page.locator(f'tr[data-quantity="{quantity}"] td').inner_text()


def pixel(page, plane, voxel):
    """Colour in the middle of a voxel on a plane."""
    across, down = {"sagittal": (2, 1), "coronal": (0, 1), "axial": (0, 2)}[plane]
    part = [(voxel[across] + 0.5) / SHAPE[across], (voxel[down] + 0.5) / SHAPE[down]]
    code = """([plane, x, y]) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
        const canvas = document.getElementById(plane), own = new OffscreenCanvas(1, 1).getContext('2d');
        own.drawImage(canvas, x * canvas.width, y * canvas.height, 1, 1, 0, 0, 1, 1);
        done([...own.getImageData(0, 0, 1, 1).data]);
    })))"""
    return np.array(page.evaluate(code, [plane, *part])[:3])


def test_a_click_in_a_region_shows_its_values_and_standard_deviation(page, knee):
    start(page)
    click(page, INSIDE)
    maps = knee.maps
    assert "femoral cartilage" in page.inner_text("#voxel")
    assert cell(page, "T1") == f"{1000 * maps.values['T1'][INSIDE]:.0f} ms"
    value, spread = re.match(r"([\d.]+) \u00b1 ([\d.]+) ms", cell(page, "T1rho")).groups()
    assert float(value) == pytest.approx(1000 * maps.values["T1rho"][INSIDE], abs=0.051)
    assert float(spread) == pytest.approx(1000 * maps.sd["T1rho"][INSIDE], rel=0.02, abs=0.051)
    assert "Slice 6, row 21, column 16" in page.inner_text("#voxel")


@pytest.mark.parametrize("voxel", [INSIDE, NEAR])
def test_the_signals_of_a_voxel_in_or_near_a_region_are_the_measured_ones(page, knee, voxel):
    start(page)
    click(page, voxel)
    page.locator("#curves details").evaluate("(one) => one.setAttribute('open', '')")
    for method, series in knee.scan.series.items():
        rows = page.locator(f'#curves tr[data-method="{method}"]')
        shown = [float(text) for text in rows.locator("td:nth-child(2)").all_inner_texts()]
        # three digits are shown, and half a step of the brightest signal is lost
        measured, step = series.magnitudes[(slice(None), *voxel)], series.magnitudes.max() / 8190
        assert np.all(np.abs(shown - measured) <= 0.006 * measured + 0.5 * step)
    assert page.locator("#curves svg").count() == 2


def test_the_curve_is_the_model_of_the_fit_scaled_to_the_signals(page, knee):
    start(page)
    click(page, INSIDE)
    page.locator("#curves details").evaluate("(one) => one.setAttribute('open', '')")
    values = {name: float(volume[INSIDE]) for name, volume in knee.maps.values.items()}
    series = knee.scan.series["adiabatic_t1rho"]
    shape = synthesize(series.acquisitions, {**values, "M0": 1.0})
    measured = series.magnitudes[(slice(None), *INSIDE)]
    expected = shape * float(measured @ shape / (shape @ shape))
    rows = page.locator('#curves tr[data-method="adiabatic_t1rho"] td:nth-child(3)').all_inner_texts()
    # values on the page are rounded to the digits that it shows
    assert [float(text) for text in rows] == pytest.approx(expected.tolist(), rel=7e-3)


def test_every_equation_of_the_page_is_that_of_the_fits(page):
    """The printed JavaScript against the torch functions, over all models."""
    values = {"M0": 900.0, "T1": 0.9, "B1": 0.93, "T2": 0.004, "T1rho": 0.04, "T1rho_short": 0.008}
    values |= {"T1rho_long": 0.06, "short_fraction": 0.3, "stretching_exponent": 0.8, "offset": 0.1}
    code = "([text, name, values]) => (0, eval)('(' + text + ')')[name].signal(values)"
    for name, model in SIGNAL_MODELS.items():
        for own in FULL.acquisitions:
            if own.method not in model.methods:
                continue
            image = dataclasses.replace(own, pulse_duration=3e-4)
            method = {image.method: name}
            expected = synthesize([image], values, method)[0]
            settings = {key: getattr(image, key) for key in model.settings}
            found = page.evaluate(code, [equations([name]), name, {**values, **settings}])
            assert found == pytest.approx(float(expected), rel=1e-4), (name, image.label)


def test_away_from_regions_there_are_map_values_and_a_reason_where_there_is_none(page):
    start(page)
    click(page, NO_VALUE)
    assert "outside the regions" in page.inner_text("#voxel")
    assert "no value: dark under fat saturation" in cell(page, "T1rho")
    assert cell(page, "T1").endswith(" ms")
    assert "No signals are kept" in page.inner_text("#curves")


@pytest.mark.parametrize("plane", ["sagittal", "coronal", "axial"])
def test_a_voxel_has_the_color_of_its_value_in_every_plane(page, knee, plane):
    start(page)
    click(page, INSIDE)
    for name in ("inside", "outlines", "cross"):
        page.uncheck(f"#{name}")
    for quantity in ("T1", "T1rho"):
        page.select_option("#map", quantity)
        page.wait_for_function("key => shown.layer.key === key", arg=quantity)
        described = QUANTITIES[quantity]
        low, high = described.display_range
        part = (knee.maps.values[quantity][INSIDE] * described.display_factor - low) / (high - low)
        expected = np.array(color_map(described)(float(part))[:3]) * 255
        assert np.abs(pixel(page, plane, INSIDE) - expected).max() <= 4
    assert "2000 ms" in page.inner_text("#ticks") or page.inner_text("#ticks").endswith("100 ms")


def test_the_color_bar_has_the_numbers_of_its_map(page):
    start(page)
    page.select_option("#map", "T1rho-sd")
    page.wait_for_function("shown.layer.key === 'T1rho-sd'")
    assert page.locator("#ticks span").all_inner_texts() == ["0 ms", "2.5 ms", "5 ms", "7.5 ms", "10 ms"]


def test_relaxation_times_stand_first(page):
    rows = page.locator("#voxel tr th").all_inner_texts()
    assert rows == ["T1", "T1rho", "B1", "M0"]


def test_planes_lie_as_a_radiologist_expects(page):
    """The bright voxel is superior and posterior: high up on the right of the sagittal plane."""
    start(page)
    page.uncheck("#outlines")
    page.uncheck("#cross")
    page.select_option("#map", "")
    page.wait_for_function("shown.layer === null")
    for letter, plane in (("APSI", "sagittal"), ("RLSI", "coronal"), ("RLAP", "axial")):
        assert "".join(page.evaluate("plane => PLANES[plane].edges", plane)) == letter
    other = (BRIGHT[0], BRIGHT[1], SHAPE[2] - 1 - BRIGHT[2])
    assert pixel(page, "sagittal", BRIGHT).mean() > 1.3 * pixel(page, "sagittal", other).mean()


def test_position_follows_the_tilted_affine(page, knee):
    start(page)
    click(page, INSIDE)
    right, anterior, superior = (knee.maps.grid.affine @ [*INSIDE, 1])[:3]
    words = f"{'RL'[int(right < 0)]} {abs(right):.1f}, {'AP'[int(anterior < 0)]} {abs(anterior):.1f}"
    assert f"{words}, {'SI'[int(superior < 0)]} {abs(superior):.1f} mm" in page.inner_text("#voxel")


def test_the_keyboard_moves_and_switches(page):
    start(page)
    click(page, INSIDE)
    z, y, x = INSIDE
    page.keyboard.press("ArrowRight")
    wait_for(page, (z, y, x + 1))
    page.keyboard.press("ArrowUp")
    wait_for(page, (z, y - 1, x + 1))
    page.keyboard.press("PageDown")
    wait_for(page, (z + 1, y - 1, x + 1))
    page.keyboard.press("r")
    assert not page.is_checked("#outlines")
    before = page.input_value("#map")
    page.keyboard.press("m")
    assert page.input_value("#map") != before
    page.keyboard.press("+")
    assert page.input_value("#zoom") == "1.5"
    label = page.get_attribute("#sagittal", "aria-label")
    assert "Sagittal slice 7 of 10" in label
    assert "T1rho" in label


def test_the_wheel_turns_slices(page):
    start(page)
    click(page, INSIDE)
    page.mouse.wheel(0, 100)
    wait_for(page, (INSIDE[0] + 1, *INSIDE[1:]))
    for _ in range(3):
        page.mouse.wheel(0, -15)
    wait_for(page, INSIDE)


def test_a_region_is_one_button_away(page):
    start(page)
    page.get_by_role("button", name="medial meniscus").click()
    page.wait_for_function("document.getElementById('voxel').innerText.includes('medial meniscus')")


def test_on_paper_the_pictures_and_the_warning_stay_and_the_controls_go(page):
    page.emulate_media(media="print")
    assert not page.is_visible(".controls")
    assert page.is_visible("#sagittal")
    assert page.is_visible("text=not a medical device >> nth=0")
    page.emulate_media(media="screen")


@pytest.mark.parametrize("width", [1440, 820, 390])
def test_nothing_sticks_out_on_desktop_tablet_and_phone(browser, address, width, tmp_path: Path):
    page = opened(browser, address, width=width, height=1000)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert page.locator("#sagittal").bounding_box()["width"] > 200
    assert len(page.screenshot()) > 10_000
    assert page.said == []
    page.close()


def test_a_knee_without_regions_shows_signals_wherever_there_are_values(browser, tmp_path):
    page = opened(browser, write_knee_page(tmp_path, make_knee(with_regions=False)).as_uri())
    page.locator("#sagittal-slice").fill(str(NO_VALUE[0] + 1))
    click(page, INSIDE)
    assert page.locator("#curves svg").count() == 2
    assert page.locator("#inside").count() == 0
    click(page, NO_VALUE)
    assert "the page keeps those of voxels with values" in page.inner_text("#curves")
    for key in "mrox+-":
        page.keyboard.press(key)
    assert page.said == []
    page.close()


def test_an_old_browser_gets_a_sentence_and_the_tables(browser, address):
    page = opened(browser, address, before="delete window.DecompressionStream")
    assert "too old for the viewer" in page.inner_text("#trouble")
    assert page.is_visible("text=femoral cartilage >> nth=0")
    page.close()


def test_no_text_of_a_user_becomes_a_script(page):
    assert page.evaluate("window.stolen") is None
    assert page.locator("text=<b>bold</b>").count() >= 1
