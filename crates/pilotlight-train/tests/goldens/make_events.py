"""Golden records of src/events.rs by TensorBoard's own protocol buffers and writer.

python -m venv venv && venv/bin/pip install tensorboard==2.21.0
venv/bin/python make_events.py > events.json
"""

import io
import json

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def record(event):
    file = io.BytesIO()
    RecordWriter(file).write(event.SerializeToString())
    return file.getvalue().hex()


def scalars(wall_time, step, values):
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in values]
    return record(Event(wall_time=wall_time, step=step, summary=Summary(value=values)))


SCALARS = [
    (1764000000.25, 1, [["loss/train", 2.5], ["learning_rate", 0.0003], ["gradient_norm", 12.75]]),
    (1764000001.5, 300, [["loss/validation", 0.6931471805599453], ["accuracy/validation", 0.5]]),
    (0.0, 5000000000, [["loss/test", -1e-30]]),
]

print(json.dumps({
    "version": record(Event(wall_time=1764000000.0, file_version="brain.Event:2")),
    "start": record(Event(wall_time=1764000000.0, step=51, session_log=SessionLog(status=SessionLog.START))),
    "scalars": [
        {"wall_time": time, "step": step, "values": values, "record": scalars(time, step, values)}
        for time, step, values in SCALARS
    ],
}, indent=1))
