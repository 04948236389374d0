//! Which runs a comparison consists of.
//!
//! Some are known only once others are done: the learning rate of a method that is searched for, the members of an
//! ensemble. A plan is therefore made of the comparison and of what is known of its runs so far, and nothing else: whoever
//! carries it out makes it anew behind each run, and workers that share a folder come to the same one.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use crate::{
    baseline,
    experiment::{AxisValues, Comparison, ExperimentConfig, FewShot, MethodConfig, Point},
    launch::{PlannedRun, RunKind},
    search::{Choice, Chosen, SearchConfig, Validation},
    subject::titled,
};

/// Folder of all runs inside that of a comparison.
pub const RUNS_FOLDER: &str = "runs";

/// The runs of a comparison, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Runs that can be carried out, in this order, or are done.
    pub runs: Vec<PlannedRun>,
    /// Runs that wait for some of these, such as a method for the trials that choose its learning rate. They have no
    /// folders yet, and the learning rate in their settings is the method's own.
    pub waiting: Vec<PlannedRun>,
    /// The learning rates that are chosen already.
    pub chosen: Vec<Chosen>,
}

/// What is known of runs, by their folders.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known(HashMap<PathBuf, Outcome>);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// It failed.
    Failed,
    /// It is finished.
    Finished(Validation),
}

impl Known {
    /// Notes how the run in a folder ended.
    pub fn insert(&mut self, folder: PathBuf, outcome: Outcome) {
        self.0.insert(folder, outcome);
    }

    /// How the run in a folder ended, if it has.
    pub fn of(&self, folder: &Path) -> Option<Outcome> {
        self.0.get(folder).copied()
    }
}

impl Plan {
    /// Number of runs, those that wait included.
    pub fn n_runs(&self) -> usize {
        self.runs.len() + self.waiting.len()
    }
}

/// The runs of a comparison: the baselines first, then every method at every point with the first seed, with the
/// second, and so on, so that what is done first is a table already. Trials of learning rates come before the method.
///
/// Of a comparison with a [shard](crate::Shard) these are the runs of that part.
///
/// All runs have the same data: those that the first seed draws, unless `data.seed` says otherwise.
pub fn plan(comparison: &Comparison, out: &Path, known: &Known) -> Plan {
    let mut planner = Planner {
        comparison,
        out,
        known,
        plan: Plan::default(),
    };
    for (point, config) in baseline::untuned(comparison) {
        let seed = planner.first_seed();
        let run = planner.run("", "untuned", RunKind::Baseline, &point, config, seed);
        planner.add(run);
    }
    for seed in &comparison.seeds {
        for FewShot { point, config } in &comparison.few_shot {
            let label = baseline::few_shot_label(config);
            let run = planner.run("", &label, RunKind::Baseline, point, config.clone(), *seed);
            planner.add(run);
        }
    }
    let mut rates = HashMap::new();
    let mut members: IndexMap<(&String, usize), Vec<Option<PathBuf>>> = IndexMap::new();
    for seed in &comparison.seeds {
        for (name, method) in &comparison.methods {
            for (index, point) in method.points.iter().enumerate() {
                let mut config = point.config.clone();
                let mut choice = None;
                if let Some(search) = &comparison.search {
                    let of_point = rates.entry((name, index));
                    choice = Some(
                        *of_point.or_insert_with(|| planner.search(search, name, method, point)),
                    );
                }
                if let Some(Choice::Best(rate)) = choice {
                    config.train.learning_rate = rate;
                }
                let label = &method.label;
                let run = planner.run(name, label, RunKind::Method, &point.values, config, *seed);
                let folder = match choice {
                    Some(Choice::Nothing) => continue,
                    Some(Choice::Open) => {
                        planner.plan.waiting.push(run);
                        None
                    }
                    _ => Some(planner.add(run).folder.clone()),
                };
                members.entry((name, index)).or_default().push(folder);
            }
        }
    }
    for ((name, index), members) in members {
        let method = &comparison.methods[name];
        planner.ensembles(name, method, &method.points[index], &members);
    }
    let mut plan = planner.plan;
    if let Some(shard) = comparison.shard {
        let belong_together = comparison.search.is_some() || comparison.ensembles.is_some();
        shard.choose_from(&mut plan, belong_together);
    }
    plan
}

struct Planner<'a> {
    comparison: &'a Comparison,
    out: &'a Path,
    known: &'a Known,
    plan: Plan,
}

impl Planner<'_> {
    fn first_seed(&self) -> u64 {
        self.comparison.seeds.first().copied().unwrap_or_default()
    }

    /// The run with these settings and this seed.
    fn run(
        &self,
        method: &str,
        label: &str,
        kind: RunKind,
        point: &AxisValues,
        mut config: ExperimentConfig,
        seed: u64,
    ) -> PlannedRun {
        config.seed = seed;
        config.data.seed.get_or_insert(self.first_seed());
        PlannedRun {
            method: method.to_owned(),
            label: label.to_owned(),
            kind,
            point: point.clone(),
            config,
            folder: PathBuf::new(),
        }
    }

    fn add(&mut self, mut run: PlannedRun) -> &PlannedRun {
        run.folder = self.out.join(RUNS_FOLDER).join(folder_name(&run));
        self.plan.runs.push(run);
        &self.plan.runs[self.plan.runs.len() - 1]
    }

    /// Adds the ensembles of a method at a point, whose runs are in these folders, as far as they are known.
    fn ensembles(
        &mut self,
        name: &str,
        method: &MethodConfig,
        point: &Point,
        runs: &[Option<PathBuf>],
    ) {
        let Some(ensembles) = &self.comparison.ensembles else {
            return;
        };
        for &size in ensembles.sizes.iter().filter(|size| **size <= runs.len()) {
            let members = &runs[..size];
            let outcome = |folder: &Option<PathBuf>| self.known.of(folder.as_ref()?);
            if members
                .iter()
                .any(|it| outcome(it) == Some(Outcome::Failed))
            {
                // What failed is told, and has no adapter.
                continue;
            }
            let is_ready = members.iter().all(|it| outcome(it).is_some());
            let beside = |folder: &Option<PathBuf>| {
                let name = folder.as_ref().and_then(|it| it.file_name());
                Path::new("..")
                    .join(name.unwrap_or_default())
                    .join("adapter")
            };
            let members = members.iter().map(beside).collect();
            let config = ensembles.of_members(&point.config, members);
            let label = ensembles.label(&method.label, size);
            let kind = RunKind::Ensemble;
            let run = self.run(name, &label, kind, &point.values, config, self.first_seed());
            match is_ready {
                true => _ = self.add(run),
                false => self.plan.waiting.push(run),
            }
        }
    }

    /// Adds the trials of a method at a point, and says which learning rate they choose.
    fn search(
        &mut self,
        search: &SearchConfig,
        name: &str,
        method: &MethodConfig,
        point: &Point,
    ) -> Choice {
        let seed = self.first_seed();
        let mut trials = Vec::new();
        for rate in search.candidates(point.config.train.learning_rate) {
            let mut config = point.config.clone();
            config.train.learning_rate = rate;
            config.report.trial = true;
            // Trials are validated alone.
            (config.report.generate, config.report.general) = (None, None);
            let label = &method.label;
            let run = self.run(name, label, RunKind::Trial, &point.values, config, seed);
            let folder = self.add(run).folder.clone();
            trials.push((rate, self.known.of(&folder)));
        }
        let choice = search.choose(&trials);
        if choice != Choice::Open {
            let trials = trials.into_iter().map(|(rate, outcome)| match outcome {
                Some(Outcome::Finished(found)) => (rate, Some(found)),
                _ => (rate, None),
            });
            self.plan.chosen.push(Chosen {
                title: titled(&method.label, &point.values),
                method: name.to_owned(),
                point: point.values.clone(),
                trials: trials.collect(),
                learning_rate: match choice {
                    Choice::Best(rate) => Some(rate),
                    _ => None,
                },
            });
        }
        choice
    }
}

/// The settings of a run as they stand in its folder.
pub(crate) fn settings(run: &PlannedRun) -> String {
    // What cannot be written as TOML (a path that is not Unicode) is told by the run itself.
    toml::to_string(&run.config).unwrap_or_default()
}

/// `METHOD-seedN-HASH`: to be read by people, and different for different settings.
fn folder_name(run: &PlannedRun) -> String {
    let digest = Sha256::digest(settings(run).as_bytes());
    let hash: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = match run.method.as_str() {
        "" => &run.label,
        method => method,
    };
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let words = name.split(|character| !is_plain(character));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let name = words.join("-");
    let kind = match run.kind {
        RunKind::Trial => "-trial",
        RunKind::Ensemble => "-ensemble",
        RunKind::Baseline | RunKind::Method => "",
    };
    format!("{name}{kind}-seed{}-{hash}", run.config.seed)
}
