//! One layer of settings on top of another.

use config::{ConfigError, Map, Source, Value, ValueKind};

use super::tree::as_table;

/// A layer as a source of the `config` crate, which stacks them.
#[derive(Debug, Clone)]
pub(super) struct Layer(pub(super) Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }

    /// Keys are taken as they are (a label may hold a dot), and tables are merged by [`overlay`].
    fn collect_to(&self, cache: &mut Value) -> Result<(), ConfigError> {
        if let ValueKind::Table(under) = &mut cache.kind {
            overlay(under, self.0.clone());
        }
        Ok(())
    }
}

/// Keys of the same section of which only one can be meant; the first of a pair silences the second.
const RIVALS: [(&str, &str); 3] = [
    ("template", "parts"),
    ("parts", "template"),
    ("epochs", "steps"),
];

/// Lays `over` on `under`: tables are merged key by key, everything else is replaced. A key also replaces its rival,
/// so that `epochs` of a file is stronger than `steps` of a preset.
///
/// A `tuner` table that names another method, or an adapter to start from, replaces the one below it: the keys of
/// one method mean nothing to another. So does a `labels` table, whose order is that of the classes.
fn overlay(under: &mut Map<String, Value>, over: Map<String, Value>) {
    drop_rivals(under, &over);
    combine(under, over, &|key, under, over| match key {
        "tuner" => same_method(under, over),
        "labels" => false,
        _ => true,
    });
}

fn drop_rivals(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, rival) in RIVALS {
        if over.contains_key(key) && !over.contains_key(rival) {
            under.shift_remove(rival);
        }
    }
    for (key, over) in over {
        if let (Some(ValueKind::Table(under)), Some(over)) = (
            under.get_mut(key).map(|under| &mut under.kind),
            as_table(over),
        ) {
            drop_rivals(under, over);
        }
    }
}

/// Adds settings of the same layer: all tables are merged.
pub(super) fn merge(under: &mut Map<String, Value>, over: Map<String, Value>) {
    combine(under, over, &|_, _, _| true);
}

fn combine(
    under: &mut Map<String, Value>,
    over: Map<String, Value>,
    merges: &dyn Fn(&str, &Value, &Value) -> bool,
) {
    for (key, over) in over {
        let origin = over.origin().map(String::from);
        let below = under
            .get_mut(&key)
            .filter(|below| merges(&key, below, &over));
        match (below.map(|below| &mut below.kind), over.kind) {
            (Some(ValueKind::Table(below)), ValueKind::Table(over)) => combine(below, over, merges),
            (_, kind) => {
                under.insert(key, Value::new(origin.as_ref(), kind));
            }
        }
    }
}

fn same_method(under: &Value, over: &Value) -> bool {
    let named = |value: &Value, key: &str| {
        let table = as_table(value)?;
        Some(table.get(key)?.to_string())
    };
    let (Some(_), Some(_)) = (as_table(under), as_table(over)) else {
        return false;
    };
    if named(over, "from").is_some()
        || named(under, "from").is_some() && named(over, "method").is_some()
    {
        return false;
    }
    match (named(under, "method"), named(over, "method")) {
        (Some(under), Some(over)) => under == over,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Origin, parse};
    use super::*;

    #[track_caller]
    fn check(under: &str, over: &str, expected: &str) {
        let read = |text| parse(text, &Origin::Lines("f".into())).expect("TOML");
        let plain = |table| super::super::tree::to_toml(&Value::new(None, ValueKind::Table(table)));
        let mut merged = read(under);
        overlay(&mut merged, read(over));
        assert_eq!(plain(merged), plain(read(expected)));
    }

    #[test]
    fn tables_merge_and_values_replace() {
        check(
            "seed = 1\n[train]\nsteps = 5\nbetas = [0.9, 0.99]",
            "[train]\nbetas = [0.8]",
            "seed = 1\n[train]\nsteps = 5\nbetas = [0.8]",
        );
    }

    #[test]
    fn another_method_starts_from_its_own_defaults() {
        let prompt = "tuner = { method = 'soft-prompt', prompt_length = 20 }";
        check(prompt, "tuner.method = 'lora'", "tuner.method = 'lora'");
        check(
            prompt,
            "tuner.prompt_length = 5",
            "tuner = { method = 'soft-prompt', prompt_length = 5 }",
        );
        check(
            prompt,
            "tuner = { method = 'soft-prompt', seed = 2 }",
            "tuner = { method = 'soft-prompt', prompt_length = 20, seed = 2 }",
        );
        check(prompt, "tuner.from = 'a'", "tuner.from = 'a'");
        check("tuner.from = 'a'", prompt, prompt);
    }

    #[test]
    fn of_rivals_the_upper_one_stands() {
        check("train.steps = 5", "train.epochs = 2", "train.epochs = 2");
        check(
            "train.epochs = 2",
            "train.steps = 5",
            "train = { epochs = 2, steps = 5 }",
        );
        check(
            "task.template = '{{ text }}'",
            "task.parts = [{ name = 'a' }]",
            "task.parts = [{ name = 'a' }]",
        );
    }

    #[test]
    fn label_words_are_replaced_as_a_whole() {
        check(
            "task.labels = { a = 'x', b = 'y' }",
            "task.labels = { b = 'z', c = 'w' }",
            "task.labels = { b = 'z', c = 'w' }",
        );
    }
}
