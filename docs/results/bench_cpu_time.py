"""CPU seconds of a step on one thread, of pilot and of PyTorch with PEFT: for machines that are too busy for a clock.

RAYON_NUM_THREADS=1 OMP_NUM_THREADS=1 python docs/results/bench_cpu_time.py PILOT bench.json

The rows of bench.json are measured in five turns, the two programs one after the other. Of pilot it is the difference
between processes of 25 and of 5 steps, over 20; of PyTorch that of 20 steps behind 3 others.
"""

import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "xtask/cuda/pack"))
import pytorch

torch.set_num_threads(1)
pilot, document = sys.argv[1], json.load(open(sys.argv[2]))


def of_pilot(row, n_steps):
    job = {"Step": {"settings": row["settings"], "n_warm_up": 0, "n_steps": n_steps, "started": time.time()}}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.Popen([pilot, "bench", "--child"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    child.stdin.write(json.dumps(job).encode() + b"\n")
    child.stdin.flush()
    assert child.wait() == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def of_pytorch(row, n_steps):
    model = pytorch.load(row["settings"], "cpu")
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    texts = torch.randint(row["settings"]["shape"]["n_vocab"], (row["settings"]["batch"], row["settings"]["tokens"] + 1))
    for number in range(n_steps + 3):
        if number == 3:
            start = time.process_time()
        cache = row["settings"]["tuner"]["method"] == "prefix"
        logits = model(input_ids=texts[:, :-1], logits_to_keep=1, use_cache=cache).logits[:, -1]
        torch.nn.functional.cross_entropy(logits, texts[:, -1]).backward()
        optimizer.step()
        optimizer.zero_grad()
    return (time.process_time() - start) / n_steps


found = {}
for turn in range(5):
    for row in document["rows"]:
        ours = (of_pilot(row, 25) - of_pilot(row, 5)) / 20
        found.setdefault(row["settings"]["method"], []).append((ours, of_pytorch(row, 20)))
for method, turns in found.items():
    ours, theirs = (sorted(1e3 * turn[side] for turn in turns) for side in (0, 1))
    ratios = sorted(ours / theirs for ours, theirs in turns)
    middle = statistics.median
    cells = [f"{middle(side):.0f} ms ({side[0]:.0f} to {side[-1]:.0f})" for side in (ours, theirs)]
    cells.append(f"{middle(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    print(f"| {method} | {' | '.join(cells)} |")
