"""Golden values of src/metrics/ by scikit-learn, sacrebleu and rouge-score.

python -m venv venv && venv/bin/pip install numpy==2.4.6 scikit-learn==1.9.1 sacrebleu==2.6.0 rouge-score==0.1.2
venv/bin/python make_metrics.py > metrics.json
"""

import json

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, matthews_corrcoef

rng = np.random.default_rng(3)


def classes(n_classes, gold, predicted):
    return {
        "n_classes": n_classes,
        "gold": gold,
        "predicted": predicted,
        "confusion": confusion_matrix(gold, predicted, labels=list(range(n_classes))).tolist(),
        "accuracy": float(accuracy_score(gold, predicted)),
        "macro_f1": float(f1_score(gold, predicted, average="macro", zero_division=0)),
        "mcc": float(matthews_corrcoef(gold, predicted)),
    }


def noisy(n_classes, n_examples, share):
    gold = rng.integers(0, n_classes, n_examples)
    other = rng.integers(0, n_classes, n_examples)
    return classes(n_classes, gold.tolist(), np.where(rng.random(n_examples) < share, gold, other).tolist())


def texts(pairs):
    bleu = BLEU()
    found = bleu.corpus_score([text for text, _ in pairs], [[reference for _, reference in pairs]])
    rouge = RougeScorer(["rougeL"])
    return {
        "texts": [text for text, _ in pairs],
        "references": [reference for _, reference in pairs],
        "bleu": float(found.score),
        "matches": [int(it) for it in found.counts],
        "totals": [int(it) for it in found.totals],
        "lengths": [found.sys_len, found.ref_len],
        "rouge_l": [float(rouge.score(reference, text)["rougeL"].fmeasure) for text, reference in pairs],
    }


goldens = {
    "classes": [
        classes(2, [0, 0, 1, 1, 1], [0, 1, 1, 1, 0]),
        # Only one class is predicted; one of three occurs nowhere.
        classes(2, [0, 1, 0, 0], [0, 0, 0, 0]),
        classes(3, [0, 2, 0, 2], [0, 2, 2, 2]),
        # A class is predicted that is never right.
        classes(3, [0, 1, 0, 1], [0, 2, 0, 1]),
        noisy(2, 60, 0.7),
        noisy(5, 120, 0.4),
    ],
    "texts": [
        texts([("the cat sat on the mat", "the cat is on the mat")]),
        texts([("the cat sat on the mat today", "the cat sat on the mat today")]),
        # Shorter and longer than the reference; orders without a match.
        texts([("the small dog barks loudly", "a very small dog that barked all night long"), ("yes", "no")]),
        texts([("one two three four five six seven", "two four six eight")]),
        texts([("completely different words here", "nothing in common at all")]),
        texts([("short text", "short text")]),
        texts([("", "a reference")]),
        texts([("a text", "")]),
        # Marks, numbers, hyphens, entities, line ends, letters beyond ASCII, text without blanks.
        texts(
            [
                ("It costs $3,000.50 (about 2,800 EUR), he said.", "It costs $3,000.50, about 2,800 EUR, he says ."),
                ("a well-known 10-year-old car/bike; 50% off!", "a well known 10 - year - old car / bike: 50 % off"),
                ("&quot;Tom &amp; Jerry&quot; is &lt;b&gt; bold", '"Tom & Jerry" is <b> bold'),
                ("first line\nsecond-\nline <skipped>end.  ", "first line second line end."),
                ("Ein schöner Tag in Zürich, nicht wahr?", "Ein schöner, warmer Tag in Zürich - nicht wahr?"),
                ("这部电影很好看。", "这部电影不好看。"),
                ("...and so on,,, 3.14.15 .5 5. [x] {y} ~z `w` a_b", "...and so on, 3.14 .5 5 [x] {y} ~z a_b"),
                ("don't we'll it's O'Brien", "do n't we will it 's O'Brien"),
            ]
        ),
        texts([(" ".join(rng.choice(list("abcde"), 30)), " ".join(rng.choice(list("abcde"), 28))) for _ in range(6)]),
    ],
    "perplexity": [[loss, float(np.exp(loss))] for loss in (0.0, 0.7, 2.5, 10.8)],
}
# One line for each case.
sections = (
    f' "{name}": [\n' + ",\n".join("  " + json.dumps(case) for case in cases) + "\n ]" for name, cases in goldens.items()
)
print("{\n" + ",\n".join(sections) + "\n}")
