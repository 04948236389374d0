"""Golden values of src/bench: percentiles and ratios by numpy and scipy, operations as PyTorch counts them.

python -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1 torch==2.11.0 transformers==5.17.0 peft==0.21.2
venv/bin/python make_bench.py

It writes bench/first.json and bench/second.json, two results in the format of docs/bench.md, and bench/expected.json.
"""

import json
import pathlib

import numpy as np
import torch
from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from scipy import stats
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

FOLDER = pathlib.Path(__file__).parent / "bench"
SHAPE = {
    "family": "llama",
    "n_layers": 3,
    "d_model": 48,
    "d_ff": 80,
    "n_heads": 6,
    "n_kv_heads": 2,
    "d_head": 8,
    "n_vocab": 101,
    "tied_head": True,
}
BATCH, TOKENS, LENGTH = 3, 17, 5
METHODS = {
    "prompt-tuning": (
        {"method": "soft-prompt", "prompt_length": LENGTH, "placement": "before", "init": "random"},
        PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=LENGTH),
    ),
    "prefix-tuning": (
        {"method": "prefix", "prefix_length": LENGTH, "init": "random"},
        PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=LENGTH),
    ),
    "lora": (
        {"method": "lora", "rank": 8, "alpha": 16.0},
        LoraConfig(task_type="CAUSAL_LM", r=8, target_modules=["q_proj", "v_proj"]),
    ),
    "ia3": (
        {"method": "ia3"},
        IA3Config(
            task_type="CAUSAL_LM",
            target_modules=["k_proj", "v_proj", "down_proj"],
            feedforward_modules=["down_proj"],
        ),
    ),
    "full-fine-tuning": ({"method": "none"}, None),
}
rng = np.random.default_rng(3)


def settings(method):
    return {
        "device": "cpu",
        "method": method,
        "tuner": METHODS[method][0],
        "trains_base": METHODS[method][1] is None,
        "model": "small",
        "shape": SHAPE,
        "batch": BATCH,
        "tokens": TOKENS,
        "prompt_length": LENGTH if method.startswith("pr") else 0,
        "dtype": "f32",
    }


def counted(method):
    """What a step multiplies and adds, counted while PyTorch does it, and the parameters that are trained. Softmax, norms
    and the optimizer do not count."""
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=SHAPE["d_model"],
        intermediate_size=SHAPE["d_ff"],
        num_hidden_layers=SHAPE["n_layers"],
        num_attention_heads=SHAPE["n_heads"],
        num_key_value_heads=SHAPE["n_kv_heads"],
        head_dim=SHAPE["d_head"],
        vocab_size=SHAPE["n_vocab"],
        tie_word_embeddings=True,
        attn_implementation="eager",
    )
    model = LlamaForCausalLM(config)
    if METHODS[method][1]:
        model = get_peft_model(model, METHODS[method][1])
    ids = torch.randint(SHAPE["n_vocab"], (BATCH, TOKENS))
    with FlopCounterMode(display=False) as counter:
        logits = model(ids, logits_to_keep=1, use_cache=method == "prefix-tuning").logits[:, -1]
        torch.nn.functional.cross_entropy(logits, ids[:, 0]).backward()
    # The angles of the rotations are made by a matrix product too, once a forward pass.
    n_positions = TOKENS + (LENGTH if method == "prompt-tuning" else 0)
    n_trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return counter.get_total_flops() - 2 * SHAPE["d_head"] // 2 * n_positions, n_trained


def measured(seconds, memory, n_operations):
    return {
        "step_seconds": seconds,
        "warm_up_seconds": [2.0 * seconds[0]],
        "start_up_seconds": 0.5,
        "peak_memory_bytes": memory,
        "device_memory_bytes": None,
        "trained_parameters": 1000,
        "total_parameters": 50000,
        "step_operations": float(n_operations),
        "peak_operations_per_second": 2e10,
    }


def document(program, rows):
    rows = [
        {"settings": settings(method), "hardware": "a processor", "outcome": {"measured": result}}
        for method, result in rows.items()
    ]
    return {"format": "pilotlight-bench", "version": 1, "program": program, "machine": "a machine", "rows": rows}


def expected(first, second):
    ratio = stats.bootstrap(
        (second, first),
        lambda a, b, axis=-1: np.median(a, axis=axis) / np.median(b, axis=axis),
        n_resamples=40_000,
        confidence_level=0.95,
        method="percentile",
        vectorized=True,
        rng=rng,
    ).confidence_interval
    p10, p50, p90 = np.percentile(first, [10, 50, 90])
    return {
        "p10": p10,
        "p50": p50,
        "p90": p90,
        "tokens_per_second": BATCH * TOKENS / p50,
        "ratio": np.median(second) / p50,
        "interval": [ratio.low, ratio.high],
    }


def main():
    first, second, wanted = {}, {}, {}
    # How many times as long the second takes, and how much steps differ.
    cases = {
        "prompt-tuning": (1.0, 0.05),
        "prefix-tuning": (1.5, 0.1),
        "lora": (0.8, 0.02),
        "ia3": (0.5, 0.01),
        "full-fine-tuning": (1.02, 0.3),
    }
    for method, (factor, spread) in cases.items():
        seconds = [
            (scale * 0.02 * rng.lognormal(0.0, spread, size)).round(6).tolist()
            for scale, size in ((1.0, 31), (factor, 40))
        ]
        n_operations, n_trained = counted(method)
        first[method] = measured(seconds[0], 4 << 20, n_operations)
        second[method] = measured(seconds[1], 5 << 20, n_operations)
        wanted[method] = expected(*seconds) | {"operations": n_operations, "trained": n_trained}
    files = {"first": document("one", first), "second": document("two", second), "expected": wanted}
    for name, content in files.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


main()
