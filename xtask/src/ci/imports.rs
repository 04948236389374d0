//! Which crate may import which, and where a backend may be named.

use anyhow::bail;

use crate::ci::metadata::{Dependency, Metadata, Package};

/// What each library crate, and the command, may import of the others: the table of `docs/architecture.md`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("transformer", &["core"]),
    ("tuners", &["core"]),
    ("data", &["core"]),
    ("train", &["core", "transformer", "tuners", "data"]),
    (
        "compare",
        &["core", "transformer", "tuners", "data", "train"],
    ),
    (
        "cli",
        &["core", "transformer", "tuners", "data", "train", "compare"],
    ),
];

/// Crates in which a backend may be named.
const WITH_BACKEND: &[&str] = &["pilotlight-cli", "pilotlight-tests", "pilotlight-benches"];

/// Burn's features that stand for a backend, or only make sense with one.
const BACKEND_FEATURES: &[&str] = &[
    "autotune",
    "candle",
    "cpu",
    "cuda",
    "default",
    "flex",
    "fusion",
    "metal",
    "ndarray",
    "persistence",
    "rayon",
    "rocm",
    "simd",
    "tch",
    "vulkan",
    "webgpu",
    "wgpu",
    "x86-v4",
];

/// Beginnings of the names of crates that are a backend or part of one.
const BACKEND_CRATES: &[&str] = &[
    "burn-candle",
    "burn-cpu",
    "burn-cubecl",
    "burn-cuda",
    "burn-flex",
    "burn-ndarray",
    "burn-rocm",
    "burn-tch",
    "burn-wgpu",
    "cubecl",
];

pub(super) fn check(metadata: &Metadata) -> anyhow::Result<()> {
    let problems: Vec<String> = metadata.members().flat_map(problems).collect();
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

fn problems(package: &Package) -> Vec<String> {
    let mut problems = Vec::new();
    let name = package.name.as_str();
    // What only tests see does not bind those who use the crate.
    let shipped = || {
        package
            .dependencies
            .iter()
            .filter(|it| it.kind.as_deref() != Some("dev"))
    };

    let short = name.strip_prefix("pilotlight-").unwrap_or(name);
    if let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == short) {
        for Dependency { name: other, .. } in shipped() {
            let other = other.strip_prefix("pilotlight-");
            if let Some(other) = other.filter(|other| !allowed.contains(other)) {
                problems.push(format!("{name} must not depend on pilotlight-{other}"));
            }
        }
    } else if !WITH_BACKEND.contains(&name) && name != "xtask" {
        problems.push(format!(
            "{name} is not in the table of crates: say what it may import"
        ));
    }

    if !WITH_BACKEND.contains(&name) {
        for dependency in shipped() {
            let is_backend = |beginning: &&str| dependency.name.starts_with(*beginning);
            if BACKEND_CRATES.iter().any(is_backend) {
                problems.push(format!(
                    "{name} must not depend on the backend {}",
                    dependency.name
                ));
            }
            if dependency.name == "burn" {
                let named = dependency
                    .features
                    .iter()
                    .filter(|it| BACKEND_FEATURES.contains(&it.as_str()));
                problems.extend(named.map(|feature| {
                    format!("{name} must not ask for burn's feature {feature}: it names a backend")
                }));
            }
        }
        for (feature, enabled) in &package.features {
            let named = enabled.iter().filter(|it| it.starts_with("burn/"));
            problems.extend(
                named.map(|it| format!("{name}: its feature {feature} must not enable {it}")),
            );
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependency: (&str, Option<&str>, &[&str])) -> Package {
        let (dependency, kind, features) = dependency;
        serde_json::from_value(serde_json::json!({
            "id": name, "name": name, "version": "0.1.0", "license": null, "features": {},
            "dependencies": [{ "name": dependency, "kind": kind, "features": features }],
        }))
        .expect("is a package")
    }

    #[test]
    fn tells_forbidden_imports() {
        let cases = [
            (
                "pilotlight-tuners",
                ("pilotlight-transformer", None, &[] as &[&str]),
                false,
            ),
            (
                "pilotlight-tuners",
                ("pilotlight-transformer", Some("dev"), &[]),
                true,
            ),
            ("pilotlight-tuners", ("pilotlight-core", None, &[]), true),
            ("pilotlight-core", ("burn", None, &["std", "flex"]), false),
            ("pilotlight-core", ("burn", Some("dev"), &["flex"]), true),
            ("pilotlight-core", ("burn-wgpu", None, &[]), false),
            ("pilotlight-benches", ("burn", None, &["flex"]), true),
            ("pilotlight-unknown", ("burn", None, &[]), false),
        ];
        for (name, dependency, allowed) in cases {
            assert_eq!(
                problems(&package(name, dependency)).is_empty(),
                allowed,
                "{name} {dependency:?}"
            );
        }
    }
}
