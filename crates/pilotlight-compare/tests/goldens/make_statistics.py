"""Golden values of src/statistics.rs by numpy, scipy, scikit-learn and statsmodels.

python -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 statsmodels==0.15.0
venv/bin/python make_statistics.py > statistics.json
"""

import json

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(7)


def majority(train, test):
    model = DummyClassifier(strategy="most_frequent").fit(np.zeros((len(train), 1)), train)
    return {
        "train": train,
        "test": test,
        "accuracy": accuracy_score(test, model.predict(np.zeros((len(test), 1)))),
    }


def interval(n, hits, confidence):
    """The bootstrap distribution of an accuracy is binomial: the limits to which the percentile interval tends."""
    correct = np.zeros(n)
    correct[:hits] = 1
    sampled = stats.bootstrap(
        (correct,), np.mean, n_resamples=20000, confidence_level=confidence, method="percentile", rng=rng
    ).confidence_interval
    tail = (1 - confidence) / 2
    return {
        "n": n,
        "hits": hits,
        "confidence": confidence,
        "exact": [float(stats.binom.ppf(p, n, hits / n) / n) for p in (tail, 1 - tail)],
        "scipy": [float(sampled.low), float(sampled.high)],
    }


def described(values):
    return {
        "values": values,
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)),
        "median": float(np.median(values)),
        "quantiles": [[p, float(np.quantile(values, p))] for p in (0.0, 0.025, 0.3, 0.75, 0.975, 1.0)],
    }


# What is below draws from a generator of its own, so that what is above keeps its values.
seeds = np.random.default_rng(11)


def outcomes(n_seeds, n_examples, skill, of_seed):
    """Right or wrong answers: examples differ in how hard they are, seeds in how good they are."""
    hard = np.random.default_rng(5).normal(size=n_examples)
    latent = skill + hard + of_seed * seeds.normal(size=(n_seeds, 1)) + 0.7 * seeds.normal(size=(n_seeds, n_examples))
    return (latent > 0).astype(int)


def pigeonhole(values, resamples=40_000):
    """Seeds and examples drawn again, each for itself: the mean of the drawn grid, `resamples` times."""
    n_seeds, n_examples = values.shape
    draws = np.empty(resamples)
    for index in range(resamples):
        rows = seeds.integers(0, n_seeds, n_seeds)
        columns = seeds.integers(0, n_examples, n_examples)
        draws[index] = values[rows][:, columns].mean()
    return [float(np.quantile(draws, p)) for p in (0.025, 0.975)]


def crossed(first, second):
    """The t test with random seeds and random examples, mean squares by the analysis of variance of statsmodels."""
    difference = np.array(first) - np.array(second)
    n_seeds, n_examples = difference.shape
    mean = difference.mean()
    if n_seeds == 1:
        found = stats.ttest_rel(first[0], second[0])
        return float(found.pvalue)
    rows, columns = np.indices(difference.shape)
    frame = pd.DataFrame({"d": difference.ravel(), "seed": rows.ravel(), "example": columns.ravel()})
    table = sm.stats.anova_lm(smf.ols("d ~ C(seed) + C(example)", frame).fit())
    of_seed, of_example, rest = table["sum_sq"] / table["df"]
    variance = rest + max(of_seed - rest, 0) + max(of_example - rest, 0)
    freedom = min((n_seeds - 1) * (variance / of_seed) ** 2, n_examples - 1)
    t = mean / np.sqrt(variance / difference.size)
    return float(2 * stats.t.sf(abs(t), freedom))


def pair(first, second):
    difference = first - second
    return {
        "first": first.tolist(),
        "second": second.tolist(),
        "mean": float(difference.mean()),
        "interval": pigeonhole(difference),
        "p_value": crossed(first.tolist(), second.tolist()),
    }


def summary(values):
    return {
        "values": values.tolist(),
        "mean": float(values.mean()),
        "deviation": float(values.mean(axis=1).std(ddof=1)),
        "interval": pigeonhole(values),
    }


def holm(p_values):
    return {"p_values": p_values, "corrected": multipletests(p_values, method="holm")[1].tolist()}


goldens = {
    "majority": [
        majority([0, 1, 1, 2, 1], [1, 1, 0, 2]),
        majority([1, 0, 0, 1], [1, 0, 1]),
        majority(rng.integers(0, 5, 200).tolist(), rng.integers(0, 5, 60).tolist()),
    ],
    "intervals": [interval(300, 211, 0.95), interval(291, 268, 0.95), interval(50, 9, 0.8)],
    "described": [
        described([0.703, 0.69, 0.74]),
        described([3.0, 1.0]),
        described(rng.normal(size=25).round(6).tolist()),
    ],
    "mcnemar": [
        {"first_only": a, "second_only": b, "p_value": float(stats.binomtest(a, a + b).pvalue)}
        for a, b in [(10, 2), (3, 3), (0, 5), (31, 58), (400, 460), (1, 0), (2100, 100)]
    ],
    "summaries": [summary(outcomes(5, 90, 0.4, 0.3)), summary(outcomes(3, 60, -0.2, 0.0))],
    "pairs": [
        pair(outcomes(5, 80, 0.6, 0.1), outcomes(5, 80, 0.2, 0.1)),
        pair(outcomes(3, 60, 0.3, 0.5), outcomes(3, 60, 0.3, 0.5)),
        pair(outcomes(4, 50, 1.4, 0.0), outcomes(4, 50, 0.0, 0.0)),
        pair(seeds.random((1, 40)).round(3), seeds.random((1, 40)).round(3)),
        pair(seeds.random((3, 40)).round(3) + 0.1, seeds.random((3, 40)).round(3)),
    ],
    "holm": [
        holm([0.01, 0.04, 0.03, 0.005]),
        holm([0.5]),
        holm([0.9, 0.8, 1.0]),
        holm(seeds.random(15).round(4).tolist()),
        holm([1e-9, 0.02, 0.02, 0.02, 0.6]),
    ],
}
# One line for each case.
sections = (
    f' "{name}": [\n' + ",\n".join("  " + json.dumps(case) for case in cases) + "\n ]" for name, cases in goldens.items()
)
print("{\n" + ",\n".join(sections) + "\n}")
