"""Golden values of src/statistics.rs by numpy, scipy and scikit-learn.

python -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
venv/bin/python make_statistics.py > statistics.json
"""

import json

import numpy as np
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score

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


print(
    json.dumps(
        {
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
        },
        indent=1,
    )
)
