"""Writes the golden files of this folder: run it as `python make_goldens.py`.

Made with torch 2.11 and transformers 5.17.

    schedules.json   factors on the learning rate of transformers' schedules
    optimizers.json  20 steps of torch's AdamW and SGD, and of transformers' Adafactor
"""

import json
from pathlib import Path

import torch
from transformers import (
    Adafactor,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

OUT = Path(__file__).parent
STEPS = 20
SCHEDULES = {
    "constant": lambda optimizer, warmup, steps: get_constant_schedule_with_warmup(optimizer, warmup),
    "linear": get_linear_schedule_with_warmup,
    "cosine": get_cosine_schedule_with_warmup,
}
ADAMW = dict(lr=1e-2, betas=(0.9, 0.999), eps=1e-8)
ADAFACTOR = dict(lr=1e-2, relative_step=False, scale_parameter=False, warmup_init=False)
OPTIMIZERS = {
    "adamw": ("adamw", lambda p: torch.optim.AdamW(p, **ADAMW, weight_decay=1e-2), dict(weight_decay=1e-2)),
    "adamw, strong decay": (
        "adamw",
        lambda p: torch.optim.AdamW(p, lr=1e-2, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.3),
        dict(weight_decay=0.3, betas=[0.8, 0.95], epsilon=1e-6),
    ),
    "sgd": ("sgd", lambda p: torch.optim.SGD(p, lr=1e-2), dict(weight_decay=0.0)),
    "sgd, momentum and decay": (
        "sgd",
        lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, weight_decay=0.1),
        dict(weight_decay=0.1, momentum=0.9),
    ),
    "adafactor": ("adafactor", lambda p: Adafactor(p, **ADAFACTOR), dict(weight_decay=0.0)),
    "adafactor, decay": (
        "adafactor",
        lambda p: Adafactor(p, **ADAFACTOR, weight_decay=0.1),
        dict(weight_decay=0.1),
    ),
}
# Those whose bias learns at a multiple of the rate: LoRA+ for instance.
BIAS_FACTOR = 16.0


def grouped(make, rate):
    """The optimizer with the bias in a group of its own."""
    return lambda p: make([dict(params=p[:1]), dict(params=p[1:], lr=rate * BIAS_FACTOR)])


for name in ["adamw, strong decay", "sgd, momentum and decay"]:
    kind, make, config = OPTIMIZERS[name]
    OPTIMIZERS[f"{name}, two rates"] = (kind, grouped(make, 1e-2), config)


def schedules():
    cases = []
    for name, make in SCHEDULES.items():
        for warmup, steps in [(0, 10), (3, 10), (10, 10), (12, 10), (1, 1), (7, 50)]:
            parameter = torch.nn.Parameter(torch.zeros(1))
            optimizer = torch.optim.SGD([parameter], lr=1.0)
            schedule = make(optimizer, warmup, steps)
            factors = []
            for _ in range(steps):
                factors.append(schedule.get_last_lr()[0])
                optimizer.step()
                schedule.step()
            cases.append(dict(schedule=name, warmup=warmup, n_steps=steps, factors=factors))
    return cases


def optimizers():
    cases = []
    for name, (kind, make, config) in OPTIMIZERS.items():
        torch.manual_seed(7)
        weight = torch.nn.Parameter(torch.randn(3, 4))
        bias = torch.nn.Parameter(torch.randn(4))
        start = [weight.tolist(), bias.tolist()]
        optimizer = make([weight, bias])
        gradients, norms = [], []
        for _ in range(STEPS):
            # Clipped every other time.
            weight.grad = torch.randn(3, 4) * 0.4
            bias.grad = torch.randn(4) * 0.4
            gradients.append([weight.grad.tolist(), bias.grad.tolist()])
            norms.append(torch.nn.utils.clip_grad_norm_([weight, bias], 1.5).item())
            optimizer.step()
        assert min(norms) < 1.5 < max(norms)
        cases.append(dict(
            name=name, optimizer=kind, config=config, start=start,
            bias_factor=BIAS_FACTOR if name.endswith("two rates") else 1.0, gradients=gradients, norms=norms,
            end=[weight.tolist(), bias.tolist()],
        ))
    return cases


if __name__ == "__main__":
    (OUT / "schedules.json").write_text(json.dumps(schedules(), indent=1) + "\n")
    (OUT / "optimizers.json").write_text(json.dumps(optimizers()) + "\n")
