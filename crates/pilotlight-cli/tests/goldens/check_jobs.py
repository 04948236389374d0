"""Looks at the jobs of `pilot compare --emit` as bash, YAML and Kubernetes do: python check_jobs.py

Needs PyYAML; with `pip install kubernetes-validate` the manifest is held against the schema of Kubernetes too.
Shown with PyYAML 6.0.4, kubernetes-validate 1.37.0 and bash 5.2.
"""

import shlex
import subprocess
from pathlib import Path

import yaml

FOLDER = "/shared/it's a \"folder\" of $HOME"
VARIABLES = {
    "PILOT_TRAIN__EVAL_EVERY": "1",
    "PILOT_TASK__TEMPLATE": '"{{ text }}\\nIt isn\'t $(HOME), $HOME or $$: "',
}
ARGUMENTS = [
    "compare",
    f"{FOLDER}/experiment.toml",
    "--only=soft-prompt",
    "--set=train.steps=2",
    '--set=tuner.init="random"',
    "--device=cpu",
    "--retry",
    f"--out={FOLDER}/the runs",
]

here = Path(__file__).parent

script = here / "slurm.sh"
subprocess.run(["bash", "-n", script], check=True)
lines = script.read_text().splitlines()
directives = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")]
assert "--array=1-3" in directives and "--job-name=pilot-experiment" in directives, directives
commands = "\n".join(lines[lines.index("") :]).replace(" \\\n", " ")
words = shlex.split(commands)
assert words[:5] == ["cd", "--", FOLDER, "||", "exit"], words
variables = [f"{name}={value}" for name, value in sorted(VARIABLES.items())]
assert words[5:] == ["exec", "env", *variables, "/opt/pilot", *ARGUMENTS], words

manifest = here / "kubernetes.yaml"
job = yaml.safe_load(manifest.read_text())
try:
    import kubernetes_validate
except ImportError:
    print("the manifest was not held against the schema: there is no kubernetes-validate")
else:
    kubernetes_validate.validate(job, "1.29", strict=True)
assert (job["apiVersion"], job["kind"], job["metadata"]["name"]) == ("batch/v1", "Job", "pilot-experiment")
spec = job["spec"]
assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
[container] = spec["template"]["spec"]["containers"]


def expanded(text: str) -> str:
    """What Kubernetes hands to a container: `$$` is a dollar sign."""
    assert "$(" not in text.replace("$$", ""), text
    return text.replace("$$", "$")


assert [container["workingDir"], container["command"]] == [FOLDER, ["pilot"]], container
assert [expanded(argument) for argument in container["args"]] == ARGUMENTS, container["args"]
assert {entry["name"]: expanded(entry["value"]) for entry in container["env"]} == VARIABLES, container["env"]
assert [mount["mountPath"] for mount in container["volumeMounts"]] == [FOLDER], container["volumeMounts"]
print("both jobs are what they should be")
