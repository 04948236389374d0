//! Several values of a setting: a list, or a range.

use config::{Value, ValueKind};
use serde::Deserialize;

use super::{check, tree::as_table};
use crate::error::{Problem, Problems};

/// A range of numbers: `{ from = 1e-4, to = 1e-1, steps = 4, scale = "log" }`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    /// The first value.
    from: Number,
    /// The last value.
    to: Number,
    /// How many there are.
    steps: usize,
    /// How they are spaced.
    #[serde(default)]
    scale: Scale,
}

/// A number; whole ones at both ends of a range give whole ones between them.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a number")]
enum Number {
    Whole(i64),
    Real(f64),
}

/// How the values of a range are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scale {
    /// Neighbours have the same difference.
    #[default]
    Linear,
    /// Neighbours have the same ratio.
    Log,
}

/// Most values of a range: more are a slip of the pen.
const MAX_STEPS: usize = 1000;

/// The values that a list or a range of this key offers, each of them once; `None` for what is neither.
pub(super) fn offered(key: &str, value: &Value, problems: &mut Problems) -> Option<Vec<Value>> {
    let problem = |message: String, hint: &str| Problem {
        origin: value.origin().map(String::from),
        key: Some(key.to_owned()),
        message,
        hint: hint.into(),
    };
    let values = match &value.kind {
        ValueKind::Array(items) => items.clone(),
        ValueKind::Table(table) if is_range(value) => {
            let first = || table.get("from").cloned().into_iter().collect();
            let Some(range) = check::read::<Range>(key, value, problems) else {
                return Some(first());
            };
            match range.values() {
                Ok(values) => {
                    let origin = value.origin().map(String::from);
                    let values = values.into_iter();
                    values
                        .map(|kind| Value::new(origin.as_ref(), kind))
                        .collect()
                }
                Err((message, hint)) => {
                    problems.push(problem(message, hint));
                    first()
                }
            }
        }
        _ => return None,
    };
    let mut different: Vec<Value> = Vec::new();
    for value in values {
        if different.iter().any(|other| other.kind == value.kind) {
            let message = format!("expected different values, found {value} twice");
            let hint = "leave one out; a range of whole numbers has only so many";
            problems.push(problem(message, hint));
        } else {
            different.push(value);
        }
    }
    Some(different)
}

/// Whether a value is a range: no setting is a table with these keys.
pub(super) fn is_range(value: &Value) -> bool {
    as_table(value).is_some_and(|table| table.contains_key("from") && table.contains_key("to"))
}

impl Range {
    fn values(self) -> Result<Vec<ValueKind>, (String, &'static str)> {
        let [from, to] = [self.from, self.to].map(Number::value);
        if !(2..=MAX_STEPS).contains(&self.steps) {
            let message = format!("expected 2 to {MAX_STEPS} steps, found {}", self.steps);
            return Err((
                message,
                "`steps` is the number of values, both ends among them",
            ));
        }
        if !(from.is_finite() && to.is_finite()) {
            return Err(("expected finite ends".into(), ""));
        }
        if self.scale == Scale::Log && !(from > 0.0 && to > 0.0) {
            let message = format!("expected ends above 0, found {from} and {to}");
            return Err((
                message,
                "a logarithmic scale has no zero; leave out `scale`",
            ));
        }
        let is_whole = matches!((self.from, self.to), (Number::Whole(_), Number::Whole(_)));
        let last = self.steps - 1;
        let values = (0..self.steps).map(|step| {
            let share = step as f64 / last as f64;
            let value = match (step, self.scale) {
                (0, _) => from,
                (step, _) if step == last => to,
                (_, Scale::Linear) => rounded(from + share * (to - from)),
                (_, Scale::Log) => rounded(from * (to / from).powf(share)),
            };
            match is_whole {
                true => ValueKind::I64(value.round() as i64),
                false => ValueKind::Float(value),
            }
        });
        Ok(values.collect())
    }
}

impl Number {
    fn value(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Real(number) => number,
        }
    }
}

/// A number with four significant digits, which is what people read and write.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Origin, parse, to_toml};
    use super::*;

    fn offer(text: &str) -> (Option<Vec<String>>, String) {
        let table = parse(&format!("key = {text}"), &Origin::Lines("f".into())).expect("TOML");
        let mut problems = Problems::default();
        let offered = offered("key", &table["key"], &mut problems);
        let shown = |values: Vec<Value>| values.iter().map(|it| to_toml(it).to_string()).collect();
        (offered.map(shown), problems.to_string())
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let expected = expected.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(offer(text), (Some(expected), String::new()));
    }

    #[track_caller]
    fn fails(text: &str, expected: &str) {
        let (_, problems) = offer(text);
        assert!(problems.contains(expected), "{problems}");
    }

    #[test]
    fn lists_and_ranges_offer_their_values() {
        check("[1, 5]", &["1", "5"]);
        check(
            "{ from = 1e-4, to = 1e-1, steps = 4, scale = 'log' }",
            &["0.0001", "0.001", "0.01", "0.1"],
        );
        check(
            "{ from = 1e-3, to = 1e-2, steps = 3, scale = 'log' }",
            &["0.001", "0.003162", "0.01"],
        );
        check("{ from = 0, to = 1.0, steps = 3 }", &["0.0", "0.5", "1.0"]);
        check(
            "{ from = 1, to = 16, steps = 5, scale = 'log' }",
            &["1", "2", "4", "8", "16"],
        );
        assert_eq!(offer("5").0, None);
        assert_eq!(offer("{ from = 'DIR' }").0, None);
    }

    #[test]
    fn ranges_that_make_no_sense_say_why() {
        fails("[5, 1, 5]", "found 5 twice");
        fails("{ from = 1, to = 3, steps = 9 }", "found 1 twice");
        fails("{ from = 1, to = 3, steps = 1 }", "found 1");
        fails("{ from = 1, to = 3, steps = 5000 }", "2 to 1000 steps");
        fails("{ from = 1, to = 3, step = 2 }", "did you mean `steps`?");
        fails(
            "{ from = 1, to = 3, steps = 2, scale = 'lgo' }",
            "did you mean \"log\"?",
        );
        fails("{ from = 0, to = 3, steps = 2, scale = 'log' }", "above 0");
        fails("{ from = 'a', to = 3, steps = 2 }", "expected a number");
        fails("{ from = inf, to = 3.0, steps = 2 }", "finite");
    }
}
