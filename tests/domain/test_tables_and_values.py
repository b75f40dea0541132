"""Tables of quantities and tissues, subjects, series, maps and provenance."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.protocols import afi_pair, vfa
from rmqnet.domain.provenance import canonical, config_hash
from rmqnet.domain.quantities import QUANTITIES, REGRESSION_ORDER
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import GROUPS, Subject
from rmqnet.domain.tissues import SEGMENTED, TISSUES, UNIONS, members, tissue_of_label

GRID = centered_grid((2, 3, 4), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=QUANTITIES.keys())
def test_a_quantity_is_searched_wider_than_it_is_plausible(quantity) -> None:
    assert QUANTITIES[quantity.name] is quantity
    (low, high), (least, most) = quantity.plausible, quantity.bounds
    assert least <= low < high <= most
    assert quantity.display_factor > 0
    assert quantity.bids_factor > 0
    assert quantity.network_scale > 0


def test_fit_bounds_are_those_of_the_physics_notes() -> None:
    """PHYSICS 8.2 row 22: T1 50-5000 ms, T1rho 1-300 ms."""
    assert QUANTITIES["T1"].bounds == (0.05, 5.0)
    assert QUANTITIES["T1rho"].bounds == (0.001, 0.3)


def test_the_regression_order_is_that_of_the_papers_equation() -> None:
    assert REGRESSION_ORDER == ("M0", "T1", "B1", "T1rho")
    assert len({quantity.bids_suffix for quantity in QUANTITIES.values()}) == len(QUANTITIES)


def test_tissues_have_labels_and_colors_of_their_own() -> None:
    labels = [tissue.label for tissue in TISSUES.values()]
    assert len(set(labels)) == len(labels)
    assert min(labels) == 1
    assert max(labels) < 256
    assert len({tissue.color.lower() for tissue in TISSUES.values()}) == len(labels)
    for name, tissue in TISSUES.items():
        assert tissue.name == name
        assert tissue_of_label(tissue.label) is tissue
        assert int(tissue.color.removeprefix("#"), 16) >= 0
        assert tissue.source


@pytest.mark.parametrize("tissue", TISSUES.values(), ids=TISSUES.keys())
def test_mean_tissue_values_can_be_found_by_a_fit(tissue) -> None:
    low, high = QUANTITIES["T1"].plausible
    assert low < tissue.T1 < high
    low, high = QUANTITIES["T1rho"].bounds
    assert low <= tissue.T1rho < high
    assert tissue.T1rho < tissue.T1
    assert 0 < tissue.density <= 1


def test_unions_are_made_of_known_tissues_and_keep_their_own_names() -> None:
    for union, names in UNIONS.items():
        assert union not in TISSUES
        assert set(names) <= set(TISSUES)
        assert members(union) == names
    assert members("muscle") == ("muscle",)
    assert len(SEGMENTED) == len(set(SEGMENTED)) == 6
    with pytest.raises(KeyError):
        tissue_of_label(0)


def test_every_grade_belongs_to_one_group() -> None:
    grades = [grade for group in GROUPS.values() for grade in group]
    assert sorted(grades) == [0, 1, 2, 3, 4]
    expected = ["control", "doubtful_minimal", "doubtful_minimal", "moderate_severe", "moderate_severe"]
    assert [Subject("1", "left", kl_grade=grade).group for grade in range(5)] == expected
    assert Subject("1", "left").group is None


@pytest.mark.parametrize(
    "wrong", [{"name": "a-b"}, {"name": ""}, {"name": "é"}, {"side": "Left"}, {"kl_grade": 5}, {"kl_grade": -1}],
    ids=str,
)  # fmt: skip
def test_a_subject_that_bids_could_not_hold_is_refused(wrong) -> None:
    with pytest.raises(InputError):
        Subject(**{"name": "01", "side": "left", **wrong})


def test_images_must_match_their_acquisitions_grid_and_method() -> None:
    good = np.zeros((2, 2, 3, 4), np.float32)
    images = (vfa(5.0), vfa(30.0))
    series = ImageSeries(good, images, GRID)
    assert series.image(images[1]).shape == GRID.shape
    with pytest.raises(KeyError):
        series.image(vfa(7.0))
    for data in (good[:1], good[0], good[:, :, :2]):
        with pytest.raises(InputError, match="do not match"):
            ImageSeries(data, images, GRID)
    with pytest.raises(InputError, match="afi series of sub-1 holds a vfa image"):
        Scan(Subject("1", "left"), {"afi": series})
    with pytest.raises(InputError, match=r"no afi images \(it has: vfa\)"):
        Scan(Subject("1", "left"), {"vfa": series}).get("afi")


def test_magnitudes_of_complex_images_forget_the_phase() -> None:
    data = np.full((2, 2, 3, 4), -3 + 4j, np.complex64)
    magnitudes = ImageSeries(data, afi_pair(), GRID).magnitudes
    assert magnitudes.dtype == np.float32
    assert (magnitudes == 5).all()


def test_maps_must_be_known_quantities_on_their_grid() -> None:
    volume, reason = np.zeros(GRID.shape, np.float32), np.zeros(GRID.shape, np.uint8)
    reason[0] = Reason.BACKGROUND
    assert MapSet({"T1": volume}, {"T1": reason}, GRID).valid("T1").sum() == 12
    with pytest.raises(InputError, match="got 'T2'"):
        MapSet({"T2": volume}, {"T2": reason}, GRID)
    with pytest.raises(InputError, match="does not match the grid"):
        MapSet({"T1": volume[:1]}, {"T1": reason}, GRID)


def test_a_mask_of_a_union_holds_all_its_members() -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[0, 0, :4] = [1, 2, 4, 5]
    segmentation = Segmentation(labels, SEGMENTED, GRID)
    assert segmentation.mask("cartilage").sum() == 3
    assert segmentation.mask("meniscus").sum() == 1
    assert segmentation.mask("femoral_cartilage").sum() == 1


FIVE_DEGREES = vfa(5.0)


@dataclass(frozen=True)
class Options:
    """A configuration as any stage has one."""

    times: tuple[float, ...] = (0.1, 0.2)
    image: Acquisition = FIVE_DEGREES
    folder: Path = Path("a/b")


def test_the_hash_of_a_configuration_follows_its_values_and_nothing_else() -> None:
    own = config_hash("fit", Options())
    assert own == config_hash("fit", Options())
    # kept from version to version: a changed hash makes every cached output look outdated
    assert config_hash("fit", {"a": 1, "b": [0.5, None, True]}) == "9ebb79b663cc588d"
    assert config_hash("fit", {"b": (0.5, None, True), "a": 1}) == "9ebb79b663cc588d"
    for other in (replace(Options(), times=(0.1, 0.3)), replace(Options(), image=vfa(6.0))):
        assert config_hash("fit", other) != own
    assert config_hash("train", Options()) != own


def test_the_hash_does_not_hang_on_where_a_folder_lies() -> None:
    assert config_hash("fit", Options(folder=Path("/x/b"))) == config_hash("fit", Options())


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="ndarray"):
        canonical({"a": np.zeros(2)})
