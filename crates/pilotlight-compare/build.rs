//! Tells which assets are there to be embedded.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=assets");
    for (name, file) in [
        ("embedded_model", "assets/model/model.safetensors"),
        ("embedded_sentences", "assets/sentences/train.jsonl"),
        ("embedded_magazines", "assets/magazines/texts.jsonl"),
    ] {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if Path::new(file).exists() {
            println!("cargo::rustc-cfg={name}");
        }
    }
}
