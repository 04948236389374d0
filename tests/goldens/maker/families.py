"""The tiny random models, their data, and batches of it."""

import json
import random
from pathlib import Path

import torch
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

OUT = Path(__file__).parent.parent / "peft"
N_VOCAB = 64
N_EXAMPLES = 22  # not a multiple of the batch size: the last batch wraps around
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
    "llama-cls": LlamaConfig(**SIZES, **SPECIAL, **GQA, num_hidden_layers=2, num_labels=3),
}


def is_classifier(family):
    return family in ("bert", "llama-cls")


def is_encoder(family):
    return family == "bert"


def auto_class(family):
    return AutoModelForSequenceClassification if is_classifier(family) else AutoModelForCausalLM


def load(family):
    return auto_class(family).from_pretrained(OUT / family / "model", dtype=torch.float32)


def read_data(family):
    return [json.loads(line) for line in (OUT / family / "data.jsonl").read_text().splitlines()]


def write(family):
    write_model(family)
    write_data(family)


def write_model(family):
    torch.manual_seed(len(family))
    model = auto_class(family).from_config(FAMILIES[family])
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
        if is_classifier(family):
            row = {"text_ids": ids, "label": rng.randrange(3)}
        else:
            row = {"text_ids": ids, "target_ids": [rng.randrange(4, N_VOCAB) for _ in range(rng.randint(1, 4))]}
            row["target"] = " ".join(f"w{i}" for i in row["target_ids"])
        rows.append({"text": " ".join(f"w{i}" for i in ids)} | row)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (OUT / family / "data.jsonl").write_text(lines)


def batch_of(family, rows):
    """Right-padded ids, their mask, and what is learned."""
    texts = [row["text_ids"] + row.get("target_ids", []) for row in rows]
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
    if is_classifier(family):
        labels = torch.tensor([row["label"] for row in rows])
    else:
        labels = torch.full_like(ids, -100)
        for i, row in enumerate(rows):
            start, end = len(row["text_ids"]), len(texts[i])
            labels[i, start:end] = ids[i, start:end]
    return dict(input_ids=ids, attention_mask=mask, labels=labels)


def batch_loss(model, family, rows):
    """The mean loss of a batch.

    With a prompt PEFT gives embeddings instead of ids to a classifier that reads the last token, which then cannot see
    where the padding begins: those rows are run one by one.
    """
    if family == "llama-cls":
        return torch.stack([model(**batch_of(family, [row])).loss for row in rows]).mean()
    return model(**batch_of(family, rows)).loss
