"""What is written for a family and a method."""

import json
import shutil

import torch
from peft import PeftModel
from safetensors.torch import save_file

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


def disturb(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(part in name for part in DISTURBED):
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


def write_method(family, name):
    folder = OUT / family / name
    shutil.rmtree(folder, ignore_errors=True)
    rows = read_data(family)
    method = Method(None) if name in BOTTLENECKS else METHODS[name]
    torch.manual_seed(len(family) + len(name))
    model = make(family, name)
    if method.disturbed:
        disturb(model)
    save(model, folder / "start")

    model.eval()
    expected = expected_logits(model, family, rows)
    save_file(expected, folder / "expected.safetensors")
    if name not in BOTTLENECKS:
        check_reload(folder / "start", family, rows, expected)

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=method.learning_rate)
    losses = train(model, family, rows, optimizer)
    save(model, folder / "end")
    defaults = optimizer.defaults
    settings = {
        "optimizer": "adamw",
        "learning_rate": method.learning_rate,
        "weight_decay": defaults["weight_decay"],
        "betas": list(defaults["betas"]),
        "epsilon": defaults["eps"],
        "batch_size": BATCH_SIZE,
        "steps": STEPS,
        "losses": losses,
    }
    (folder / "training.json").write_text(json.dumps(settings, indent=1) + "\n")
