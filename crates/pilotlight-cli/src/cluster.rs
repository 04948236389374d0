//! Scripts for the clusters that people have: several workers that carry out one comparison in a folder they share.

use std::{
    env,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use clap::ValueEnum;

use crate::failure::Failure;

/// What starts the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cluster {
    /// A job array
    Slurm,
    /// An indexed job
    Kubernetes,
}

/// What every worker runs.
#[derive(Debug)]
pub(crate) struct Job {
    /// Name of the comparison.
    pub(crate) name: String,
    /// Folder of the comparison, which the workers share.
    pub(crate) out: PathBuf,
    /// Experiment file, unless it is a preset.
    pub(crate) file: Option<PathBuf>,
    /// Arguments of `pilot`.
    pub(crate) arguments: Vec<String>,
    /// How many workers there are.
    pub(crate) n_workers: u32,
}

impl Cluster {
    /// The script for a job that does here what it is to do there: in this folder and with the settings of this
    /// environment.
    pub(crate) fn script(self, job: &Job) -> Result<String, Failure> {
        let here = env::current_dir().map_err(|error| {
            Failure::run(format!("cannot find the folder that this runs in: {error}"))
                .hint("go to a folder that exists")
        })?;
        match self {
            Self::Slurm => slurm(job, &here),
            Self::Kubernetes => kubernetes(job, &here),
        }
    }
}

fn slurm(job: &Job, here: &Path) -> Result<String, Failure> {
    let program = env::current_exe().map_err(|error| {
        Failure::run(format!("cannot find the file of this program: {error}"))
            .hint("start it by its full path")
    })?;
    let variables = variables()?.into_iter();
    let mut words: Vec<String> = variables
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !words.is_empty() {
        words.insert(0, "env".into());
    }
    words.push(unicode(&program)?.to_owned());
    words.extend(job.arguments.iter().cloned());
    let words: Vec<String> = words.iter().map(|word| shell(word)).collect();
    Ok(format!(
        include_str!("cluster/slurm.sh"),
        name = label(&job.name),
        n_workers = job.n_workers,
        folder = shell(unicode(here)?),
        command = words.join(" \\\n    "),
    ))
}

fn kubernetes(job: &Job, here: &Path) -> Result<String, Failure> {
    let mut arguments = String::new();
    for argument in &job.arguments {
        // Writing to a text cannot fail.
        let _ = write!(arguments, "\n            - {}", expanded(argument));
    }
    let mut variables_text = String::new();
    for (name, value) in variables()? {
        let (name, value) = (yaml(&name), expanded(&value));
        let _ = write!(
            variables_text,
            "\n            - name: {name}\n              value: {value}"
        );
    }
    if variables_text.is_empty() {
        variables_text = " []".into();
    }
    let folder_of_file = job.file.as_deref().and_then(Path::parent);
    let paths = [Some(job.out.as_path()), folder_of_file];
    let shared = paths.into_iter().flatten().fold(here, common);
    if shared.parent().is_none() {
        return Err(Failure::input(
            "this folder, that of the experiment and that of the comparison have only / in common, where no volume can be mounted",
        )
        .hint("go to the folder of the experiment, and choose `--out` beside it"));
    }
    Ok(format!(
        include_str!("cluster/kubernetes.yaml"),
        name = label(&job.name),
        n_workers = job.n_workers,
        folder = yaml(unicode(here)?),
        arguments = arguments,
        variables = variables_text,
        shared = yaml(unicode(shared)?),
    ))
}

/// The variables that are settings of `pilot`, by name.
fn variables() -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for (name, value) in env::vars_os() {
        if name.to_string_lossy().starts_with("PILOT_") {
            found.push((
                unicode(Path::new(&name))?.to_owned(),
                unicode(Path::new(&value))?.to_owned(),
            ));
        }
    }
    found.sort();
    Ok(found)
}

/// A path or an argument in a script, which has to be Unicode.
pub(crate) fn unicode(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        Failure::input(format!("{} is not Unicode", path.display()))
            .hint("choose another name for it")
    })
}

/// The folder that holds both paths.
fn common<'a>(one: &'a Path, other: &Path) -> &'a Path {
    let mut folders = one.ancestors();
    folders
        .find(|folder| other.starts_with(folder))
        .unwrap_or(one)
}

/// A word of a shell's command line.
pub(crate) fn shell(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./=:,@%+".contains(character);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A text in YAML, of which JSON is a part.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The same where Kubernetes puts the values of variables in for `$(NAME)`.
fn expanded(text: &str) -> String {
    yaml(&text.replace('$', "$$"))
}

/// A name that clusters take: small letters, digits and hyphens.
fn label(name: &str) -> String {
    const LONGEST: usize = 50;
    let plain = name
        .to_ascii_lowercase()
        .replace(|it: char| !it.is_ascii_alphanumeric(), "-");
    let plain: String = plain.chars().take(LONGEST).collect();
    match plain.trim_matches('-') {
        "" => "comparison".into(),
        plain => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_clusters() {
        assert_eq!(label("smollm2-sentences"), "smollm2-sentences");
        assert_eq!(label("My Study (2)"), "my-study--2");
        assert_eq!(label("研究"), "comparison");
        assert_eq!(label(&"a".repeat(80)).len(), 50);
    }

    #[test]
    fn a_volume_holds_all_folders() {
        let common = |one, other| common(Path::new(one), Path::new(other)).to_owned();
        assert_eq!(common("/data/a/b", "/data/a/c"), Path::new("/data/a"));
        assert_eq!(common("/data/a", "/data/a/b"), Path::new("/data/a"));
        assert_eq!(common("/data/ab", "/data/a"), Path::new("/data"));
        assert_eq!(common("/data", "/runs"), Path::new("/"));
    }
}
