"""Writes the golden files of `tests/tests/peft_parity.rs` and its neighbours: `python make_peft_goldens.py`.

For each family a tiny random model, and for each method an adapter that PEFT saved, what PEFT computes with it, and
the losses of 20 training steps from there. PEFT has no bottleneck adapters: those are written out in PyTorch in
`maker/bottlenecks.py` and saved in Pilotlight's own format. Made with torch 2.11, transformers 5.17 and peft 0.21.

    python make_peft_goldens.py                                  all of it: nothing of the old folder stays
    python make_peft_goldens.py --family llama bert --method ia3   these folders alone; models and data as they are

Each folder depends on the seeds of its own names alone, so that a second run on the same machine writes the same bytes.

    peft/FAMILY/model/                       config.json, model.safetensors, tokenizer.json (words w0, w1, ...)
    peft/FAMILY/data.jsonl                   {"text": .., "target": .., "text_ids": [..], "target_ids": [..]},
                                             or {"text": .., "text_ids": [..], "label": ..} for a classifier
    peft/FAMILY/METHOD/start/                the adapter: adapter_config.json, adapter_model.safetensors
    peft/FAMILY/METHOD/start/encoder.safetensors
                                             what PEFT does not save: every weight of the module that makes the prompt
    peft/FAMILY/METHOD/expected.safetensors  row{i}: PEFT's logits at the tokens of the i-th example
    peft/FAMILY/METHOD/training.json         the optimizer's settings and the loss of each step
    peft/FAMILY/METHOD/end/                  the adapter after these steps, where there is one (and its encoder)

Families: `llama` (3 layers, grouped queries, untied head), `qwen2` (2, grouped, tied), `gpt2` (4, fused q|k|v, tied),
`bert` (2, a classifier of 3 classes) and `llama-cls` (a Llama with a `score` head of 3 classes, read at the last token;
its rows are run one by one, since PEFT with a prompt reads the padding's state in a padded batch).

Methods, see `maker/methods.py` for their settings and for the families that lack them:

    prompt, prefix, lora, rslora-all-linear, houlsby, pfeiffer, parallel
    dora, dora-all-linear       with `lora_magnitude_vector`; the second with `rank_pattern` and `alpha_pattern`
    ia3                         PEFT's default targets, which differ between families
    p-tuning-mlp, p-tuning-lstm `prompt_embeddings` is what the encoder gave; training starts at the encoder:
                                `embedding.weight`, `mlp_head.{0,2,4}.weight|bias`;
                                with LSTM `lstm_head.{weight,bias}_{ih,hh}_l{0,1}[_reverse]`, `mlp_head.{0,2}.*`
    prefix-projection           likewise: `embedding.weight`, `transform.{0,2}.weight|bias`
    lora-embeddings-head        LoRA on the word embeddings (`lora_embedding_A`, `lora_embedding_B`), the head, q and v;
                                where targets are called `embed_tokens` or `lm_head` PEFT also saves the frozen base
                                weights of both (`.base_layer.weight`), to be passed over. In a tied model each of the
                                two has a LoRA of its own on the one weight: the words are read by E + s B A of the
                                embeddings, the logits made by E + s B A of the head
    lora-bias, lora-bias-all    `bias="lora_only"` and `"all"`: biases of the base, trained with the rest, are saved as
                                `PATH.bias`, those of a LoRA's layer as `PATH.base_layer.bias`; of BERT's classifier
                                there are two copies that nobody reads (`.original_module.`, `.modules_to_save.`)
    pissa, olora                `start/` is the factors as PEFT initialised them on the base, which becomes W - s B A:
                                `expected` is what the untuned model gives. Singular vectors have no sign: compare
                                products and losses. `end/` is the plain LoRA of rank 2r that PEFT converts it to.
    orthogonal, gaussian        `start/` as initialised, B A = 0: `expected` is what the untuned model gives
    lora-plus                   `lora_plus_ratio`, and `learning_rates` for each tensor of the adapter; PEFT gives the
                                bias of a classifier the rate of B too
    lora-layers                 layers_to_transform, layers_pattern, a regular expression, exclude_modules
"""

import argparse
import shutil

from maker import families, methods, writing

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--family", nargs="+", choices=families.FAMILIES, default=list(families.FAMILIES))
parser.add_argument("--method", nargs="+", choices=methods.NAMES, default=methods.NAMES)
chosen = parser.parse_args()

everything = chosen.family == list(families.FAMILIES) and chosen.method == methods.NAMES
if everything:
    shutil.rmtree(families.OUT, ignore_errors=True)
for family in chosen.family:
    if everything or not (families.OUT / family).exists():
        families.write(family)
    for method in chosen.method:
        if methods.has(family, method):
            writing.write_method(family, method)
            print(family, method, flush=True)
