"""Networks that have learned the truth beside those that have learned fits, and beside the fit of all images.

Errors against the truth on fresh people, on people unlike the training, and the answer to changed tissue. Scores are
kept in the scratch folder, person by person: the same command goes on after a break. What these networks take off is
blurred fat and bone, so that people whose fat is saturated less, or whose read-out is longer, are among the tested.
--record writes docs/results/truth_errors.csv, truth_paired.csv and truth_responses.csv.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

FIT = "4FA+7TSL+AFI, fit"
FIT_LEARNERS = ("4FA+7TSL", "2FA+3TSL")
WATCHED = ("T1", "T1rho")
UNLIKE = ("same", "mismatch")
"""Panels of the study that are taken; each has the same people as the first."""
RESULTS = Path(__file__).parent.parent / "docs" / "results"
REGIONS = ("cartilage", "pure_cartilage")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path, nargs="?", default=Path("build/truth-networks"))
    parser.add_argument("--people", type=int, default=10, help="fresh people, the first of 16")
    parser.add_argument("--unlike", type=int, default=2, help="people of each kind unlike the training")
    parser.add_argument("--changed", type=int, default=1, help="people whose tissue is changed")
    parser.add_argument(
        "--weights", type=Path, help="folder of <input set>.safetensors; default: the package"
    )
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="studies on disk to test on too")
    parser.add_argument("--share", default="1/1", help="K/N: this part of the people, beside other processes")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    from rmqnet.evaluate.config import EvaluateConfig
    from rmqnet.evaluate.evaluate import summarize
    from rmqnet.evaluate.paired import paired_differences
    from rmqnet.evaluate.response import responses
    from rmqnet.networks.shipped import weights_folder
    from rmqnet.pipeline.progress import Quiet
    from rmqnet.pipeline.study.counterfactual import score_counterfactuals
    from rmqnet.pipeline.study.elsewhere import shifted_panels
    from rmqnet.pipeline.study.people import simulated_panel
    from rmqnet.pipeline.study.presets import study_preset
    from rmqnet.pipeline.study.scores import ALL, Lineup, read_share, score_panel

    preset = replace(study_preset("small"), n_shifted=options.unlike)
    config = EvaluateConfig(regions=("cartilage",), n_bootstrap=preset.n_bootstrap)
    methods, pairs, checkpoints = contestants(options.weights or weights_folder("truth"))
    if not pairs:
        print(json.dumps({"skipped": "there are no networks that have learned the truth"}))
        return
    lineup = Lineup("truth", tuple(methods))
    first = Lineup("truth", tuple(methods), options.people)
    fresh = simulated_panel("fresh", "fresh people", preset.unseen(preset.n_baselines))
    panels = [fresh, *(p for p in shifted_panels(preset, options.also) if p.name in UNLIKE or p.marks)]
    fat, long = {"fat_saturation_range": (0.6, 0.601)}, {"readout_duration": 0.0015}
    panels += [
        simulated_panel("fat", "fat saturated by 60 %, not 85-100 %", preset.unseen(options.unlike, **fat)),
        simulated_panel("read-out", "read-out of 1.5, not 1.1 ms", preset.unseen(options.unlike, **long)),
    ]
    check_given(panels, methods, checkpoints)
    share, changed = read_share(options.share), preset.unseen(options.changed)
    scaled = Lineup("scaled", (scaled_fit(),), options.people)
    collected = [
        score_panel(
            options.scratch, panel, [first, scaled] if panel is fresh else [lineup], config, Quiet(), share
        )
        for panel in panels
    ]
    answered = score_counterfactuals(options.scratch / "counterfactual", changed, methods, Quiet(), share)
    if share != ALL:
        return
    tables = [
        error_table(summarize(one["truth"], config), panel.title, methods)
        for one, panel in zip(collected, panels, strict=True)
    ]
    tables.insert(1, error_table(summarize(collected[0]["scaled"], config), fresh.title, scaled.methods))
    parts = [
        paired_differences(
            collected[0]["truth"], pairs, config, region=region, against="truth", own_mask=False
        ).assign(region=region)
        for region in REGIONS
    ]
    differences = pd.concat(parts, ignore_index=True).query("metric == 'normalized_l1'")
    answers = pd.DataFrame(responses(answered, config))
    for table in (*tables, differences, answers):
        print(table.to_string(index=False, float_format="%.4g"), flush=True)
    found = pd.concat(tables, ignore_index=True)
    if options.record:
        for name, table in (("errors", found), ("paired", differences), ("responses", answers)):
            table.to_csv(RESULTS / f"truth_{name}.csv", index=False, float_format="%.5g")
    print(json.dumps({"people": options.people, **headline(found, differences)}))


def scaled_fit():
    """The fit of all images times the mean ratio of truth to fit in the cohort: what one number can mend."""
    from rmqnet.pipeline.study.methods import fit_method
    from rmqnet.simulate.cartilage import TRUE_OVER_FITTED

    plain = fit_method("4FA+7TSL+AFI")

    def run(person):
        found = plain.predict(person)
        values = {name: map_ * TRUE_OVER_FITTED.get(name, 1.0) for name, map_ in found.maps.values.items()}
        return replace(found, maps=replace(found.maps, values=values))

    about = {"label": f"{FIT}, scaled", "settings": {"fit": plain.settings, "factors": TRUE_OVER_FITTED}}
    return replace(plain, predict=run, what=f"{plain.what}, scaled", **about)


def contestants(folder: Path) -> tuple[list, list[tuple[str, str]], dict]:
    """The methods, the pairs to compare (each that has learned the truth, the fit and its twin), and the networks."""
    from rmqnet.networks.checkpoint import load_checkpoint
    from rmqnet.networks.history import learned_targets
    from rmqnet.networks.shipped import shipped_checkpoint, weights_folder
    from rmqnet.pipeline.study.methods import fit_method, network_method

    methods = [fit_method("4FA+7TSL+AFI")]
    checkpoints = {name: shipped_checkpoint(name) for name in FIT_LEARNERS}
    for name, checkpoint in checkpoints.items():
        methods.append(network_method(name, weights_folder() / f"{name}.safetensors", checkpoint))
    pairs = []
    for path in sorted(folder.glob("*.safetensors")):
        checkpoint = load_checkpoint(path)
        assert learned_targets(checkpoint.training) == "truth", f"{path} has not learned the truth"
        name = f"{checkpoint.inputs.name}-truth"
        methods.append(network_method(name, path, checkpoint))
        checkpoints[name] = checkpoint
        pairs += [(name, FIT)] + [(name, one) for one in FIT_LEARNERS if one == checkpoint.inputs.name]
    return methods, pairs, checkpoints


def check_given(panels: Sequence, methods: Sequence, checkpoints: dict) -> None:
    """Refuse, before hours of work, people on disk whose truth is not known or whom a network has learned from."""
    from rmqnet.pipeline.study.leaks import check_people_untouched

    for panel in panels:
        if panel.marks:
            tested = dict(zip(panel.names, panel.marks, strict=True))
            check_people_untouched(tested, checkpoints, panel.title)
            person = panel.load(0)
            assert person.truth is not None, f"{panel.title}: its truth is not known"
            for method in methods:
                method.predict(person)


def error_table(evaluation, people: str, methods: Sequence) -> pd.DataFrame:
    """Errors of every method against the truth: mean absolute [ms], over the mean of the slice [%], voxel r."""
    from rmqnet.report.lookup import Lookup

    ours, n_people = Lookup(evaluation.scores), len(evaluation.subjects)
    told = {method.label for method in methods if not method.segmentation}
    rows = []
    for method in evaluation.input_sets:
        for quantity in WATCHED:
            for region in REGIONS:
                place = {"tissue": region, "against": "truth"}
                row: dict[str, object] = {"people": people, "n_people": n_people, "method": method}
                row |= {"quantity": quantity, "region": region}
                for metric, factor in (("l1", 1e3), ("normalized_l1", 1e2)):
                    one = ours.find(method, quantity, "voxel", f"{metric}_mean", **place)
                    assert one is not None
                    row |= {metric: factor * one.value, f"{metric}_low": factor * one.low}
                    row[f"{metric}_high"] = factor * one.high
                row["voxel_r"] = ours.value(method, quantity, "voxel", "pearson_r", **place)
                dice = ours.value(method, "", "volume", "dice_mean", against="truth")
                row["dice"] = "told" if method in told else f"{dice:.3f}"
                rows.append(row)
    return pd.DataFrame(rows)


def headline(found: pd.DataFrame, differences: pd.DataFrame) -> dict[str, float]:
    """Normalized L1 of every method on the fresh people, and its difference to the fit, in percent."""
    own = found.loc[found["people"] == "fresh people"]
    numbers = {
        f"{row['method']} {row['quantity']} {row['region']}": round(float(row["normalized_l1"]), 2)
        for row in own.to_dict("records")
    }
    for row in differences.to_dict("records"):
        name = f"{row['first']} minus {row['second']} {row['quantity']} {row['region']}"
        numbers[name] = round(100 * float(row["difference"]), 2)
    return numbers


if __name__ == "__main__":
    main()
