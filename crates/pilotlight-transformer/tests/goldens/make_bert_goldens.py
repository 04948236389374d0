"""Writes tiny random BERT models and what transformers and PEFT compute with them, one folder a case.

Run with torch 2.11, transformers 5.17 and peft 0.21: python make_bert_goldens.py
"""

import json
import shutil

import peft
import torch
import transformers as hf
from make_goldens import HERE, LABELS, N_VOCAB, randomise, rounded, rows_of
from safetensors.torch import load_file, save_file

SHAPE = dict(
    vocab_size=N_VOCAB,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=32,
    type_vocab_size=2,
    pad_token_id=0,
)
N_PROMPT = 3


def batch(rows, types):
    """Right-padded ids, token types and mask."""
    n_seq = max(map(len, rows))
    pad = lambda row: row + [0] * (n_seq - len(row))
    return dict(
        input_ids=torch.tensor([pad(row) for row in rows]),
        token_type_ids=torch.tensor([pad(row) for row in types]),
        attention_mask=torch.tensor([pad([1] * len(row)) for row in rows]),
    )


def states(output, lengths):
    return [rounded(row[:length]) for row, length in zip(output, lengths)]


def types_of(rows):
    """The last third of every row is the second segment."""
    return [[int(3 * i >= 2 * len(row)) for i in range(len(row))] for row in rows]


def write(name, model, seed, rename=None):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    randomise(model, seed).save_pretrained(folder)
    if rename is not None:
        tensors = {rename(key): value for key, value in load_file(folder / "model.safetensors").items()}
        tensors["bert.embeddings.position_ids"] = torch.arange(32)[None]
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    rows = rows_of(seed)
    golden = dict(rows=rows, token_types=types_of(rows))
    base = getattr(model, "bert", model)
    with torch.no_grad():
        output = base(**batch(rows, golden["token_types"]))
        golden["states"] = states(output.last_hidden_state, map(len, rows))
        if output.pooler_output is not None:
            golden["pooled"] = rounded(output.pooler_output)
        if hasattr(model, "classifier"):
            golden["scores"] = rounded(model(**batch(rows, golden["token_types"])).logits)
            golden["prompt"] = prompt(model, golden)
            golden["prefix"] = prefix(model, golden)
            golden["behind"] = behind(model, golden, golden["prompt"]["vectors"])
    (folder / "golden.json").write_text(json.dumps(golden))
    (folder / "model.safetensors").chmod(0o644)


def randomise_prompt(model, seed):
    embedding = model.prompt_encoder["default"].embedding
    generator = torch.Generator().manual_seed(seed)
    embedding.weight.data = 0.5 * torch.randn(embedding.weight.shape, generator=generator)
    return embedding.weight.tolist()


def prompt(model, golden):
    """PEFT's prompt tuning: the vectors in front of every row."""
    config = peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=N_PROMPT)
    tuned = peft.get_peft_model(model, config).eval()
    vectors = randomise_prompt(tuned, 51)
    output = tuned(**batch(golden["rows"], golden["token_types"]), output_hidden_states=True)
    result = dict(
        vectors=vectors,
        states=states(output.hidden_states[-1], [N_PROMPT + len(row) for row in golden["rows"]]),
        scores=rounded(output.logits),
    )
    tuned.base_model.requires_grad_(True)
    return result


def prefix(model, golden):
    """PEFT's prefix tuning: keys and values in front of every layer's."""
    config = peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=N_PROMPT)
    tuned = peft.get_peft_model(model, config).eval()
    vectors = randomise_prompt(tuned, 52)
    return dict(
        vectors=vectors,
        scores=rounded(tuned(**batch(golden["rows"], golden["token_types"])).logits),
    )


def behind(model, golden, vectors):
    """The vectors behind the tokens, row by row."""
    result = []
    for row, types in zip(golden["rows"], golden["token_types"]):
        words = model.bert.embeddings.word_embeddings(torch.tensor([row]))
        embeds = torch.cat([words, torch.tensor(vectors)[None]], 1)
        types = torch.tensor([types + [0] * N_PROMPT])
        output = model.bert(inputs_embeds=embeds, token_type_ids=types).last_hidden_state
        result.append(rounded(output[0]))
    return result


def old_name(name):
    """What the first BERT checkpoints call the parameters of a norm."""
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def main():
    torch.manual_seed(0)
    config = hf.BertConfig(**SHAPE, **LABELS, attn_implementation="eager")
    write("bert_classifier", hf.BertForSequenceClassification(config), 21)
    write("bert", hf.BertModel(hf.BertConfig(**SHAPE, attn_implementation="eager"), add_pooling_layer=False), 22)
    write("bert_masked", hf.BertForMaskedLM(hf.BertConfig(**SHAPE, hidden_act="gelu_new", attn_implementation="eager")), 23, old_name)


if __name__ == "__main__":
    main()
