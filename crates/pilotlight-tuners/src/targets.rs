//! Rules that choose projections by their names.

use std::fmt;

use pilotlight_core::{ModelSpec, Projection, Site};
use regex::Regex;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor, value},
};

use crate::error::{Problems, suggest};

/// A rule that chooses projections by their module paths in transformers, such as
/// `model.layers.3.self_attn.q_proj`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// `"all-linear"`: every projection of every layer.
    AllLinear,
    /// A list of names: a path is chosen if it is one of them or ends in a dot and one of them.
    Names(Vec<String>),
    /// Any other text: a regular expression that must match the whole path.
    Pattern(String),
}

impl Targets {
    /// Queries and values, or the fused matrix where there is one.
    pub(crate) fn default_of(spec: &ModelSpec) -> Self {
        let default = [
            Projection::Query,
            Projection::Value,
            Projection::QueryKeyValue,
        ];
        let names = default
            .into_iter()
            .filter_map(|projection| spec.projection(projection))
            .filter_map(|projection| projection.path.rsplit('.').next().map(str::to_owned));
        Self::Names(names.collect())
    }

    /// The sites that are chosen, with their paths, in the order of the layers.
    pub(crate) fn sites(&self, spec: &ModelSpec) -> Vec<(Site, String)> {
        let mut sites = self.choose(all_sites(spec));
        sites.sort_unstable();
        sites
    }

    /// Those of `candidates` whose paths the rule chooses: all of them if it is `"all-linear"`.
    pub(crate) fn choose<T>(
        &self,
        candidates: impl Iterator<Item = (T, String)>,
    ) -> Vec<(T, String)> {
        let pattern = match self {
            Self::Pattern(pattern) => whole(pattern).ok(),
            _ => None,
        };
        let is_chosen = |path: &str| match self {
            Self::AllLinear => true,
            Self::Names(names) => names.iter().any(|name| ends_in(path, name)),
            Self::Pattern(_) => pattern.as_ref().is_some_and(|regex| regex.is_match(path)),
        };
        candidates.filter(|(_, path)| is_chosen(path)).collect()
    }

    /// Whether the rule is a list with this very path in it.
    pub(crate) fn names_whole(&self, path: &str) -> bool {
        matches!(self, Self::Names(names) if names.iter().any(|name| name == path))
    }

    /// Adds what is wrong with the rule for a model of this shape.
    pub(crate) fn problems(&self, key: &str, spec: &ModelSpec, problems: &mut Problems) {
        let paths: Vec<String> = all_sites(spec).map(|(_, path)| path).collect();
        self.problems_among(key, &paths, &last_names(spec), problems);
    }

    /// Adds what is wrong with the rule where it may choose among these paths, of which `known` are short names.
    pub(crate) fn problems_among(
        &self,
        key: &str,
        paths: &[String],
        known: &[String],
        problems: &mut Problems,
    ) {
        match self {
            Self::AllLinear => {}
            Self::Names(names) if names.is_empty() => problems.push(key, "is empty"),
            Self::Names(names) => {
                for name in names {
                    if !paths.iter().any(|path| ends_in(path, name)) {
                        let known: Vec<&str> = known.iter().map(String::as_str).collect();
                        let message = format!(
                            "names `{name}`, which is no projection of this model\n{}",
                            suggest(name, &known)
                        );
                        problems.push(key, message);
                    }
                }
            }
            Self::Pattern(pattern) => match whole(pattern) {
                Err(error) => problems.push(key, format!("is no regular expression: {error}")),
                Ok(regex) if !paths.iter().any(|path| regex.is_match(path)) => {
                    let message = format!(
                        "`{pattern}` matches no projection of this model\nhint: it must match a whole path, such as \
                         `{}`",
                        paths.first().map(String::as_str).unwrap_or_default()
                    );
                    problems.push(key, message);
                }
                Ok(_) => {}
            },
        }
    }
}

fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

/// Whether a path is `name`, or ends in a dot and it.
pub(crate) fn ends_in(path: &str, name: &str) -> bool {
    path.strip_suffix(name)
        .is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

/// Every site of a model and its path.
pub(crate) fn all_sites(spec: &ModelSpec) -> impl Iterator<Item = (Site, String)> {
    (0..spec.n_layers).flat_map(|layer| {
        spec.projections.iter().map(move |projection| {
            let site = Site {
                layer,
                projection: projection.projection,
            };
            (site, projection.path.replace("{layer}", &layer.to_string()))
        })
    })
}

/// The shortest names that tell the projections apart.
pub(crate) fn last_names(spec: &ModelSpec) -> Vec<String> {
    spec.projections
        .iter()
        .map(|projection| short_name(spec, &projection.path).unwrap_or(projection.path.clone()))
        .collect()
}

/// The shortest ending of a projection's path that no other projection's path has, if there is one without the
/// layer in it.
fn short_name(spec: &ModelSpec, path: &str) -> Option<String> {
    let (_, inside) = path.split_once("{layer}.")?;
    let starts = std::iter::once(0).chain(inside.match_indices('.').map(|(dot, _)| dot + 1));
    let mut endings: Vec<&str> = starts.map(|start| &inside[start..]).collect();
    endings.reverse();
    let own = |ending: &&&str| {
        let others = spec.projections.iter().filter(|other| other.path != path);
        let mut others = others.map(|other| ends_in(&other.path, ending));
        !others.any(|same| same)
    };
    endings.iter().find(own).map(|ending| (*ending).to_owned())
}

/// A list of names that chooses just these sites: short ones where a projection is chosen in every layer and its
/// name means nothing else, else whole paths.
pub(crate) fn names_of(sites: &[Site], spec: &ModelSpec) -> Vec<String> {
    let mut names = Vec::new();
    for projection in &spec.projections {
        let chosen: Vec<Site> = sites
            .iter()
            .copied()
            .filter(|site| site.projection == projection.projection)
            .collect();
        match short_name(spec, &projection.path) {
            Some(name) if chosen.len() == spec.n_layers => names.push(name),
            _ => names.extend(chosen.into_iter().filter_map(|site| spec.path(site))),
        }
    }
    names
}

impl Serialize for Targets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::AllLinear => serializer.serialize_str("all-linear"),
            Self::Names(names) => names.serialize(serializer),
            Self::Pattern(pattern) => serializer.serialize_str(pattern),
        }
    }
}

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyForm;

        impl<'de> Visitor<'de> for AnyForm {
            type Value = Targets;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"all-linear\", a list of projection names or a regular expression")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Targets, E> {
                Ok(match text {
                    "all-linear" => Targets::AllLinear,
                    pattern => Targets::Pattern(pattern.to_owned()),
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Targets, A::Error> {
                Vec::deserialize(value::SeqAccessDeserializer::new(seq)).map(Targets::Names)
            }
        }

        deserializer.deserialize_any(AnyForm)
    }
}
