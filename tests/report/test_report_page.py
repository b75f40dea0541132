"""The page opens offline, escapes what it is given, and shows what was computed."""

import base64
import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from synthetic_cases import make_cases

from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.evaluate import evaluate
from rmqnet.report.more_tables import agreement_table, region_table, segmentation_table
from rmqnet.report.page import write_report
from rmqnet.report.scatter_figures import roi_picture
from rmqnet.report.study import Study, representative_subject
from rmqnet.report.tables import few_subjects, protocol_table, table_1, table_2

CONFIG = EvaluateConfig(n_bootstrap=60, n_permutations=99)
NASTY = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def cases():
    return make_cases(5)


@pytest.fixture(scope="module")
def evaluation(cases):
    return evaluate(cases, CONFIG)


@pytest.fixture(scope="module")
def folder(cases, evaluation, tmp_path_factory):
    curves = pd.DataFrame(
        {"epoch": [0, 1, 0, 1], "split": ["training"] * 2 + ["validation"] * 2, "total": [2.0, 1, 3, np.nan]}
    )
    subjects = [case.subject for case in cases[::2]]
    study = Study(
        f"Study {NASTY}",
        simulated=True,
        split={"test": subjects},
        description=[f"Done with {NASTY}"],
        curves={"4FA+7TSL": curves},
        provenance={"version": "1.2.3", "note": NASTY},
        pages={"x1": {"1FA+1TSL": "../predicted/sub-x1/figures/knee.html"}},
        notes=[NASTY],
    )
    folder = tmp_path_factory.mktemp("study") / "report"
    assert write_report(folder, evaluation, iter(cases), study) == folder / "report.html"
    return folder


class Page(HTMLParser):
    """Tags, attributes and visible text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "tags must nest"

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


@pytest.fixture(scope="module")
def page(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    return Page(text)


def test_the_page_needs_nothing_from_outside(page):
    assert not page.open
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "href"):
            if name in attributes:
                assert attributes[name].startswith(("data:image/png;base64,", "#", "../"))
    links = {a["href"][1:] for tag, a in page.tags if tag == "a" and a["href"].startswith("#")}
    assert links <= {a.get("id") for _, a in page.tags}


def test_what_is_put_in_is_escaped(page, folder):
    assert NASTY not in (folder / "report.html").read_text(encoding="utf-8")
    # title, heading, description, note and provenance
    assert page.text.count(NASTY) == 5


def test_each_knee_has_a_link_to_its_page(page):
    beside = [a["href"] for tag, a in page.tags if tag == "a" and not a["href"].startswith("#")]
    assert beside == ["../predicted/sub-x1/figures/knee.html"]


def test_every_figure_is_a_png_with_a_text_for_those_who_cannot_see_it(page):
    images = [a for tag, a in page.tags if tag == "img"]
    assert len(images) == 6, "figures 2 to 6 and the learning curves"
    for image in images:
        assert len(image["alt"]) > 20
        assert base64.b64decode(image["src"].split(",")[1]).startswith(b"\x89PNG")


def test_every_table_says_simulated_and_beside_the_paper_that_it_is_no_reproduction(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    tables = re.findall(r'<section class="table">.*?</section>', text, flags=re.S)
    assert len(tables) >= 10
    for table in tables:
        assert "simulated subjects" in table
        if 'class="paper"' in table:
            assert "different population; not a reproduction" in table
    assert "Research use only; not a medical device" in text


def test_real_subjects_are_not_called_simulated(cases, evaluation, tmp_path):
    real = [
        dataclasses.replace(c, truth=None, truth_segmentation=None, cartilage_fraction=None) for c in cases
    ]
    page = write_report(tmp_path, evaluate(real, CONFIG), real, Study("Real", simulated=False))
    text = page.read_text(encoding="utf-8").split("</style>")[1]
    assert "imulated" not in text
    assert set(pd.read_csv(tmp_path / "table1.csv")["subjects"]) == {"measured"}


def test_a_study_of_one_quantity_and_one_region_still_has_a_report(cases, tmp_path):
    few = dataclasses.replace(CONFIG, quantities=("T1rho",), regions=("meniscus",))
    study = Study("Menisci", simulated=True)
    page = write_report(tmp_path, evaluate(cases[:2], few), cases[:2], study)
    assert "data:image" not in page.read_text(encoding="utf-8")
    several = dataclasses.replace(CONFIG, quantities=("T1rho",), regions=("cartilage",))
    page = write_report(tmp_path, evaluate(cases[:2], several), cases[:2], study)
    assert page.read_text(encoding="utf-8").count("data:image") == 2


def _score(evaluation, **about):
    wanted = {"subject": "all", "group": "all", "tissue": "cartilage", "against": "reference"} | about
    return next(s for s in evaluation.scores if all(getattr(s, k) == v for k, v in wanted.items()))


def test_table_1_shows_our_r_and_the_papers(evaluation):
    table = table_1(evaluation)
    rows = {row[0].text: row for row in table.rows}
    score = _score(evaluation, input_set="1FA+1TSL", quantity="T1", level="roi", metric="pearson_r")
    cell = rows["1FA+1TSL"][5]
    assert cell.text == f"{score.value:.3f}"
    assert f"[{score.low:.3f}, {score.high:.3f}]" in cell.note
    assert "p of subject means = " in cell.note
    assert cell.paper == "0.908"
    assert [c.paper for c in rows["4FA+7TSL"][5:]] == ["0.918", "0.816", "0.985", "0.969"]


def test_few_subjects_are_a_warning_above_table_1(evaluation, cases):
    assert "5 subjects: " in table_1(evaluation).lead
    assert "1/5! = 0.0083" in table_1(evaluation).lead
    assert "1/3! = 0.17" in few_subjects(3)
    assert few_subjects(1).startswith("1 subject: ")
    assert few_subjects(10) == ""


def test_one_subject_gives_one_subject_and_means_without_sd(cases, tmp_path):
    alone = evaluate(cases[:2], CONFIG)
    page = write_report(tmp_path, alone, cases[:2], Study("One", simulated=True))
    text = page.read_text(encoding="utf-8")
    assert "1 subject evaluated" in text
    assert "\N{PLUS-MINUS SIGN}" not in segmentation_table(alone).rows[0][2].text
    assert "\N{PLUS-MINUS SIGN} \N{EN DASH}" not in text


def test_partial_volume_is_explained_before_the_comparison_with_the_truth(evaluation):
    assert "partial volume" in agreement_table(evaluation, "truth").lead


def test_a_panel_without_points_says_why(cases, evaluation, monkeypatch):
    empty = evaluation.roi.assign(predicted_own_mask=np.nan)
    figures = []
    monkeypatch.setattr("rmqnet.report.scatter_figures.to_png", lambda figure: figures.append(figure) or b"")
    roi_picture(3, "T1", dataclasses.replace(evaluation, roi=empty, scores=[]))
    for axis in figures[0].axes:
        assert "no cartilage was predicted" in axis.texts[0].get_text()
        assert not axis.get_xticks().size


def test_table_2_is_in_ms_and_percent(evaluation):
    row = next(r for r in table_2(evaluation).rows if (r[0].text, r[1].text) == ("T1 [ms]", "1FA+1TSL"))
    mean = _score(evaluation, input_set="1FA+1TSL", quantity="T1", level="voxel", metric="l1_mean").value
    assert row[2].text.startswith(f"{1000 * mean:.1f} ")
    assert row[2].paper == "67.1 \N{PLUS-MINUS SIGN} 18.1"
    assert row[4].paper == "3.84 \N{PLUS-MINUS SIGN} 2.28"
    part = _score(evaluation, input_set="1FA+1TSL", quantity="T1", level="voxel", metric="normalized_l1_mean")
    assert row[5].text.startswith(f"{100 * part.value:.2f} ")


def test_scan_times_are_computed_from_the_protocol(evaluation):
    rows = {row[0].text: [cell.text for cell in row] for row in protocol_table(evaluation).rows}
    # 142 s + 154 s = 4:56; with AFI 9:53; the paper prints 5.73 min and 5.7
    assert rows["1FA+1TSL"][3:] == ["4.93", "9.88", "5.73", "5.56", "6.56", "5.7"]


def test_csv_files_hold_the_numbers_with_their_units(folder, evaluation):
    # the columns of the study's tables, so that one reader reads both
    table = pd.read_csv(folder / "table1.csv")
    about = {"input_set": "1FA+1TSL", "quantity": "T1rho", "level": "roi", "against": "reference"}
    row = table.loc[(table[list(about)] == pd.Series(about)).all(axis=1)].squeeze()
    assert row["paper_r"] == 0.733
    assert row["r"] == pytest.approx(
        _score(evaluation, **about, metric="pearson_r", tissue="cartilage").value
    )
    errors = pd.read_csv(folder / "table2.csv")
    assert set(errors["unit"]) == {"ms", "%", "a.u."}
    keys = ["input_set", "quantity", "error", "region", "against"]
    first = errors.set_index(keys).loc[("4FA+7TSL", "T1", "l1", "cartilage", "reference")]
    assert first["paper_mean"] == pytest.approx(36.03)
    scores = pd.read_csv(folder / "scores.csv")
    assert len(scores) == len(evaluation.scores)
    assert list(scores.columns[:4]) == ["subject", "group", "input_set", "quantity"]
    roi = pd.read_csv(folder / "roi.csv")
    assert {"reference", "predicted_own_mask", "predicted_reader_mask", "truth", "slice"} <= set(roi.columns)
    assert set(pd.concat([table, scores, roi])["subjects"]) == {"simulated"}


def test_the_picture_is_of_the_subject_with_the_median_error(evaluation):
    roi = evaluation.roi
    rows = roi[(roi["region"] == "cartilage") & roi["quantity"].isin(["T1", "T1rho"])]
    error = {
        name: np.nanmean(np.abs(part["predicted_own_mask"] - part["reference"]) / part["reference"])
        for name, part in rows.groupby("subject")
    }
    assert representative_subject(evaluation) == sorted(error, key=error.__getitem__)[2]


def test_results_by_region_say_which_part_of_the_region_is_compared(evaluation):
    table = region_table(evaluation)
    place = table.columns.index("Valid, T1rho [%]")
    name = evaluation.input_sets[0]
    row = next(row for row in table.rows if (row[0].text, row[1].text) == ("cartilage", name))
    roi = evaluation.roi.query("quantity == 'T1rho' and region == 'cartilage' and input_set == @name")
    share = roi["n_reader_valid"].sum() / roi["n_reader"].sum()
    assert 0 < share < 1
    assert row[place].text == f"{100 * share:.1f}"
