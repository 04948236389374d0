"""Bottleneck adapters, which PEFT has not, written out in PyTorch."""

import json

import torch
from safetensors.torch import save_file

from .families import is_encoder

BOTTLENECKS = {
    "houlsby": dict(kind="houlsby", bottleneck_dim=6, activation="gelu"),
    "pfeiffer": dict(kind="pfeiffer", bottleneck_dim=8, activation="silu", scale=0.7),
    "parallel": dict(kind="parallel", bottleneck_dim=8, activation="relu"),
}


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
