#!/usr/bin/env python3
"""Measures the steps of a bench.json of `pilot bench` with PyTorch and PEFT, and writes the same format.

    pilot bench --device cuda --out results
    python pytorch.py --like results/bench.json --out results/pytorch.json
    pilot bench --compare results/bench.json results/pytorch.json

Every row of the file is measured with the same settings: a Llama of random weights of the same shape, the same number of
texts and tokens, AdamW, and a loss on the one token that follows each text. The language-model head runs at the state
that predicts it and nowhere else; `--all-logits` has it run everywhere, as transformers does unless told otherwise. Each
row has a process of its own. Rows of methods that PEFT does not have, or of other families than Llama, are left out.

The exit code is 3 where torch, transformers or peft are missing, 2 for wrong input, 1 if a row failed.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

VERSION = 1
DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
# Widths of square matrices for the fastest product, and the products that follow each other before anybody waits.
WIDTHS, CHAIN = (256, 512, 1024, 2048, 4096, 8192), 4


def peft_config(tuner):
    """PEFT's configuration of a method; None for none, KeyError for one that PEFT does not have."""
    import peft

    keys = dict(tuner)
    method = keys.pop("method")
    if method == "none":
        return None
    if method == "soft-prompt" and keys.get("placement") == "before" and not keys.get("deep"):
        return peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=keys["prompt_length"])
    if method == "prefix":
        return peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=keys["prefix_length"])
    if method == "lora":
        return peft.LoraConfig(
            task_type="CAUSAL_LM", r=keys["rank"], lora_alpha=keys["alpha"], target_modules=["q_proj", "v_proj"]
        )
    if method == "ia3":
        return peft.IA3Config(
            task_type="CAUSAL_LM",
            target_modules=["k_proj", "v_proj", "down_proj"],
            feedforward_modules=["down_proj"],
        )
    raise KeyError(method)


def load(settings, device):
    import peft
    import torch
    import transformers

    shape = settings["shape"]
    config = transformers.LlamaConfig(
        hidden_size=shape["d_model"],
        intermediate_size=shape["d_ff"],
        num_hidden_layers=shape["n_layers"],
        num_attention_heads=shape["n_heads"],
        num_key_value_heads=shape["n_kv_heads"],
        head_dim=shape["d_head"],
        vocab_size=shape["n_vocab"],
        tie_word_embeddings=shape["tied_head"],
        max_position_embeddings=8192,
    )
    torch.manual_seed(1)
    dtype = getattr(torch, DTYPES[settings["dtype"]])
    with torch.device(device):
        model = transformers.LlamaForCausalLM(config).to(dtype)
    wanted = peft_config(settings["tuner"])
    if wanted is not None:
        # What is trained stays in f32, as PEFT has it by default.
        model = peft.get_peft_model(model, wanted).to(device)
    return model.train()


def sync(device):
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()


def status(key):
    """A size of this process in bytes, where the system tells."""
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))
    except (OSError, StopIteration):
        return None


def measure(job):
    import torch

    row, device = job["row"], job["device"]
    settings = row["settings"]
    model = load(settings, device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    shape = (settings["batch"], settings["tokens"] + 1)
    texts = torch.randint(settings["shape"]["n_vocab"], shape, device=device)
    sync(device)
    start_up = time.time() - job["started"]
    last = {} if job["all_logits"] else {"logits_to_keep": 1}
    caches = {"use_cache": settings["tuner"]["method"] == "prefix"}

    def step():
        logits = model(input_ids=texts[:, :-1], **last, **caches).logits[:, -1].float()
        loss = torch.nn.functional.cross_entropy(logits, texts[:, -1])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        value = loss.item()
        sync(device)
        if value != value:
            raise ArithmeticError("the loss is not a number")

    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass
    seconds = []
    n_warm_up = len(row["outcome"]["measured"]["warm_up_seconds"])
    for _ in range(n_warm_up + len(row["outcome"]["measured"]["step_seconds"])):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return {
        "step_seconds": seconds[n_warm_up:],
        "warm_up_seconds": seconds[:n_warm_up],
        "start_up_seconds": start_up,
        "peak_memory_bytes": status("VmHWM:"),
        "device_memory_bytes": torch.cuda.max_memory_reserved() if device.startswith("cuda") else None,
        "trained_parameters": sum(parameter.numel() for parameter in trained),
        "total_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "step_operations": row["outcome"]["measured"]["step_operations"],
        "peak_operations_per_second": None,
    }


def peak(job):
    """Operations per second of the fastest product of square matrices."""
    import torch

    best = 0.0
    for width in WIDTHS:
        dtype = getattr(torch, DTYPES[job["dtype"]])
        first, second = (torch.randn(width, width, device=job["device"]).mul(width**-0.5).to(dtype) for _ in range(2))
        times = []
        for _ in range(4):
            start, product = time.perf_counter(), first
            for _ in range(CHAIN):
                product = product @ second
            product[0, 0].item()
            times.append(time.perf_counter() - start)
        best = max(best, 2.0 * width**3 * CHAIN / min(times[1:]))
        if min(times[1:]) > 0.1:
            break
    return best


def child(job):
    """The result of a job, measured in a process of its own; an error as text."""
    job["started"] = time.time()
    command = [sys.executable, __file__, "--child"]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1]), None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return None, said[-1] if said else f"its process ended with {done.returncode}"


def read(path):
    try:
        document = json.loads(pathlib.Path(path).read_text())
        if (document["format"], document["version"]) != ("pilotlight-bench", VERSION):
            raise ValueError(f"is not of version {VERSION} of the format")
        return document["rows"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"error: {path}: {error}\nhint: name a bench.json that `pilot bench --out` wrote", file=sys.stderr)
        sys.exit(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--like", metavar="bench.json", help="the steps to measure")
    parser.add_argument("--out", metavar="FILE", default="pytorch.json", help="where to write [pytorch.json]")
    parser.add_argument("--all-logits", action="store_true", help="run the language-model head at every token")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        import peft
        import torch
        import transformers
    except ImportError as error:
        print(f"error: {error.name} is missing\nhint: pip install torch transformers peft", file=sys.stderr)
        sys.exit(3)
    if arguments.child:
        job = json.load(sys.stdin)
        print(json.dumps(measure(job) if "row" in job else peak(job)))
        return
    if not arguments.like:
        parser.error("--like is missing: name a bench.json that `pilot bench --out` wrote")

    rows, peaks, failed = [], {}, False
    for row in read(arguments.like):
        settings = row["settings"]
        device, dtype, title = settings["device"], settings["dtype"], f"{settings['method']} on {settings['device']}"
        try:
            peft_config(settings["tuner"])
        except KeyError:
            print(f"{title} is left out: PEFT has no such method", file=sys.stderr)
            continue
        if settings["shape"]["family"] != "llama" or "measured" not in row["outcome"]:
            print(f"{title} is left out: no measured step of a Llama", file=sys.stderr)
            continue
        if device.split(":")[0] not in ("cpu", "cuda") or (device != "cpu" and not torch.cuda.is_available()):
            print(f"{title} is left out: PyTorch has no such device here", file=sys.stderr)
            continue
        print(title, file=sys.stderr)
        if (device, dtype) not in peaks:
            peaks[device, dtype], _ = child({"device": device, "dtype": dtype})
        measured, problem = child({"row": row, "device": device, "all_logits": arguments.all_logits})
        if measured:
            measured["peak_operations_per_second"] = peaks[device, dtype]
        else:
            print(f"warning: it failed: {problem}", file=sys.stderr)
            failed = True
        hardware = f"{torch.get_num_threads()} threads" if device == "cpu" else torch.cuda.get_device_name(device)
        outcome = {"measured": measured} if measured else {"failed": problem}
        rows.append({"settings": settings, "hardware": hardware, "outcome": outcome})
    document = {
        "format": "pilotlight-bench",
        "version": VERSION,
        "program": f"PyTorch {torch.__version__}, transformers {transformers.__version__}, PEFT {peft.__version__}",
        "machine": f"{platform.system().lower()}, {platform.machine()}, {os.cpu_count()} threads",
        "rows": rows,
    }
    partial = pathlib.Path(arguments.out + ".partial")
    partial.write_text(json.dumps(document, indent=1) + "\n")
    partial.replace(arguments.out)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
