"""Checks that PEFT computes with an adapter of `pilot train` what `pilot` computes with it.

    python check_with_peft.py --model MODEL --adapter ADAPTER --input EXAMPLES.jsonl

loads the folder ADAPTER into PEFT on the model in the folder MODEL, and compares PEFT's log-probabilities with those of
`pilot score --model MODEL --adapter ADAPTER --input EXAMPLES.jsonl`: each line has a `text` and a list of `choices`.
If the adapter has a linear head over classes, `pilot predict` is compared: each line then has the fields of the task.
PEFT's pooler reads the first position of the sequence, so a soft prompt has to be trained with `pooling = "first"`.

    python check_with_peft.py --all

trains a few steps of every method that PEFT has, by `pilot train`, on each tiny model beside this script, and prints a
line for each: family, method, the largest difference of a log-probability. What PEFT warns of is printed below.

Needs the packages torch, transformers and peft. The exit code is 1 if a difference is above 1e-4, a method fails or
PEFT warns.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from maker import families
from maker.pilot import Failure, largest_difference, run

TOLERANCE = 1e-4
N_STEPS = 12
PILOT = Path(__file__).parent.parent.parent / "target/release/pilot"

PROMPT = 'method = "soft-prompt"\nplacement = "before"\nprompt_length = 5\n'
PREFIX = 'method = "prefix"\nprefix_length = 3\n'
LORA = 'method = "lora"\nrank = 4\nalpha = 6.0\n'
LLAMA_NAMES = '["embed_tokens", "lm_head", "q_proj", "v_proj"]'
WORDS_AND_HEAD = {"llama": LLAMA_NAMES, "qwen2": LLAMA_NAMES, "gpt2": '["wte", "lm_head", "c_attn"]',
                  "bert": '["word_embeddings", "query"]', "llama-cls": '["embed_tokens", "q_proj"]'}
PATTERNS = {"gpt2": '{ c_proj = 2, "h.1.attn.c_attn" = 6 }', "bert": '{ query = 2, "output.dense" = 6 }'}
# Projections with a bias; a Llama has none.
WITH_BIASES = {"qwen2": '["q_proj", "k_proj", "v_proj"]', "gpt2": '"all-linear"', "bert": '"all-linear"'}
# Section `[tuner]` of each method, for a family.
TUNERS = {
    "prompt": lambda _: PROMPT,
    "p-tuning-mlp": lambda _: PROMPT + 'encoder = "mlp"\nencoder_dim = 12\n',
    "p-tuning-lstm": lambda _: PROMPT + 'encoder = "lstm"\nencoder_dim = 8\n',
    "prefix": lambda _: PREFIX,
    "prefix-projection": lambda _: PREFIX + "projection_dim = 12\n",
    "lora": lambda _: LORA,
    "rslora-all-linear": lambda _: LORA + 'rslora = true\ntargets = "all-linear"\n',
    "lora-patterns": lambda family: LORA + 'targets = "all-linear"\nrank_pattern = '
                                    + PATTERNS.get(family, '{ q_proj = 2, "layers.1.mlp.up_proj" = 6 }') + "\n",
    "lora-layers": lambda _: LORA + 'targets = "all-linear"\nlayers = [1]\nexclude = ".*(mlp|output).*"\n',
    "lora-embeddings-head": lambda family: LORA + f"targets = {WORDS_AND_HEAD[family]}\n",
    "dora": lambda _: LORA + "dora = true\n",
    "dora-all-linear": lambda _: LORA + 'dora = true\ntargets = "all-linear"\n',
    "ia3": lambda _: 'method = "ia3"\n',
    "lora-plus": lambda _: LORA + "plus_ratio = 16.0\n",
    "lora-bias": lambda family: LORA + f'bias = "lora-only"\ntargets = {WITH_BIASES.get(family)}\n',
    **{init: lambda _, init=init: LORA + f'init = "{init}"\n' for init in ("gaussian", "orthogonal", "olora", "pissa")},
}


def experiment(family, method):
    """An experiment file."""
    folder = families.OUT / family
    task = 'kind = "completion"\n'
    if families.is_classifier(family):
        task = 'kind = "classification"\nhead = "linear"\n'
        inserts = method.startswith(("prompt", "p-tuning"))
        task += 'pooling = "first"\n' if inserts and families.is_encoder(family) else ""
    return (f'seed = 1\n[base]\nmodel = "{folder / "model"}"\n[data]\ntrain = "{folder / "data.jsonl"}"\n'
            f"[task]\n{task}[train]\nsteps = {N_STEPS}\nshuffle = false\nbatch_size = 4\nlearning_rate = 0.02\n"
            f"[tuner]\n{TUNERS[method](family)}")


def write_examples(family, path):
    rows = families.read_data(family)
    if not families.is_classifier(family):
        rows = [{"text": row["text"], "choices": [row["target"], "w5 w60 w7"]} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def check_method(pilot, family, method, folder):
    folder.mkdir(parents=True)
    (folder / "experiment.toml").write_text(experiment(family, method))
    write_examples(family, folder / "examples.jsonl")
    run(pilot, "train", folder / "experiment.toml", "--out", folder / "run")
    model = families.OUT / family / "model"
    return largest_difference(pilot, model, folder / "run/adapter", folder / "examples.jsonl")


def check_all(pilot, chosen_families, chosen_methods):
    """Whether everything is well."""
    notes = {}  # what is to be said of a method, and the families of which it is
    print(f"{'family':10} {'method':20} largest difference")
    with tempfile.TemporaryDirectory() as temporary:
        for family in chosen_families:
            for method in chosen_methods:
                if method == "lora-bias" and family not in WITH_BIASES:
                    continue
                folder = Path(temporary) / family / method
                try:
                    difference, messages = check_method(pilot, family, method, folder)
                    verdict = f"{difference:.1e}"
                    said = [f"PEFT warns: {message}" for message in messages]
                    if not difference <= TOLERANCE:
                        said.append(f"the difference is above {TOLERANCE:.0e}")
                except Exception as error:  # PEFT fails in many ways
                    verdict = "failed"
                    said = [f"{type(error).__name__}: {error}".replace(f"{folder}/", "")]
                print(f"{family:10} {method:20} {verdict}", flush=True)
                for note in said:
                    notes.setdefault((method, note), []).append(family)
    for (method, note), of_families in notes.items():
        print(f"{method} ({', '.join(of_families)}): {note}")
    return not notes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of the model")
    parser.add_argument("--adapter", type=Path, help="folder of the adapter")
    parser.add_argument("--input", type=Path, metavar="EXAMPLES.jsonl", help="what is compared")
    parser.add_argument("--all", action="store_true", help="check every method on the tiny models")
    parser.add_argument("--pilot", type=Path, default=PILOT, help="the program (default: %(default)s)")
    parser.add_argument("--family", nargs="+", choices=families.FAMILIES, default=list(families.FAMILIES))
    parser.add_argument("--method", nargs="+", choices=TUNERS, default=list(TUNERS))
    given = parser.parse_args()
    paths = [path for path in (given.model, given.adapter, given.input) if path]
    if len(paths) != (0 if given.all else 3):
        parser.error("give --model, --adapter and --input, or --all alone")
    if not given.pilot.exists():
        parser.error(f"{given.pilot} is missing: run `cargo build --release`, or name the program with --pilot")
    if given.all:
        return check_all(given.pilot.resolve(), given.family, given.method)
    try:
        difference, messages = largest_difference(given.pilot.resolve(), *paths)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return False
    print(f"the largest difference of a log-probability is {difference:.1e}")
    for message in messages:
        print("PEFT warns:", message)
    return difference <= TOLERANCE and not messages


sys.exit(0 if main() else 1)
