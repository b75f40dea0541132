"""The page of a knee as text: what it says, what it keeps, and that nothing in it can act as HTML."""

import base64
import dataclasses
import gzip
import json
import re

import numpy as np
import pytest
from knee_cases import NASTY, NO_VALUE, SHAPE, make_knee

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.report.knee_page import render_knee, write_knee_page
from rmqnet.report.knee_regions import CHECKS, findings, middle_voxel, region_names, region_table
from rmqnet.report.knee_tables import scan_words, tilt_words
from rmqnet.report.viewer_curves import kept_voxels, models_of
from rmqnet.report.viewer_volumes import FIRST_VALUE, map_layer, sd_layer, shown_digits, signal_codes


@pytest.fixture(scope="module")
def knee():
    return make_knee()


@pytest.fixture(scope="module")
def text(knee):
    return render_knee(knee)


def unpacked(data: str, dtype: type[np.generic] = np.uint16) -> np.ndarray:
    raw = np.frombuffer(gzip.decompress(base64.b64decode(data)), np.uint8)
    if dtype is np.uint8:
        return raw
    low, high = raw.reshape(2, -1).astype(np.uint16)
    return low | (high << 8)


def test_texts_of_a_user_stay_texts(text):
    assert NASTY not in text
    assert "<b>bold" not in text
    # the note and, with the backslash that JSON puts before quotation marks, the name of an input
    assert text.count("&lt;b&gt;bold&lt;/b&gt;") == 2


def test_the_page_says_what_it_is_and_asks_nothing_from_outside(text):
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("not a medical device") >= 2
    assert "Simulated subject" in text
    assert "tilted by up to 12" in text
    assert "medial is towards R" in text, "a left knee"
    assert "No normal range is given" in text
    found = set(re.findall(r"https?://[^\"'\s]+", text))
    assert found == {"http://www.w3.org/2000/svg"}, "the name of SVG, which nobody fetches"
    assert not re.search(r"<(link|iframe|object|img src=\"(?!data:))", text)


def test_values_are_kept_to_the_digits_that_are_shown(knee):
    for name, digits in (("T1", 0), ("T1rho", 1), ("B1", 1)):
        described = QUANTITIES[name]
        layer = map_layer(knee.maps, described, name)
        assert layer.digits == digits
        codes = unpacked(layer.data).astype(float).reshape(SHAPE)
        shown = layer.low + layer.step * (codes - FIRST_VALUE)
        truth = knee.maps.values[name] * described.display_factor
        known = np.isfinite(truth)
        # half of the last digit, and float32
        assert np.abs(shown - truth)[known].max() < 0.5 * 10.0**-digits + 1e-3
        assert (codes[~known] == knee.maps.reason[name][~known]).all()


def test_standard_deviations_are_kept_to_one_percent(knee):
    layer = sd_layer(knee.maps, QUANTITIES["T1rho"], "SD")
    codes = unpacked(layer.data).astype(float).reshape(SHAPE)
    known = np.isfinite(knee.maps.values["T1rho"])
    shown = np.exp(layer.low + layer.step * (codes - FIRST_VALUE))[known]
    truth = knee.maps.sd["T1rho"][known] * 1000
    assert np.abs(shown / truth - 1).max() < 0.0101


def test_signals_are_kept_finely_and_missing_ones_are_told():
    codes, step = signal_codes([np.array([0.0, 100.0]), np.array([np.nan, 43.21])])
    assert codes[1, 0] == 65535
    assert codes[1, 1] * step == pytest.approx(43.21, abs=100 / 8190 / 2)
    assert signal_codes([np.zeros(3)])[0].max() == 0


def test_a_range_is_shown_in_about_a_thousand_steps():
    assert [shown_digits(r) for r in ((0, 2000), (0, 100), (70, 130), (0.3, 1.3))] == [0, 1, 1, 3]


def test_signals_are_kept_in_and_around_regions_only(knee):
    kept = kept_voxels(knee.maps, knee.regions, 13)
    labels = knee.regions.labels > 0
    assert kept[labels].all()
    assert kept[5, 17, 15]
    assert kept[5, 16, 15]
    assert not kept[5, 15, 15]
    assert not kept[NO_VALUE]
    without = kept_voxels(knee.maps, None, 13)
    assert without.sum() == np.prod(SHAPE) - 1, "without regions, every voxel with all its values"
    assert not kept_voxels(knee.maps, None, 10**6).any(), "too many numbers for a page"


def test_a_page_without_regions_says_so():
    text = render_knee(make_knee(with_regions=False))
    assert "No cartilage regions yet, so no regional values. Draw them" in text
    assert 'id="goto"' not in text
    assert json.loads(re.search(r'id="facts">(.*?)</script>', text)[1])["regions"] == []


def test_a_page_with_a_doubt_does_not_say_that_nothing_was_found():
    doubted = dataclasses.replace(made := make_knee(), flags=["T1 is the same everywhere."])
    text = render_knee(doubted)
    assert "Doubt these maps:" in text[: text.index('id="viewer"')]
    assert "found nothing." not in text
    assert "Doubt this prediction:" in render_knee(dataclasses.replace(doubted, predicted=True))
    # all regions but those of a finding
    clean = dataclasses.replace(made, regions=None)
    assert "Doubt" not in render_knee(clean)


def test_a_prediction_is_not_said_to_have_ended_on_a_border_of_a_fit():
    made = make_knee()
    reason = {name: codes.copy() for name, codes in made.maps.reason.items()}
    reason["T1"][2, :5] = Reason.AT_BOUND
    maps = dataclasses.replace(made.maps, reason=reason)
    fitted = render_knee(dataclasses.replace(made, maps=maps))
    predicted = render_knee(dataclasses.replace(made, maps=maps, predicted=True))
    assert "the fit ended on a border" in fitted
    assert "the fit ended" not in predicted
    assert "what the network says is outside the range that is possible" in predicted


def test_regions_have_mean_sd_median_volume_and_valid_share(knee):
    table = region_table(knee, knee.regions)
    row = next(row for row in table.rows if row[0].text == "femoral cartilage")
    column = list(table.columns).index("T1rho [ms] mean \N{PLUS-MINUS SIGN} SD")
    values = knee.maps.values["T1rho"][knee.regions.mask("femoral_cartilage")] * 1000.0
    assert row[column].text == f"{values.mean():.1f} \N{PLUS-MINUS SIGN} {values.std(ddof=1):.1f}"
    assert row[column + 1].text == f"{np.median(values):.1f}"
    assert row[column + 2].text == "100 %"
    assert float(row[1].text) == pytest.approx(values.size * 3 * 0.6 * 0.6 / 1000, abs=0.005)
    empty = next(row for row in table.rows if row[0].text == "patellar cartilage")
    assert empty[2].text == "0"
    assert empty[column].text == "\N{EN DASH}"


def test_unions_stand_before_their_members_and_only_when_complete(knee):
    four = ("femoral_cartilage", "medial_tibial_cartilage", "lateral_tibial_cartilage", "patellar_cartilage")
    complete = Segmentation(knee.regions.labels, (*four, "medial_meniscus"), knee.maps.grid)
    assert region_names(complete) == ["cartilage", *four, "medial_meniscus"]
    assert "cartilage" not in region_names(knee.regions)


def test_findings_name_region_share_and_cause(knee):
    assert findings(knee) == ["patellar cartilage: 0 voxels only."]
    T1rho, reason = knee.maps.values["T1rho"].copy(), knee.maps.reason["T1rho"].copy()
    T1rho[3:5], reason[3:5] = np.nan, 5
    values = {**knee.maps.values, "T1rho": T1rho, "B1": np.full(SHAPE, 0.7, np.float32)}
    maps = MapSet(
        values,
        {**knee.maps.reason, "T1rho": reason},
        knee.maps.grid,
        residual={"vfa": np.full(SHAPE, 1e3, np.float32)},
    )
    found = " ".join(findings(dataclasses.replace(knee, maps=maps)))
    assert (
        "femoral cartilage: 50 % of the voxels have no T1rho, mostly because: the fit ended on a border"
        in found
    )
    assert "median B1 is 70 %" in found
    assert "vfa fit leaves" in found
    assert "Motion between images is not checked" in CHECKS


def test_scan_minutes_are_those_of_the_paper_and_of_no_other_scan(knee):
    # 4 x 142 s + 7 x 154 s + 297 s
    assert "32.4 minutes" in scan_words(knee.scan, simulated=True)
    image = Acquisition("spin_lock", spin_lock_time=0.01)
    own = ImageSeries(np.ones((1, *SHAPE), np.float32), (image,), knee.maps.grid)
    assert "not known" in scan_words(Scan(knee.scan.subject, {"spin_lock": own}), simulated=True)
    # the same images of a person may have been measured faster
    assert "not known" in scan_words(knee.scan, simulated=False)


def test_a_straight_scan_is_not_called_tilted(knee):
    straight = dataclasses.replace(knee.maps.grid, affine=np.diag([-3.0, -0.6, -0.6, 1])[[0, 2, 1, 3]])
    assert tilt_words(straight) == ""


def test_the_middle_voxel_lies_deep_in_the_fullest_slice():
    mask = np.zeros((4, 20, 20), bool)
    mask[1, 2:9, 2:9] = True
    mask[2, 15:17, 3:5] = True
    assert middle_voxel(mask) == [1, 5, 5]


def test_the_richest_model_comes_first(knee):
    models = {"adiabatic_t1rho": ("adiabatic_t1rho", "multispoke_bi_exponential", "multispoke_stretched")}
    found = models_of(dataclasses.replace(knee, models=models))
    assert found["adiabatic_t1rho"] == [
        "multispoke_bi_exponential",
        "multispoke_stretched",
        "adiabatic_t1rho",
    ]
    assert found["vfa"] == ["vfa"]


def test_equal_knees_give_equal_pages(text):
    assert render_knee(make_knee()) == text


def test_maps_lie_as_pictures_beside_the_page(knee, tmp_path):
    page = write_knee_page(tmp_path, knee)
    assert page.name == "knee.html"
    assert (tmp_path / "T1rho.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "residual_vfa.png").is_file()
    assert page.read_text(encoding="utf-8").count("data:image/png;base64,") == 5
