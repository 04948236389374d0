"""Reads the event files of runs by TensorBoard and compares every number with metrics.jsonl.

python -m venv venv && venv/bin/pip install tensorboard==2.21.0
venv/bin/python check_events.py runs/default/runs/*
"""

import json
import sys
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def expected(folder):
    """{tag: {step: value}} out of metrics.jsonl."""
    found = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        metric = json.loads(line)
        for key, tag in [
            ("loss", f"loss/{metric['split']}"),
            ("accuracy", f"accuracy/{metric['split']}"),
            ("learning_rate", "learning_rate"),
            ("gradient_norm", "gradient_norm"),
        ]:
            if key in metric:
                found.setdefault(tag, {})[metric["step"]] = np.float32(metric[key])
    return found


n_scalars = 0
folders = [Path(name) for name in sys.argv[1:] if (Path(name) / "metrics.jsonl").exists()]
for folder in folders:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    found = {tag: {e.step: np.float32(e.value) for e in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    assert found == expected(folder), folder
    n_scalars += sum(len(events.Scalars(tag)) for tag in found)
print(f"{n_scalars} numbers of {len(folders)} runs are those of metrics.jsonl")
sys.exit(not folders)
