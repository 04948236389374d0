//! A row for each run as comma-separated values, not rounded.

use crate::{
    delimited::to_csv, experiment::Axis, finished::FinishedRun, forgetting::Forgetting,
    generated::TextScores, result::Latency, statistics::Interval,
};

/// A column behind those of the axes: its title and its cells, empty where there is nothing to say.
type Column = (&'static str, fn(&FinishedRun) -> Option<String>);

const COLUMNS: &[Column] = &[
    ("model", |run| Some(run.result.model.clone())),
    ("family", |run| Some(run.result.family.clone())),
    ("trained_parameters", |run| {
        text(run.result.parameters.trained)
    }),
    ("total_parameters", |run| text(run.result.parameters.total)),
    ("percent", |run| text(run.result.parameters.percent)),
    ("adapter_bytes", |run| text(run.result.adapter_bytes?)),
    ("steps", |run| text(run.result.steps)),
    ("best_step", |run| text(run.result.best_step)),
    ("step_seconds", |run| text(run.result.step_seconds?)),
    ("tokens_per_second", |run| {
        text(run.result.tokens_per_second?)
    }),
    ("operations_per_token", |run| {
        text(run.result.operations?.per_token)
    }),
    ("operations_per_second", |run| {
        text(run.result.operations?.per_second?)
    }),
    ("peak_operations_per_second", |run| {
        text(run.result.operations?.peak_per_second?)
    }),
    ("peak_share", |run| {
        text(run.result.operations?.peak_share()?)
    }),
    ("extra_positions", |run| {
        text(run.result.request?.extra_positions)
    }),
    ("extra_kv_bytes", |run| {
        text(run.result.request?.extra_kv_bytes?)
    }),
    ("requests", |run| text(latency(run)?.n_requests)),
    ("request_seconds", |run| text(latency(run)?.seconds)),
    ("base_request_seconds", |run| {
        text(latency(run)?.base_seconds)
    }),
    ("latency_ratio", |run| text(latency(run)?.ratio)),
    ("peak_memory_bytes", |run| {
        text(run.result.peak_memory_bytes?)
    }),
    ("train_loss", |run| text(run.result.loss.train?)),
    ("validation_loss", |run| text(run.result.loss.validation?)),
    ("test_loss", |run| text(run.result.test?.loss)),
    ("test_examples", |run| text(run.result.test?.n_examples)),
    ("accuracy", |run| text(accuracy(run)?.value)),
    ("accuracy_low", |run| text(accuracy(run)?.low)),
    ("accuracy_high", |run| text(accuracy(run)?.high)),
    ("macro_f1", |run| text(run.result.test?.macro_f1?)),
    ("mcc", |run| text(run.result.test?.mcc?)),
    ("whole_accuracy", |run| text(whole(run)?.value)),
    ("whole_accuracy_low", |run| text(whole(run)?.low)),
    ("whole_accuracy_high", |run| text(whole(run)?.high)),
    ("perplexity", |run| text(run.result.test?.perplexity?.value)),
    ("bleu", |run| text(generated(run)?.bleu.value)),
    ("bleu_low", |run| text(generated(run)?.bleu.low)),
    ("bleu_high", |run| text(generated(run)?.bleu.high)),
    ("rouge_l", |run| text(generated(run)?.rouge_l.value)),
    ("rouge_l_low", |run| text(generated(run)?.rouge_l.low)),
    ("rouge_l_high", |run| text(generated(run)?.rouge_l.high)),
    ("exact_match", |run| text(generated(run)?.exact_match.value)),
    ("exact_match_low", |run| {
        text(generated(run)?.exact_match.low)
    }),
    ("exact_match_high", |run| {
        text(generated(run)?.exact_match.high)
    }),
    ("general_loss_before", |run| text(general(run)?.before)),
    ("general_loss_after", |run| text(general(run)?.after)),
    ("general_loss", |run| text(general(run)?.difference.value)),
    ("general_loss_low", |run| text(general(run)?.difference.low)),
    ("general_loss_high", |run| {
        text(general(run)?.difference.high)
    }),
    ("general_tokens", |run| text(general(run)?.n_tokens)),
    ("majority_accuracy", |run| {
        text(run.result.majority_accuracy?)
    }),
    ("load_seconds", |run| text(run.result.seconds.load)),
    ("prepare_seconds", |run| text(run.result.seconds.prepare)),
    ("training_seconds", |run| text(run.result.seconds.training)),
    ("validation_seconds", |run| {
        text(run.result.seconds.validation)
    }),
    ("checkpoint_seconds", |run| {
        text(run.result.seconds.checkpoints)
    }),
    ("test_seconds", |run| text(run.result.seconds.test)),
    ("generation_seconds", |run| {
        text(run.result.seconds.generation)
    }),
    ("general_seconds", |run| text(run.result.seconds.general)),
    ("cost_seconds", |run| text(run.result.seconds.costs)),
    ("total_seconds", |run| text(run.result.seconds.total)),
    ("base_sha256", |run| {
        Some(run.result.base_hash.before.clone())
    }),
    ("version", |run| Some(run.result.version.clone())),
    ("folder", |run| {
        Some(run.planned.folder.display().to_string())
    }),
];

/// The runs with their values of the axes.
pub(super) fn of_runs(runs: &[FinishedRun], axes: &[Axis]) -> String {
    let keys: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
    let titles = COLUMNS.iter().map(|(title, _)| *title);
    let header = ["method", "label", "seed"]
        .into_iter()
        .chain(keys.iter().copied())
        .chain(titles);
    let row = |run: &FinishedRun| {
        let planned = &run.planned;
        let mut cells = vec![
            planned.method.clone(),
            planned.label.clone(),
            planned.config.seed.to_string(),
        ];
        let values = keys
            .iter()
            .map(|key| planned.point.get(*key).map_or(String::new(), raw));
        cells.extend(values);
        cells.extend(
            COLUMNS
                .iter()
                .map(|(_, cell)| cell(run).unwrap_or_default()),
        );
        cells
    };
    to_csv(
        [header.map(str::to_owned).collect()]
            .into_iter()
            .chain(runs.iter().map(row)),
    )
}

fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn accuracy(run: &FinishedRun) -> Option<Interval> {
    run.result.test?.accuracy
}

fn latency(run: &FinishedRun) -> Option<Latency> {
    run.result.request?.latency
}

fn whole(run: &FinishedRun) -> Option<Interval> {
    run.result.whole_test?.accuracy
}

fn generated(run: &FinishedRun) -> Option<TextScores> {
    run.result.test?.generated
}

fn general(run: &FinishedRun) -> Option<&Forgetting> {
    run.result.forgetting.as_ref()
}

/// A value of an axis as it is.
fn raw(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
