//! The results to be seen.

use super::{
    document::BenchDocument, methods::BenchMethod, settings::Settings, summary::Summary,
    table::duration,
};
use crate::{
    figure::{Bar, Bars},
    numbers::count,
};

/// The median time of a step by method and device, as an SVG document; `None` where nothing was measured.
///
/// The same document always gives the same picture.
pub(super) fn bench_figure(document: &BenchDocument) -> Option<String> {
    let measured: Vec<(&Settings, &str, Summary)> = document
        .rows
        .iter()
        .filter_map(|row| Some((&row.settings, row.hardware.as_str(), row.summary()?)))
        .collect();
    let slowest = measured.iter().map(|row| row.2.p50).reduce(f64::max)?;
    let (unit, factor) = match slowest {
        seconds if seconds < 1e-3 => ("µs", 1e6),
        seconds if seconds < 1.0 => ("ms", 1e3),
        _ => ("s", 1.0),
    };
    let mut groups: Vec<String> = Vec::new();
    let mut bars = Vec::new();
    let all: Vec<&Settings> = measured.iter().map(|(settings, ..)| *settings).collect();
    for (settings, hardware, summary) in &measured {
        let group = format!("{} ({hardware})", settings.device);
        let known = groups.iter().position(|known| *known == group);
        let group = known.unwrap_or_else(|| {
            groups.push(group);
            groups.len() - 1
        });
        bars.push(Bar {
            label: label(settings, &all),
            group,
            value: factor * summary.p50,
            low: factor * summary.p10,
            high: factor * summary.p90,
            remark: format!(
                "{} · {} tokens/s",
                duration(summary.p50),
                count(summary.tokens_per_second.round() as usize)
            ),
        });
    }
    let chart = Bars {
        title: "Time of a training step".into(),
        subtitle: subtitle(&groups, &all),
        axis: format!(
            "median time of a step ({unit}); whiskers from the 10th to the 90th percentile"
        ),
        groups,
        bars,
    };
    Some(chart.draw())
}

/// What is varied among `all`, as text; nothing where there is one value.
fn varied(settings: &Settings, all: &[&Settings]) -> Vec<String> {
    let parts: [fn(&Settings) -> String; 5] = [
        |it| it.model.clone(),
        |it| format!("batch {}", it.batch),
        |it| format!("{} tokens", it.tokens),
        |it| format!("prompt {}", it.prompt_length),
        |it| it.dtype.to_string(),
    ];
    let differs = |part: &&fn(&Settings) -> String| {
        // Methods without vectors have no prompt of another length.
        let with_same = all.iter().filter(|it| it.method == settings.method);
        with_same.into_iter().any(|it| part(it) != part(settings))
    };
    parts
        .iter()
        .filter(differs)
        .map(|part| part(settings))
        .collect()
}

fn label(settings: &Settings, all: &[&Settings]) -> String {
    let name = &settings.method;
    let label = BenchMethod::find(name).map_or(name.as_str(), |method| method.label);
    let mut parts = vec![label.to_owned()];
    parts.extend(varied(settings, all));
    parts.join(", ")
}

/// What all bars have in common.
fn subtitle(groups: &[String], all: &[&Settings]) -> String {
    let Some(first) = all.first() else {
        return String::new();
    };
    let mut parts = Vec::new();
    let same = |of: fn(&Settings) -> String| {
        let value = of(first);
        all.iter().all(|it| of(it) == value).then_some(value)
    };
    parts.extend(same(|it| it.model.clone()));
    parts.extend(same(|it| format!("batch {}", it.batch)));
    parts.extend(same(|it| format!("{} tokens", it.tokens)));
    let lengths = all.iter().map(|it| it.prompt_length).filter(|n| *n > 0);
    let lengths: std::collections::BTreeSet<usize> = lengths.collect();
    if let (Some(length), 1) = (lengths.first(), lengths.len()) {
        parts.push(format!("prompt length {length}"));
    }
    parts.extend(same(|it| it.dtype.to_string()));
    if let [group] = groups {
        parts.push(group.clone());
    }
    parts.join(" · ")
}
