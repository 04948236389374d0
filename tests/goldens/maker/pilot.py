"""What PEFT and what `pilot` make of an adapter that `pilot train` wrote."""

import json
import subprocess
import tomllib
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

# What PEFT also says of folders that it wrote itself, where embeddings or head are targets.
USUAL_WARNINGS = (
    "save_embedding_layers",
    "a tied layer is part of the adapter",
    "fan_in_fan_out is set to True but the target module is `torch.nn.Linear`",  # GPT-2's head beside its Conv1D
)


class Failure(Exception):
    """What a user can do something about."""


def run(pilot, *arguments):
    """The standard output of a command of `pilot`."""
    command = [str(pilot), "--device", "cpu", "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"`pilot {arguments[0]}`: {done.stderr.strip().removeprefix('error: ')}")
    return done.stdout


def read_lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines() if line.strip()]


def is_classifier(adapter):
    path = Path(adapter) / "adapter_config.json"
    if not path.exists():
        raise Failure(f"{path} is missing: PEFT has no such method, or the folder is no adapter's")
    if (Path(adapter) / "base.safetensors").exists():
        raise Failure(f"{adapter} holds trained parts of the base, which PEFT does not read")
    return json.loads(path.read_text())["task_type"] == "SEQ_CLS"


def read_task(adapter):
    """How a record becomes an input, and the labels in the order of the classes."""
    path = Path(adapter) / "task.toml"
    if not path.exists():
        raise Failure(f"{path} is missing: `pilot train` writes it beside the adapter of a classifier")
    task = tomllib.loads(path.read_text())["task"]
    if "parts" in task:
        raise Failure("the task's input has several parts: only `text` and `template` are read here")
    return task


def text_of(record, task):
    if "template" not in task:
        return record[task["text"]]
    from jinja2 import Template

    return Template(task["template"], keep_trailing_newline=True).render(record)


def labels_of(task):
    return task.get("label_names") or list(task["labels"])


def pilot_scores(pilot, model, adapter, examples):
    """The log-probabilities of each record's choices, or of the labels."""
    command = "predict" if is_classifier(adapter) else "score"
    output = run(pilot, command, "--model", model, "--adapter", adapter, "--input", examples)
    rows = [json.loads(line) for line in output.splitlines()]
    if command == "score":
        return [row["logprobs"] for row in rows]
    labels = labels_of(read_task(adapter))
    return [[row["scores"][label] for label in labels] for row in rows]


def load_peft(model, adapter):
    """PEFT's model, and what it warned of."""
    if is_classifier(adapter):
        with safe_open(Path(adapter) / "adapter_model.safetensors", "pt") as tensors:
            heads = [name for name in tensors.keys() if name.endswith(("classifier.weight", "score.weight"))]
            n_labels = tensors.get_slice(heads[0]).get_shape()[0]
        base = AutoModelForSequenceClassification.from_pretrained(
            model, dtype=torch.float32, num_labels=n_labels, ignore_mismatched_sizes=True)
    else:
        base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tuned = PeftModel.from_pretrained(base, adapter).eval()
    messages = [str(warning.message) for warning in caught]
    return tuned, [text for text in messages if not any(usual in text for usual in USUAL_WARNINGS)]


@torch.no_grad()
def peft_scores(model, adapter, examples):
    """The same by PEFT, and what it warned of. Every row runs alone: PEFT's prompts are not safe from padding."""
    tuned, messages = load_peft(model, adapter)
    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    scores = []
    for record in read_lines(examples):
        if is_classifier(adapter):
            task = read_task(adapter)
            special = task.get("add_special_tokens", True)
            ids = tokenizer.encode(text_of(record, task), add_special_tokens=special).ids
            scores.append(logits_of(tuned, ids)[0].log_softmax(-1).tolist())
        else:
            text, *choices = [tokenizer.encode(text, add_special_tokens=False).ids
                              for text in [record["text"], *record["choices"]]]
            scores.append([choice_logprob(tuned, text, choice) for choice in choices])
    return scores, messages


def logits_of(tuned, ids):
    return tuned(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)).logits


def choice_logprob(tuned, text, choice):
    """The log-probability of a choice behind a text of at least one token."""
    of_tokens = logits_of(tuned, text + choice)[0, -len(choice) - 1 : -1].log_softmax(-1)
    return of_tokens.gather(1, torch.tensor(choice)[:, None]).sum().item()


def largest_difference(pilot, model, adapter, examples):
    """How far the two are apart at most, and what PEFT warned of."""
    theirs, messages = peft_scores(model, adapter, examples)
    ours = pilot_scores(pilot, model, adapter, examples)
    return (torch.tensor(sum(ours, [])) - torch.tensor(sum(theirs, []))).abs().max().item(), messages
