"""Writes tiny random models and what transformers computes with them, one folder a case.

Run with torch 2.11 and transformers 5.17: python make_goldens.py
"""

import json
import pathlib
import shutil

import torch
import transformers as hf
from transformers import DynamicCache

HERE = pathlib.Path(__file__).parent
N_VOCAB = 40
SHAPE = dict(
    vocab_size=N_VOCAB,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
GPT2 = dict(vocab_size=N_VOCAB, n_embd=16, n_layer=2, n_head=4, n_positions=32, bos_token_id=1, eos_token_id=2)
LENGTHS = [7, 1, 12, 4]
LABELS = dict(num_labels=3, id2label={0: "bad", 1: "so so", 2: "good"}, label2id={"bad": 0, "so so": 1, "good": 2})


def randomise(model, seed):
    """Parameters far from their usual start, so that every one of them matters to the logits."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_norm = parameter.dim() == 1 and name.endswith("weight")
        parameter.data = 1.0 + 0.2 * noise if is_norm else 0.3 * noise
    return model.eval()


def rows_of(seed):
    generator = torch.Generator().manual_seed(seed + 1000)
    return [torch.randint(3, N_VOCAB, (n,), generator=generator).tolist() for n in LENGTHS]


def padded(rows, left):
    n_seq = max(map(len, rows))
    ids, mask = [], []
    for row in rows:
        padding = [0] * (n_seq - len(row))
        ids.append(padding + row if left else row + padding)
        mask.append(padding + [1] * len(row) if left else [1] * len(row) + padding)
    ids, mask = torch.tensor(ids), torch.tensor(mask)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return ids, mask, positions


def rounded(tensor):
    return [[round(value, 6) for value in row] for row in tensor.double().tolist()]


def run(model, rows, left):
    """Logits at the real tokens of a padded batch."""
    ids, mask, positions = padded(rows, left)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits
    return [rounded(logits[i][mask[i].bool()]) for i in range(len(rows))]


def greedy(model, row):
    ids = torch.tensor([row])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12, eos_token_id=None, pad_token_id=0)
    return out[0, len(row):].tolist()


def prefix_case(model, row, seed):
    """Learned keys and values in front of every layer: a cache of 3 slots that are not rotated."""
    config = model.config
    generator = torch.Generator().manual_seed(seed + 2000)
    shape = (config.num_hidden_layers, 2, 1, config.num_key_value_heads, 3, 4)
    values = torch.randn(shape, generator=generator)
    cache = DynamicCache(config=config)
    for layer in range(config.num_hidden_layers):
        cache.update(values[layer, 0], values[layer, 1], layer)
    ids = torch.tensor([row])
    positions = torch.arange(3, 3 + len(row))[None]
    mask = torch.ones(1, 3 + len(row))
    logits = model(input_ids=ids, past_key_values=cache, position_ids=positions, attention_mask=mask).logits
    return dict(values=values.flatten().tolist(), logits=rounded(logits[0]))


def write(name, model, seed, left=False, shards=None, dtype=None, prefix=False):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    randomise(model, seed)
    if dtype is not None:
        model = model.to(dtype)
    model.save_pretrained(folder, **(dict(max_shard_size=shards) if shards else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    if dtype is not None:
        # Read again: a cast there and back would round the rotary frequencies too.
        model = type(model).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    rows = rows_of(seed)
    with torch.no_grad():
        golden = dict(rows=rows, logits=run(model, rows, left), greedy=greedy(model, rows[0]))
        if prefix:
            golden["prefix"] = prefix_case(model, rows[0], seed)
    (folder / "golden.json").write_text(json.dumps(golden))


def write_classifier(name, model, seed):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    randomise(model, seed).save_pretrained(folder)
    rows = rows_of(seed)
    with torch.no_grad():
        scores = [rounded(model(input_ids=torch.tensor([row])).logits)[0] for row in rows]
    (folder / "golden.json").write_text(json.dumps(dict(rows=rows, scores=scores)))


def main():
    torch.manual_seed(0)
    causal = hf.AutoModelForCausalLM
    eager = dict(attn_implementation="eager")

    def make(config):
        return causal.from_config(config, **eager)

    llama3 = dict(
        rope_type="llama3", rope_theta=100.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32,
    )
    write("llama", make(hf.LlamaConfig(**SHAPE)), 1, prefix=True)
    write("llama_tied", make(hf.LlamaConfig(**SHAPE, tie_word_embeddings=True)), 2, left=True)
    write("llama_bias", make(hf.LlamaConfig(**SHAPE, attention_bias=True, mlp_bias=True)), 3)
    write("llama3_rope", make(hf.LlamaConfig(**SHAPE, head_dim=8, rope_parameters=llama3)), 4)
    write("llama_bf16", make(hf.LlamaConfig(**SHAPE)), 5, dtype=torch.bfloat16)
    write("llama_sharded", make(hf.LlamaConfig(**SHAPE)), 6, shards="10KB")
    write("mistral", make(hf.MistralConfig(**SHAPE, sliding_window=4)), 7)
    write("qwen2", make(hf.Qwen2Config(**SHAPE)), 8)
    write("qwen2_window", make(hf.Qwen2Config(**SHAPE, use_sliding_window=True, sliding_window=3, max_window_layers=1)), 9)
    write("qwen3", make(hf.Qwen3Config(**SHAPE, head_dim=6)), 10)
    write("gpt2", make(hf.GPT2Config(**GPT2)), 11)
    labelled = hf.AutoModelForSequenceClassification
    write_classifier("llama_classifier", labelled.from_config(hf.LlamaConfig(**SHAPE, **LABELS), **eager), 12)
    write_classifier("gpt2_classifier", labelled.from_config(hf.GPT2Config(**GPT2, **LABELS, pad_token_id=0), **eager), 13)


if __name__ == "__main__":
    main()
