//! The keys of `method = "ia3"`.

use burn::tensor::{Device, TensorData};
use pilotlight_core::{ModelSpec, Projection, ProjectionSpec, Site};
use serde::{Deserialize, Serialize};

use super::{Factors, Ia3, Side};
use crate::{
    error::{Problems, TunerError},
    method::{InitContext, Method, Tensors},
    peft::PeftFields,
    targets::{self, Targets},
};

/// The keys of `method = "ia3"`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ia3Config {
    /// The projections; by default keys, values (or the fused matrix of both and the queries) and the narrowing one
    /// of the feed-forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Targets>,
    /// Projections that are left out after all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Targets>,
    /// The targets whose input is scaled, not their output; by default the narrowing projection of the feed-forward.
    /// An empty list scales the output of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed_forward: Option<Targets>,
}

/// One projection, and what of it is scaled.
#[derive(Debug, Clone, PartialEq)]
struct Planned {
    site: Site,
    path: String,
    side: Side,
    n_values: usize,
}

impl Planned {
    fn tensor_name(&self) -> String {
        format!("base_model.model.{}.ia3_l", self.path)
    }
}

/// PEFT's shape of so many factors.
fn shape(side: Side, n_values: usize) -> [usize; 2] {
    match side {
        Side::Input => [1, n_values],
        Side::Output => [n_values, 1],
    }
}

const DEFAULT: [Projection; 4] = [
    Projection::Key,
    Projection::Value,
    Projection::QueryKeyValue,
    Projection::Down,
];

impl Ia3Config {
    /// The projections that are scaled, in the order of the layers.
    pub fn sites(&self, spec: &ModelSpec) -> Vec<(Site, Side)> {
        let planned = self.plan(spec).into_iter();
        planned.map(|one| (one.site, one.side)).collect()
    }

    fn plan(&self, spec: &ModelSpec) -> Vec<Planned> {
        let chosen = |rule: &Option<Targets>| rule.as_ref().map(|rule| rule.sites(spec));
        let targets = chosen(&self.targets).unwrap_or_else(|| {
            let all = Targets::AllLinear.sites(spec).into_iter();
            all.filter(|(site, _)| DEFAULT.contains(&site.projection))
                .collect()
        });
        let excluded = chosen(&self.exclude).unwrap_or_default();
        let feed_forward = chosen(&self.feed_forward);
        targets
            .into_iter()
            .filter(|target| !excluded.contains(target))
            .filter_map(|target| {
                let reads = match &feed_forward {
                    Some(feed_forward) => feed_forward.contains(&target),
                    None => target.0.projection == Projection::Down,
                };
                let (site, path) = target;
                let ProjectionSpec {
                    d_input, d_output, ..
                } = spec.projection(site.projection)?;
                let (side, n_values) = match reads {
                    true => (Side::Input, *d_input),
                    false => (Side::Output, *d_output),
                };
                Some(Planned {
                    site,
                    path,
                    side,
                    n_values,
                })
            })
            .collect()
    }

    /// Names that choose just the sites of one side.
    fn names_of(&self, side: Side, spec: &ModelSpec) -> Vec<String> {
        let sites = self.sites(spec).into_iter();
        let sites: Vec<Site> = sites
            .filter(|(_, other)| *other == side)
            .map(|(site, _)| site)
            .collect();
        targets::names_of(&sites, spec)
    }
}

impl Method for Ia3Config {
    type Tuner = Ia3;
    const NAME: &'static str = "ia3";
    const PEFT_TYPES: &'static [&'static str] = &["IA3"];

    fn merges(&self) -> bool {
        true
    }

    fn problems(&self, spec: &ModelSpec, problems: &mut Problems) {
        if let Some(targets) = &self.targets {
            targets.problems("targets", spec, problems);
        }
        if let Some(exclude) = &self.exclude {
            exclude.problems("exclude", spec, problems);
        }
        let planned = self.plan(spec);
        if planned.is_empty() && problems.is_empty() {
            problems.push("targets", "leave no projection to scale");
        }
        match &self.feed_forward {
            None => {}
            Some(Targets::Names(names)) if names.is_empty() => {}
            Some(feed_forward) => {
                feed_forward.problems("feed_forward", spec, problems);
                if problems.is_empty() && planned.iter().all(|one| one.side == Side::Output) {
                    problems.push(
                        "feed_forward",
                        "names none of the targets\nhint: it says which of the `targets` are scaled at their input",
                    );
                }
            }
        }
    }

    fn init(&self, context: &InitContext<'_>) -> Result<Ia3, TunerError> {
        let factors = self.plan(context.spec()).into_iter().map(|one| {
            let ones = TensorData::ones::<f32, _>([one.n_values]);
            Factors::new(one.site, one.side, ones, context.device)
        });
        Ok(Ia3::new(self.clone(), factors.collect()))
    }

    fn of(tuner: &Ia3) -> &Self {
        &tuner.config
    }

    fn tensors(tuner: &Ia3, spec: &ModelSpec) -> Vec<(String, TensorData)> {
        let planned = tuner.config.plan(spec);
        let factors = planned.iter().zip(&tuner.factors);
        let tensor = |(one, factors): (&Planned, &Factors)| {
            let values = factors.values.val().reshape(shape(one.side, one.n_values));
            (one.tensor_name(), values.into_data())
        };
        factors.map(tensor).collect()
    }

    fn restore(&self, tensors: &mut Tensors, spec: &ModelSpec, device: &Device) -> Option<Ia3> {
        let planned = self.plan(spec);
        let mut take = |one: &Planned| {
            let values = tensors.take(&one.tensor_name(), shape(one.side, one.n_values))?;
            let values: Vec<f32> = values.try_into_vec().expect("tensors are taken as f32");
            let values = TensorData::new(values, [one.n_values]);
            Some(Factors::new(one.site, one.side, values, device))
        };
        // All are taken before the first missing one counts, so that one report names all of them.
        let factors: Vec<Option<Factors>> = planned.iter().map(&mut take).collect();
        let factors: Option<Vec<Factors>> = factors.into_iter().collect();
        Some(Ia3::new(self.clone(), factors?))
    }

    fn to_peft(&self, spec: &ModelSpec) -> Option<PeftFields> {
        let feed_forward = self.names_of(Side::Input, spec);
        let mut targets = self.names_of(Side::Output, spec);
        targets.extend(feed_forward.iter().cloned());
        let planned = self.plan(spec);
        let mut kinds = planned
            .iter()
            .filter_map(|one| spec.projection(one.site.projection));
        let fields = PeftFields::default()
            .with("target_modules", targets)
            .with("feedforward_modules", feed_forward)
            .with("fan_in_fan_out", kinds.any(|kind| kind.fan_in_fan_out))
            .with("init_ia3_weights", true);
        Some(fields)
    }

    fn from_peft(fields: &mut PeftFields) -> Option<Self> {
        let expected = "a list of names or a text";
        let mut rule = |name: &str| {
            if fields.get(name).is_none() {
                fields.expected(name, expected);
            }
            fields.read(name, expected)
        };
        let (targets, feed_forward) = (rule("target_modules"), rule("feedforward_modules"));
        Some(Self {
            targets: Some(targets?),
            exclude: fields.read("exclude_modules", expected),
            feed_forward: Some(feed_forward?),
        })
    }
}
