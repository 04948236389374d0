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

EMBEDDINGS_HEAD = {
    # PEFT warns that a head which shares the embedding's weight gets a LoRA of its own; `ensure_weight_tying`, which
    # should share that too, makes folders that it cannot load again (GPT-2), so there are no golden files of it.
    "llama": dict(target_modules=["embed_tokens", "lm_head", "q_proj", "v_proj"]),
    "qwen2": dict(target_modules=["embed_tokens", "lm_head", "q_proj", "v_proj"]),
    "gpt2": dict(target_modules=["wte", "lm_head", "c_attn"]),
    "bert": dict(target_modules=["word_embeddings", "query", "value"]),
}
LAYERS = {
    "llama": dict(target_modules=["q_proj", "k_proj", "v_proj"], layers_to_transform=[0, 2],
                  exclude_modules=["layers.2.self_attn.k_proj", "layers.1.self_attn.q_proj"]),
    "qwen2": dict(target_modules=r".*\.1\.(self_attn\.[qo]_proj|mlp\.up_proj)"),
    "gpt2": dict(target_modules=["c_attn", "c_proj"], layers_to_transform=1, layers_pattern="h",
                 exclude_modules=["mlp.c_proj"]),
    "bert": dict(target_modules=r".*attention.*(query|value|dense)", exclude_modules=r".*layer\.0\..*\.value"),
}
# A Llama has no biases: there is nothing to train or to save.
WITH_BIAS = ("qwen2", "gpt2", "bert")


def initialised(init, families=ALL):
    return Method(LoraConfig, LORA | dict(init_lora_weights=init), 5e-3, families, disturbed=False)


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
    "lora-embeddings-head": Method(LoraConfig, LORA, by_family=EMBEDDINGS_HEAD),
    "lora-bias": Method(LoraConfig, LORA | dict(bias="lora_only"), families=WITH_BIAS),
    "lora-bias-all": Method(LoraConfig, LORA | dict(bias="all"), families=WITH_BIAS),
    "pissa": initialised("pissa"),
    # PEFT takes GPT-2's Conv1D weight untransposed for OLoRA and fails at the first forward pass.
    "olora": initialised("olora", ("llama", "qwen2", "bert")),
    "orthogonal": initialised("orthogonal"),
    "gaussian": initialised("gaussian"),
    "lora-plus": Method(LoraConfig, LORA, 1e-3, lora_plus_ratio=16.0),
    "lora-layers": Method(LoraConfig, LORA, by_family=LAYERS),
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
