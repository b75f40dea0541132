"""The paper's study, whole: cohorts, trainings, baselines, counterfactual scans, one report."""
