//! Settings into types, with every mistake found in one pass.
//!
//! serde stops at the first mistake and, inside a tagged enum, forgets where it was. Here a table is read again
//! and again: the key at fault is the one without which the mistake disappears; it is noted, taken out, and the
//! rest is read. Tables are small, so this costs nothing that anyone would notice.

use config::{Value, ValueKind};
use serde::de::{DeserializeOwned, IntoDeserializer, value::MapDeserializer};

use super::{
    suggest,
    tree::{Step, dotted, located, to_toml},
};
use crate::error::{Problem, Problems};

/// Reads the section of this name. All keys at fault are added to `problems`; what is left without them is
/// returned where it is enough.
pub(super) fn read<T: DeserializeOwned>(
    name: &str,
    section: &Value,
    problems: &mut Problems,
) -> Option<T> {
    read_past(section, &mut |path, message| {
        problems.push(match missing(message) {
            Some(_) => missing_key(name, section, path),
            None => describe(name, section, path, message),
        });
    })
}

/// The places in a section at which it cannot be read as `T`.
pub(super) fn faults<T: DeserializeOwned>(section: &Value) -> Vec<Vec<Step>> {
    let mut faults = Vec::new();
    read_past::<T>(section, &mut |path, _| faults.push(path.to_vec()));
    faults
}

/// Reads a section without the keys at fault, each of which is told with serde's message.
fn read_past<T: DeserializeOwned>(
    section: &Value,
    tell: &mut dyn FnMut(&[Step], &str),
) -> Option<T> {
    let mut tree = to_toml(section);
    let mut removed: Vec<Vec<Step>> = Vec::new();
    loop {
        let message = match T::deserialize(tree.clone()) {
            Ok(value) => return Some(value),
            Err(error) => error.message().trim().to_owned(),
        };
        let path = culprit::<T>(&tree, &message);
        if let Some(key) = missing(&message) {
            let mut path = path;
            path.push(Step::Key(key));
            if !removed.contains(&path) {
                tell(&path, &message);
            }
            return None;
        }
        tell(&path, &message);
        // A list without one of its items may be too short: it goes as a whole.
        let mut taken = path;
        if let Some(Step::Index(_)) = taken.last() {
            taken.pop();
        }
        if taken.is_empty() {
            return None;
        }
        remove(&mut tree, &taken);
        removed.push(taken);
    }
}

/// The keys that `T` knows, in its own order.
pub(super) fn known_keys<T: DeserializeOwned>() -> Vec<String> {
    let probe = [("\u{0}", 0)].into_iter();
    let probe = MapDeserializer::<_, serde::de::value::Error>::new(probe);
    match T::deserialize(probe.into_deserializer()) {
        Ok(_) => Vec::new(),
        Err(error) => expected_names(&error.to_string()),
    }
}

/// The path to the value without which reading does not fail with `message`.
fn culprit<T: DeserializeOwned>(root: &toml::Value, message: &str) -> Vec<Step> {
    let mut path = Vec::new();
    while let Some(step) = faulty_child::<T>(root, &path, message) {
        path.push(step);
    }
    path
}

fn faulty_child<T: DeserializeOwned>(
    root: &toml::Value,
    path: &[Step],
    message: &str,
) -> Option<Step> {
    let node = get(root, path)?;
    if node.is_array() && message.starts_with("invalid length") {
        return None;
    }
    // Candidates that are required are set aside: taking one out always changes the message.
    let mut required = Vec::new();
    for step in children(node) {
        let mut candidate = path.to_vec();
        candidate.push(step.clone());
        let mut without = root.clone();
        remove(&mut without, &candidate);
        let Err(error) = T::deserialize(without) else {
            return Some(step);
        };
        let other = error.message().trim();
        if other == message {
            continue;
        }
        match &step {
            Step::Key(key) if missing(other).as_ref() == Some(key) => required.push(step),
            _ => return Some(step),
        }
    }
    if missing(message).is_some() {
        return None;
    }
    if let Some(step) = last_of_equals::<T>(root, path, message) {
        return Some(step);
    }
    let named = |step: &Step| {
        let child = get(node, std::slice::from_ref(step));
        let of_key = matches!(step, Step::Key(key) if message.starts_with(&format!("`{key}` ")));
        of_key || child.is_some_and(|child| message.contains(&unexpected(child)))
    };
    let position = required.iter().position(named);
    position.map(|position| required.swap_remove(position))
}

/// The last of several children with the same fault: without one of them the message stays that of the others.
fn last_of_equals<T: DeserializeOwned>(
    root: &toml::Value,
    path: &[Step],
    message: &str,
) -> Option<Step> {
    let mut rest = root.clone();
    // Backwards: taking out an item of a list must not move those that are to follow.
    for step in children(get(root, path)?).into_iter().rev() {
        let mut candidate = path.to_vec();
        candidate.push(step.clone());
        let mut without = rest.clone();
        remove(&mut without, &candidate);
        match T::deserialize(without.clone()) {
            Ok(_) => return Some(step),
            Err(error) if error.message().trim() == message => rest = without,
            // It has to be there.
            Err(error) if missing(error.message().trim()).is_some() => {}
            Err(_) => return Some(step),
        }
    }
    None
}

/// The key that `message` says is missing.
fn missing(message: &str) -> Option<String> {
    if let Some((key, rest)) = message
        .strip_prefix('`')
        .and_then(|rest| rest.split_once('`'))
        && rest.starts_with(" is missing")
    {
        return Some(key.to_owned());
    }
    quoted_after(message, "missing field ")
}

/// A value as serde's messages call it.
fn unexpected(value: &toml::Value) -> String {
    match value {
        toml::Value::String(string) => string.clone(),
        toml::Value::Integer(number) => format!("integer `{number}`"),
        toml::Value::Float(_) => "floating point".into(),
        toml::Value::Boolean(boolean) => format!("boolean `{boolean}`"),
        toml::Value::Array(_) => "sequence".into(),
        _ => "map".into(),
    }
}

fn missing_key(name: &str, section: &Value, path: &[Step]) -> Problem {
    Problem {
        origin: nearest_origin(section, path),
        key: Some(dotted(name, path)),
        message: "is missing".into(),
        hint: suggest::example(&dotted(name, path)),
    }
}

fn describe(name: &str, section: &Value, path: &[Step], message: &str) -> Problem {
    let key = dotted(name, path);
    let message = own_words(message, path);
    let (message, hint) = split_hint(&message);
    let found = located(section, path).map(found);
    let problem = |message: String, hint: String| Problem {
        origin: nearest_origin(section, path),
        key: Some(key.clone()),
        message,
        hint,
    };
    if let Some(unknown) = quoted_after(message, "unknown field ") {
        let hint = suggest::key(name, &unknown, &expected_names(message));
        return problem("there is no such key".into(), hint);
    }
    if let Some(unknown) = quoted_after(message, "unknown variant ") {
        let known = expected_names(message);
        let known: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
        let hint = suggest::closest(&format!("\"{unknown}\""), &known)
            .map_or(String::new(), |near| format!("did you mean {near}?"));
        let expected = format!("expected {}", suggest::either(&known));
        return problem(format!("{expected}, found \"{unknown}\""), hint);
    }
    match (message.rsplit_once("expected "), found) {
        (Some((_, expected)), Some(found)) => {
            let expected = plain(expected);
            problem(format!("expected {expected}, found {found}"), hint)
        }
        _ => problem(message.to_owned(), hint),
    }
}

/// The part of a message that speaks of the key at the end of `path`, where messages name their key in front and
/// several may stand in one.
fn own_words(message: &str, path: &[Step]) -> String {
    let Some(Step::Key(key)) = path.last() else {
        return message.to_owned();
    };
    let name = format!("`{key}`");
    let mut lines = message.lines().skip_while(|line| !line.starts_with(&name));
    let Some(first) = lines.next() else {
        return message.to_owned();
    };
    let rest = lines.take_while(|line| !line.starts_with('`'));
    let first = first[name.len()..].trim_start_matches(':').trim_start();
    [first]
        .into_iter()
        .chain(rest)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A message without the hint at its end, and the hint.
fn split_hint(message: &str) -> (&str, String) {
    match message.split_once("\n") {
        Some((message, rest)) if rest.trim_start().starts_with("hint: ") => {
            let hint = rest.trim_start().trim_start_matches("hint: ");
            (message, hint.to_owned())
        }
        _ => (message, String::new()),
    }
}

/// serde's words for a type in the words of the person who writes TOML.
fn plain(expected: &str) -> String {
    match expected.trim() {
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number, 0 or more".into(),
        "i64" | "i32" | "isize" => "a whole number".into(),
        "f64" | "f32" | "a float" => "a number".into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        "a string" | "path string" => "a text in quotes".into(),
        "a boolean" => "true or false".into(),
        other if other.starts_with("struct ") || other.starts_with("internally tagged enum") => {
            "a table".into()
        }
        other if other.starts_with("an array of length ") => {
            other.replacen("an array", "a list", 1)
        }
        other => other.to_owned(),
    }
}

/// A value in a few words.
fn found(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => suggest::quote(text),
        ValueKind::Array(items) if items.is_empty() => "an empty list".into(),
        ValueKind::Array(items) => format!("a list of {}", items.len()),
        ValueKind::Table(_) => "a table".into(),
        other => other.to_string(),
    }
}

/// The names in backquotes behind the word "expected".
fn expected_names(message: &str) -> Vec<String> {
    let Some((_, names)) = message.rsplit_once("expected ") else {
        return Vec::new();
    };
    let names = names.split('`').skip(1).step_by(2);
    names.map(String::from).collect()
}

fn quoted_after(message: &str, words: &str) -> Option<String> {
    let rest = message.strip_prefix(words)?.strip_prefix('`')?;
    // A name may hold backquotes itself; what follows it does not begin with one.
    let end = rest.find("`, ").or_else(|| rest.rfind('`'))?;
    Some(rest[..end].to_owned())
}

/// Where the value, or the innermost table around it, was written.
fn nearest_origin(section: &Value, path: &[Step]) -> Option<String> {
    let lengths = (0..=path.len()).rev();
    lengths
        .filter_map(|length| located(section, &path[..length])?.origin())
        .map(String::from)
        .next()
}

fn children(node: &toml::Value) -> Vec<Step> {
    match node {
        toml::Value::Table(table) => table.keys().cloned().map(Step::Key).collect(),
        toml::Value::Array(items) => (0..items.len()).map(Step::Index).collect(),
        _ => Vec::new(),
    }
}

fn get<'a>(root: &'a toml::Value, path: &[Step]) -> Option<&'a toml::Value> {
    path.iter().try_fold(root, |node, step| match step {
        Step::Key(key) => node.get(key),
        Step::Index(index) => node.get(index),
    })
}

fn remove(root: &mut toml::Value, path: &[Step]) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let parent = parents.iter().try_fold(root, |node, step| match step {
        Step::Key(key) => node.get_mut(key),
        Step::Index(index) => node.get_mut(index),
    });
    match (parent, last) {
        (Some(toml::Value::Table(table)), Step::Key(key)) => {
            table.remove(key);
        }
        (Some(toml::Value::Array(items)), Step::Index(index)) => {
            items.remove(*index);
        }
        _ => {}
    }
}
