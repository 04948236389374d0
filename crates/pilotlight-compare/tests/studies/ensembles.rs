//! Ensembles of the runs of several seeds.

use std::{collections::HashMap, path::Path};

use pilotlight_compare::{Known, Plan, RunKind, Standing, plan, result::TestOutcome};

use super::{PROMPT, carried_out, common::Workshop, comparison};

/// The predictions of a run on the test examples.
fn predictions(folder: &Path) -> Vec<TestOutcome> {
    let text = std::fs::read_to_string(folder.join("predictions.jsonl")).expect("tested");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("outcomes")
}

#[test]
fn the_runs_of_several_seeds_vote() {
    let workshop = Workshop::new();
    // Prompts that say different things.
    let loud = "prompt_length = 3, init = \"random-normal\", std = 3.0";
    let methods = PROMPT.replace("prompt_length = 3", loud);
    let top = "seeds=[3, 4, 5]\nensembles={ sizes = [2, 3] }";
    let comparison = comparison(&workshop, top, &methods);
    let out = workshop.path("out");
    let Plan { runs, waiting, .. } = plan(&comparison, &out, &Known::default());
    assert_eq!((runs.len(), waiting.len()), (1 + 3, 2));

    let (report, launched) = carried_out(&comparison, &workshop);
    let last = ["prompt, 2 voting, seed 3", "prompt, 3 voting, seed 3"];
    assert_eq!(launched[4..], last);
    let runs = Standing::read(&comparison, &out)
        .expect("readable")
        .plan
        .runs;
    let of_kind = |kind| runs.iter().filter(move |run| run.kind == kind);
    let members: Vec<Vec<TestOutcome>> = of_kind(RunKind::Method)
        .map(|run| predictions(&run.folder))
        .collect();
    let of_three = of_kind(RunKind::Ensemble).next_back().expect("an ensemble");
    let together = predictions(&of_three.folder);
    assert_eq!(together.len(), members[0].len());
    for (example, outcome) in together.iter().enumerate() {
        let mut votes: HashMap<&str, usize> = HashMap::new();
        for member in &members {
            *votes.entry(&member[example].prediction).or_default() += 1;
        }
        let most = votes.iter().max_by_key(|(_, votes)| **votes);
        // Three members and two labels: there are no ties.
        assert_eq!(*most.expect("votes").0, outcome.prediction);
    }
    let disagree = |example: usize| {
        let said = members.iter().map(|member| &member[example].prediction);
        said.collect::<std::collections::HashSet<_>>().len() > 1
    };
    assert!(
        (0..together.len()).any(disagree),
        "the members are all alike"
    );
    let rows = &report.table.rows;
    let labels: Vec<&str> = rows.iter().map(|row| &*row.label).collect();
    assert_eq!(
        labels[2..],
        ["prompt", "prompt, 2 voting", "prompt, 3 voting"]
    );
    assert_eq!(rows[4].trained, Some(3 * 3 * 32));

    // Their folders may be moved: members stand beside them.
    assert!(!of_three.folder.join("adapter").exists());
    let ensemble = of_three.config.ensemble.as_ref().expect("members");
    assert!(
        ensemble
            .members
            .iter()
            .all(|member| member.starts_with(".."))
    );
}

#[test]
fn ensembles_have_as_many_members_as_there_are_seeds() {
    let workshop = Workshop::new();
    for (top, expected) in [
        (
            "ensembles.sizes=[2]",
            "`ensembles.sizes`: expected 2 to 1, the number of seeds, found 2",
        ),
        ("seeds=3\nensembles.sizes=[1]", "expected 2 to 3"),
        (
            "seeds=3\nensembles.sizes=[2]\nensembles.combination=sum",
            "\"average\" or \"vote\"",
        ),
        (
            "seeds=3\nensembles.combination=vote",
            "`ensembles.sizes`: is missing",
        ),
    ] {
        let mut layers = workshop.layers(PROMPT);
        layers.assignments = top.lines().map(String::from).collect();
        let report = layers.comparison().expect_err("a mistake").to_string();
        assert!(report.contains(expected), "{expected}\nis not in\n{report}");
    }
}
