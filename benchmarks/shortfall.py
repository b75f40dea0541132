"""Why networks fall short of the paper's numbers: what the noise of missing images, and what an unknown B1 costs.

Fresh people, cartilage, against the fitted reference. Beside each shipped network stand

- "perfect": the fit of the images of the input set with their noise, and of all others without any. Who sees the input
  set alone can't know the noise of the others, however well the tissue is known: about a ceiling, since what is best on
  average is not exactly this fit;
- "B1 given": T1 of the network with the B1 of "perfect" in place of its own, where several flip angles measure T1 times
  B1 squared. With one flip angle T1 is mostly known beforehand, and B1 would not mend it.

What is left between them is tissue that the images don't tell, and the network itself.
"""

import argparse
import copy
import json
from dataclasses import replace

import numpy as np

N_PEOPLE = 8
INPUTS = ("4FA+7TSL", "2FA+3TSL", "1FA+2TSL", "1FA+1TSL")
MEASURE_T1 = ("4FA+7TSL", "2FA+3TSL")
KINDS = ("network", "B1 given", "perfect")
METRICS = (("voxel", "pearson_r", "voxel r"), ("voxel", "normalized_l1_mean", "normalized L1"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=N_PEOPLE)
    options = parser.parse_args()
    from rmqnet.evaluate.collect import Collected, collect_subject, merged
    from rmqnet.evaluate.config import EvaluateConfig
    from rmqnet.evaluate.evaluate import summarize
    from rmqnet.networks.shipped import shipped_checkpoint, shipped_names
    from rmqnet.pipeline.study.people import person_of
    from rmqnet.pipeline.study.presets import study_preset
    from rmqnet.predict.predict import predict
    from rmqnet.report.lookup import Lookup
    from rmqnet.simulate.simulate import knee_and_scan_rng, scan_knee

    if missing := [name for name in INPUTS if name not in shipped_names()]:
        print(json.dumps({"skipped": f"the package ships no network for {', '.join(missing)}"}))
        return
    people = study_preset("small").unseen(options.people)
    config = EvaluateConfig(n_bootstrap=1000, regions=("cartilage",))
    parts = []
    for index in range(options.people):
        knee, rng = knee_and_scan_rng(people, index)
        person = person_of(scan_knee(knee, people, copy.deepcopy(rng)))
        silent = scan_knee(knee, people, copy.deepcopy(rng), noise=0.0).scan
        cases = []
        for name in INPUTS:
            found = predict(person.scan, shipped_checkpoint(name))
            best = perfect(person, silent, name)
            kinds = {"network": found, "perfect": best}
            if name in MEASURE_T1:
                kinds["B1 given"] = with_b1_of(found, best)
            cases += [person.case(f"{name}, {kind}", prediction) for kind, prediction in kinds.items()]
        parts.append(Collected())
        collect_subject(cases, config, parts[-1])
        print(f"person {index + 1} of {options.people}", flush=True)
    ours = Lookup(summarize(merged(parts), config).scores)
    numbers: dict[str, float] = {}
    place = {"tissue": "cartilage", "against": "reference"}
    for quantity in ("T1", "T1rho"):
        for level, metric, title in METRICS:
            for name in INPUTS:
                for kind in KINDS:
                    score = ours.find(f"{name}, {kind}", quantity, level, metric, **place)
                    if score is None or (kind == "B1 given" and quantity != "T1"):
                        continue
                    numbers[f"{quantity} {metric} {name} {kind}"] = round(score.value, 4)
                    cell = f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"
                    print(f"{quantity:<6} {title:<14} {name:<9} {kind:<9} {cell}")
    print(json.dumps({"people": options.people, **numbers}))


def with_b1_of(found, best):
    """The prediction with T1 as it would be with the B1 of another, whose AFI images had no noise."""
    values = dict(found.maps.values)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = (values["B1"] / best.maps.values["B1"]) ** 2
    values["T1"] = np.where(np.isfinite(factor), values["T1"] * factor, np.nan).astype(np.float32)
    return replace(found, maps=replace(found.maps, values=values))


def perfect(person, silent, name: str):
    """Maps fitted from the noisy images of an input set and noiseless ones in place of all others."""
    from rmqnet.domain.maps import Prediction
    from rmqnet.domain.protocols import input_set
    from rmqnet.fit.fit import fit
    from rmqnet.samples.stack import stack_inputs

    seen = stack_inputs(person.scan, input_set(name)).acquisitions
    series = {}
    for method, noisy in person.scan.series.items():
        data = silent.series[method].data.copy()
        for index, acquisition in enumerate(noisy.acquisitions):
            if acquisition in seen:
                data[index] = noisy.data[index]
        series[method] = replace(noisy, data=data)
    return Prediction(fit(replace(person.scan, series=series)), person.regions)


if __name__ == "__main__":
    main()
