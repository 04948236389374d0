"""The methods and their settings."""

from dataclasses import dataclass, field

from peft import (
    IA3Config,
    LoraConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)

from .bottlenecks import BOTTLENECKS, Bottlenecks
from .families import is_classifier, is_encoder, load

ALL = ("llama", "qwen2", "gpt2", "bert")


@dataclass
class Method:
    """A method of PEFT: its configuration, for some families with further keys, and how it is trained."""

    config: type
    keys: dict = field(default_factory=dict)
    learning_rate: float = 1e-2
    families: tuple = ALL
    by_family: dict = field(default_factory=dict)
    # Random numbers are added to parameters that start at zero or one, where mistakes do not show.
    disturbed: bool = True
    lora_plus_ratio: float | None = None


LORA = dict(r=4, lora_alpha=6)
# The pooler is no projection of a layer, so "all-linear" is spelled out for BERT.
ENCODER_LINEAR = r"bert\.encoder\..*\.(query|key|value|dense)"
ALL_LINEAR = dict(target_modules="all-linear")
BERT_ALL_LINEAR = {"bert": dict(target_modules=ENCODER_LINEAR)}

# PEFT sorts the keys of the patterns when it saves them, and the first that matches counts: no name matches two here
# but in the order of the alphabet.
PATTERNS = {
    "llama": dict(rank_pattern={"layers.1.self_attn.q_proj": 6, "q_proj": 2},
                  alpha_pattern={"down_proj": 10, r"layers\.2\..*": 3}),
    "qwen2": dict(rank_pattern={"o_proj": 2, "v_proj": 5}, alpha_pattern={"layers.0.mlp.gate_proj": 9, "o_proj": 1}),
    "gpt2": dict(rank_pattern={"c_proj": 2, "h.1.attn.c_attn": 6}, alpha_pattern={"mlp.c_fc": 10}),
    "bert": dict(target_modules=ENCODER_LINEAR, rank_pattern={"layer.1.attention.self.query": 6, "query": 2},
                 alpha_pattern={"attention.output.dense": 3, "output.dense": 10}),
}

METHODS = {
    "prompt": Method(PromptTuningConfig, dict(num_virtual_tokens=5), 5e-2, (*ALL, "llama-cls")),
    "prefix": Method(PrefixTuningConfig, dict(num_virtual_tokens=3), 5e-2),
    "lora": Method(LoraConfig, LORA, families=(*ALL, "llama-cls")),
    "rslora-all-linear": Method(LoraConfig, LORA | ALL_LINEAR | dict(use_rslora=True), by_family=BERT_ALL_LINEAR),
    "dora": Method(LoraConfig, LORA | dict(use_dora=True)),
    "dora-all-linear": Method(LoraConfig, LORA | ALL_LINEAR | dict(use_dora=True), by_family=PATTERNS),
    "ia3": Method(IA3Config),
    "p-tuning-mlp": Method(PromptEncoderConfig, dict(num_virtual_tokens=5, encoder_hidden_size=12)),
    "p-tuning-lstm": Method(PromptEncoderConfig, dict(num_virtual_tokens=5, encoder_hidden_size=8,
                                                      encoder_reparameterization_type="LSTM",
                                                      encoder_num_layers=2, encoder_dropout=0.0)),
    "prefix-projection": Method(PrefixTuningConfig, dict(num_virtual_tokens=3, prefix_projection=True,
                                                         encoder_hidden_size=12)),
}
NAMES = [*METHODS, *BOTTLENECKS]


def has(family, method):
    return family in (ALL if method in BOTTLENECKS else METHODS[method].families)


def config_of(family, method):
    method = METHODS[method]
    task = "SEQ_CLS" if is_classifier(family) else "CAUSAL_LM"
    return method.config(task_type=task, **(method.keys | method.by_family.get(family, {})))


def make(family, method):
    """A new model with a method."""
    if method in BOTTLENECKS:
        return Bottlenecks(load(family), family, **BOTTLENECKS[method])
    return get_peft_model(load(family), config_of(family, method))
