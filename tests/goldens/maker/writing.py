"""What is written for a family and a method."""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from peft import PeftModel
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import load_file, save_file

from .bottlenecks import BOTTLENECKS
from .families import OUT, batch_loss, batch_of, is_classifier, load, read_data
from .methods import METHODS, Method, make

N_CHECKED = 4
STEPS, BATCH_SIZE = 20, 4
# What starts at zero or one.
DISTURBED = ("lora_B", "lora_magnitude_vector", "ia3_l", "lora_embedding_A")


def save(model, folder):
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    if (folder / "adapter_config.json").exists():
        tidy(folder / "adapter_config.json")
        save_encoder(model, folder)


def tidy(path):
    """Takes out what differs between two runs."""
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = "tiny"  # no path of the machine that ran this
    # PEFT writes sets in any order.
    for key in ("target_modules", "feedforward_modules", "exclude_modules"):
        if isinstance(config.get(key), list):
            config[key].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def save_encoder(model, folder):
    """The module that makes the prompt, of which PEFT saves the output alone."""
    for encoder in getattr(model, "prompt_encoder", {}).values():
        weights = encoder.state_dict()
        if list(weights) != ["embedding.weight"]:
            save_file({name: value.contiguous() for name, value in weights.items()}, folder / "encoder.safetensors")


def save_as_lora(model, start, folder):
    """A LoRA of rank 2r on the original base: what was learned, and what was taken out of the base, negative."""
    save(model, folder)
    whole = load_file(folder / "adapter_model.safetensors")
    with tempfile.TemporaryDirectory() as temporary:  # PEFT writes into the folder of the start
        copy = Path(temporary) / "start"
        shutil.copytree(start, copy)
        model.save_pretrained(folder, path_initial_model_for_weight_conversion=copy)
    (folder / "README.md").unlink(missing_ok=True)
    tidy(folder / "adapter_config.json")
    # PEFT forgets the classifier here.
    converted = load_file(folder / "adapter_model.safetensors")
    save_file(whole | converted, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def disturb(model, biases):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            bias = biases and name.endswith(".bias") and parameter.requires_grad
            if bias or any(part in name for part in DISTURBED):
                parameter += 0.2 * torch.randn_like(parameter)


def expected_logits(model, family, rows):
    """The logits of each row alone, without padding."""
    expected = {}
    with torch.no_grad():
        for i, row in enumerate(rows[:N_CHECKED]):
            logits = model(**batch_of(family, [row])).logits[0]
            n_tokens = len(row["text_ids"]) + len(row.get("target_ids", []))
            if not is_classifier(family):
                logits = logits[-n_tokens:]
            expected[f"row{i}"] = logits.contiguous()
    return expected


def check_reload(folder, family, rows, expected):
    """PEFT gives the same logits again with what it saved, or this is no golden file."""
    again = expected_logits(PeftModel.from_pretrained(load(family), folder).eval(), family, rows)
    for name, logits in expected.items():
        torch.testing.assert_close(again[name], logits, rtol=1e-5, atol=1e-5, msg=lambda text: f"{folder}: {text}")


def train(model, family, rows, optimizer):
    """The loss of each step."""
    model.train()  # no dropout anywhere
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    losses = []
    for step in range(STEPS):
        batch = [rows[(step * BATCH_SIZE + i) % len(rows)] for i in range(BATCH_SIZE)]
        optimizer.zero_grad()
        loss = batch_loss(model, family, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def make_optimizer(model, method):
    """AdamW and the settings that `training.json` tells of it."""
    if method.lora_plus_ratio is None:
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=method.learning_rate)
        weight_decay, more = optimizer.defaults["weight_decay"], {}
    else:
        optimizer = create_loraplus_optimizer(model, torch.optim.AdamW, lr=method.learning_rate,
                                              loraplus_lr_ratio=method.lora_plus_ratio)
        # PEFT takes decay and rate from its groups; among them is the bias of a classifier, at the rate of B.
        (weight_decay,) = {group["weight_decay"] for group in optimizer.param_groups}
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        rates = {names[id(parameter)].replace("modules_to_save.", "").replace("default.", ""): group["lr"]
                 for group in optimizer.param_groups for parameter in group["params"]}
        more = {"lora_plus_ratio": method.lora_plus_ratio, "learning_rates": rates}
    settings = {
        "optimizer": "adamw",
        "learning_rate": method.learning_rate,
        "weight_decay": weight_decay,
        "betas": list(optimizer.defaults["betas"]),
        "epsilon": optimizer.defaults["eps"],
        "batch_size": BATCH_SIZE,
        "steps": STEPS,
    } | more
    return optimizer, settings


def write_method(family, name):
    folder = OUT / family / name
    shutil.rmtree(folder, ignore_errors=True)
    rows = read_data(family)
    method = Method(None) if name in BOTTLENECKS else METHODS[name]
    torch.manual_seed(len(family) + len(name))
    model = make(family, name)
    if method.disturbed:
        disturb(model, biases="bias" in method.keys)
    save(model, folder / "start")
    model.eval()
    expected = expected_logits(model, family, rows)
    save_file(expected, folder / "expected.safetensors")

    optimizer, settings = make_optimizer(model, method)
    losses = train(model, family, rows, optimizer)
    (folder / "training.json").write_text(json.dumps(settings | {"losses": losses}, indent=1) + "\n")
    trained = expected_logits(model.eval(), family, rows)
    if method.keys.get("init_lora_weights") in ("pissa", "olora"):
        save_as_lora(model, folder / "start", folder / "end")
    else:
        save(model, folder / "end")
    if name not in BOTTLENECKS:
        check_reload(folder / "start", family, rows, expected)
        check_reload(folder / "end", family, rows, trained)
