"""Writes the golden files of `tests/tests/peft_parity.rs`: run it as `python make_peft_goldens.py`.

For each family a tiny random model, and for each method an adapter that PEFT saved, what PEFT computes with it, and
the losses of 20 training steps from there. PEFT has no bottleneck adapters: those are written out below in PyTorch and
saved in Pilotlight's own format. Made with torch 2.11, transformers 5.17 and peft 0.21.

    peft/FAMILY/model/                       config.json, model.safetensors, tokenizer.json (words w0, w1, ...)
    peft/FAMILY/data.jsonl                   {"text": .., "target": .., "text_ids": [..], "target_ids": [..]}
    peft/FAMILY/METHOD/start/                the adapter
    peft/FAMILY/METHOD/expected.safetensors  row{i}: PEFT's logits at the tokens of the i-th example
    peft/FAMILY/METHOD/training.json         the optimizer's settings and the loss of each step
    peft/FAMILY/METHOD/end/                  the adapter after these steps
"""

import json
import random
import shutil
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
logging.disable_progress_bar()

OUT = Path(__file__).parent / "peft"
N_VOCAB = 64
N_EXAMPLES = 22  # not a multiple of the batch size: the last batch wraps around
N_CHECKED = 4
STEPS, BATCH_SIZE = 20, 4
SPECIAL = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
SIZES = dict(vocab_size=N_VOCAB, hidden_size=32, intermediate_size=48, num_attention_heads=4,
             max_position_embeddings=64, initializer_range=0.2)
GQA = dict(num_key_value_heads=2)
FAMILIES = {
    "llama": LlamaConfig(**SIZES, **SPECIAL, **GQA, num_hidden_layers=3),
    "qwen2": Qwen2Config(**SIZES, **SPECIAL, **GQA, num_hidden_layers=2, tie_word_embeddings=True),
    "gpt2": GPT2Config(**SPECIAL, vocab_size=N_VOCAB, n_embd=32, n_head=4, n_layer=4, n_positions=64,
                       n_inner=48, initializer_range=0.2),
    "bert": BertConfig(**SIZES, **SPECIAL, num_hidden_layers=2, num_labels=3, hidden_dropout_prob=0.0,
                       attention_probs_dropout_prob=0.0),
}
LORA = dict(r=4, lora_alpha=6)
# The pooler is no projection of a layer, so "all-linear" is spelled out for BERT.
ENCODER_LINEAR = r"bert\.encoder\..*\.(query|key|value|dense)"
METHODS = {
    "prompt": (PromptTuningConfig, dict(num_virtual_tokens=5), 5e-2),
    "prefix": (PrefixTuningConfig, dict(num_virtual_tokens=3), 5e-2),
    "lora": (LoraConfig, LORA, 1e-2),
    "rslora-all-linear": (LoraConfig, LORA | dict(use_rslora=True, target_modules="all-linear"), 1e-2),
}
BOTTLENECKS = {
    "houlsby": dict(kind="houlsby", bottleneck_dim=6, activation="gelu"),
    "pfeiffer": dict(kind="pfeiffer", bottleneck_dim=8, activation="silu", scale=0.7),
    "parallel": dict(kind="parallel", bottleneck_dim=8, activation="relu"),
}


def is_encoder(family):
    return family == "bert"


def load(family):
    kind = AutoModelForSequenceClassification if is_encoder(family) else AutoModelForCausalLM
    return kind.from_pretrained(OUT / family / "model", dtype=torch.float32)


def write_model(family, config):
    torch.manual_seed(len(family))
    kind = AutoModelForSequenceClassification if is_encoder(family) else AutoModelForCausalLM
    model = kind.from_config(config)
    with torch.no_grad():  # biases and norms start at zero and one, where mistakes do not show
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    folder = OUT / family / "model"
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    words = {f"w{i}": i for i in range(N_VOCAB)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w3"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = dict(bos_token="w1", eos_token="w2", pad_token="w0", unk_token="w3")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)


def write_data(family):
    rng = random.Random(family)
    rows = []
    for _ in range(N_EXAMPLES):
        ids = [rng.randrange(4, N_VOCAB) for _ in range(rng.randint(2, 9))]
        if is_encoder(family):
            row = {"text_ids": ids, "label": rng.randrange(3)}
        else:
            row = {"text_ids": ids, "target_ids": [rng.randrange(4, N_VOCAB) for _ in range(rng.randint(1, 4))]}
            row["target"] = " ".join(f"w{i}" for i in row["target_ids"])
        rows.append({"text": " ".join(f"w{i}" for i in ids)} | row)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (OUT / family / "data.jsonl").write_text(lines)
    return rows


def batch_of(family, rows):
    """Right-padded ids, their mask, and what is learned."""
    texts = [row["text_ids"] + row.get("target_ids", []) for row in rows]
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
    if is_encoder(family):
        labels = torch.tensor([row["label"] for row in rows])
    else:
        labels = torch.full_like(ids, -100)
        for i, row in enumerate(rows):
            start, end = len(row["text_ids"]), len(texts[i])
            labels[i, start:end] = ids[i, start:end]
    return dict(input_ids=ids, attention_mask=mask, labels=labels)


class Bottlenecks(torch.nn.Module):
    """A frozen model with adapters: act(h D + a) U + b on branch outputs (or inputs, "parallel")."""

    def __init__(self, model, family, kind, bottleneck_dim, activation, scale=None):
        super().__init__()
        self.keys = dict(method="bottleneck", kind=kind, bottleneck_dim=bottleneck_dim, activation=activation)
        if scale is not None:
            self.keys["scale"] = scale
        self.scale = scale or (4.0 if kind == "parallel" else 1.0)
        self.act = getattr(torch.nn.functional, activation)
        self.kind, self.base, self.adapters = kind, model.requires_grad_(False), torch.nn.ModuleDict()
        for layer, block in enumerate(self.blocks(family)):
            if kind == "houlsby":
                attention = {"gpt2": "attn", "bert": "attention.output.dense"}.get(family, "self_attn")
                self.put(block.get_submodule(attention), f"layers.{layer}.attention")
            self.put(block.get_submodule("output.dense" if is_encoder(family) else "mlp"),
                     f"layers.{layer}.feed_forward",
                     block.intermediate if is_encoder(family) else None)
        if is_encoder(family):
            model.classifier.requires_grad_(True)

    def blocks(self, family):
        path = {"gpt2": "transformer.h", "bert": "bert.encoder.layer"}.get(family, "model.layers")
        return self.base.get_submodule(path)

    def put(self, module, name, first=None):
        d_model, r = self.base.config.hidden_size, self.keys["bottleneck_dim"]
        adapter = torch.nn.ModuleDict({"down": torch.nn.Linear(d_model, r), "up": torch.nn.Linear(r, d_model)})
        self.adapters[name.replace(".", "/")] = adapter
        read = {}
        (first or module).register_forward_pre_hook(lambda _, args, kwargs: read.update(
            x=args[0] if args else kwargs["hidden_states"]), with_kwargs=True)

        def hook(_, __, output):
            y = output[0] if isinstance(output, tuple) else output
            h = read["x"] if self.kind == "parallel" else y
            y = y + self.scale * adapter["up"](self.act(adapter["down"](h)))
            return (y, *output[1:]) if isinstance(output, tuple) else y

        module.register_forward_hook(hook)

    def forward(self, **batch):
        return self.base(**batch)

    def save_pretrained(self, folder):
        folder.mkdir(parents=True)
        named = self.adapters.named_parameters()
        tensors = {name.replace("/", "."): value.detach().contiguous() for name, value in named}
        modules = []
        if hasattr(self.base, "classifier"):
            modules = ["classifier"]
            head = self.base.classifier.state_dict()
            tensors |= {f"base_model.model.classifier.{name}": value for name, value in head.items()}
        save_file(tensors, folder / "adapter.safetensors")
        own = dict(format=1, base_model_name_or_path="tiny", modules_to_save=modules,
                   task_type="SEQ_CLS" if modules else "CAUSAL_LM", tensors="adapter.safetensors", tuner=self.keys)
        (folder / "pilotlight.json").write_text(json.dumps(own, indent=2) + "\n")


def save(model, folder):
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    if not (folder / "adapter_config.json").exists():
        return
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "tiny"  # no path of the machine that ran this
    # PEFT writes sets in any order.
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def make(family, method):
    """A new model with a method, and its learning rate."""
    if method in BOTTLENECKS:
        return Bottlenecks(load(family), family, **BOTTLENECKS[method]), 1e-2
    kind, keys, learning_rate = METHODS[method]
    if is_encoder(family) and keys.get("target_modules") == "all-linear":
        keys = keys | dict(target_modules=ENCODER_LINEAR)
    task = "SEQ_CLS" if is_encoder(family) else "CAUSAL_LM"
    return get_peft_model(load(family), kind(task_type=task, **keys)), learning_rate


def write_method(family, method, rows):
    folder = OUT / family / method
    torch.manual_seed(len(family) + len(method))
    model, learning_rate = make(family, method)
    with torch.no_grad():  # LoRA's B starts at zero, where mistakes do not show
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter += 0.2 * torch.randn_like(parameter)
    save(model, folder / "start")

    model.eval()
    expected = {}
    with torch.no_grad():
        for i, row in enumerate(rows[:N_CHECKED]):
            logits = model(**batch_of(family, [row])).logits[0]
            n_tokens = len(row["text_ids"]) + len(row.get("target_ids", []))
            if not is_encoder(family):
                logits = logits[-n_tokens:]
            expected[f"row{i}"] = logits.contiguous()
    save_file(expected, folder / "expected.safetensors")

    model.train()  # no dropout anywhere
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate)
    losses = []
    for step in range(STEPS):
        batch = [rows[(step * BATCH_SIZE + i) % len(rows)] for i in range(BATCH_SIZE)]
        optimizer.zero_grad()
        loss = model(**batch_of(family, batch)).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    save(model, folder / "end")
    defaults = optimizer.defaults
    settings = {
        "optimizer": "adamw",
        "learning_rate": learning_rate,
        "weight_decay": defaults["weight_decay"],
        "betas": list(defaults["betas"]),
        "epsilon": defaults["eps"],
        "batch_size": BATCH_SIZE,
        "steps": STEPS,
        "losses": losses,
    }
    (folder / "training.json").write_text(json.dumps(settings, indent=1) + "\n")


shutil.rmtree(OUT, ignore_errors=True)
for family, config in FAMILIES.items():
    write_model(family, config)
    rows = write_data(family)
    for method in [*METHODS, *BOTTLENECKS]:
        write_method(family, method, rows)
        print(family, method)
