//! One job of a file: whole, or laid over a template; and the part of a job that a template is.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use sandglass_core::id::TemplateName;
use sandglass_core::spec::{EXTENDS, JobSpec, JobTemplateSpec, Overlay, WrittenJob};
use sandglass_core::spelling::nearest;

use super::document::KEYS;
use super::error::NodeError;
use super::node::{Entry, Node, Scalar, Value};
use super::{FileJob, check, keys, short};

/// What no job can be without, and what to do if it is not there.
const NAME: (&str, &str) = ("name", "give the job a name, such as name: nightly-backup");
const ACTION: (&str, &str) = ("action", "say what the job does: 'command', 'commands', 'script', 'http' or 'action'");

/// One job, or everything that is wrong with it.
pub(super) fn job(node: Node) -> Result<FileJob, Vec<NodeError>> {
    if !matches!(node.value, Value::Map(_)) {
        let message = format!("expected a job, found {}", node.kind_name());
        return Err(vec![NodeError::at(message, node.span)]);
    }
    if node.get(EXTENDS).is_some() { extending(node) } else { whole(node) }
}

/// A job that extends nothing.
fn whole(node: Node) -> Result<FileJob, Vec<NodeError>> {
    let (mut node, mut errors) = short::normalise(node);
    let whole = errors.is_empty();
    for error in &errors {
        mend(&mut node, error.path.first().map(String::as_str));
    }
    let slips = remove_unknown(&mut node, &[EXTENDS], &mut errors);
    missing(&mut node, &[NAME, ACTION], &slips, &mut errors);
    // Each round finds the first fault that is left. What it concerns is then taken out, so the next round finds the
    // next; there are no more rounds than keys.
    let rounds = KEYS.len() + 1;
    for _ in 0..rounds {
        match JobSpec::deserialize(&node) {
            Ok(spec) => {
                // A part that was taken out has its default by now, so its values are not judged.
                errors.extend(check::faults(&spec).into_iter().filter(|(pointer, _)| has(&node, pointer)).map(
                    |(pointer, message)| {
                        let mut error = NodeError::at(message, node.nearest(&pointer));
                        error.path = pointer.split('/').skip(1).map(str::to_owned).collect();
                        error
                    },
                ));
                if errors.is_empty() && whole {
                    return Ok(FileJob { written: WrittenJob::Whole(Arc::new(spec)), node });
                }
                return Err(errors);
            }
            Err(error) => {
                let key = error.path.first().cloned();
                errors.push(error.or_at(node.span));
                if !mend(&mut node, key.as_deref()) {
                    break;
                }
            }
        }
    }
    Err(errors)
}

/// A job that extends a template. What it says must make sense by itself; what it comes to with its template is looked at
/// when both are known.
fn extending(node: Node) -> Result<FileJob, Vec<NodeError>> {
    let (mut node, mut errors) = normalised_part(node);
    let slips = remove_unknown(&mut node, &[], &mut errors);
    if let Some(name) = node.get(EXTENDS)
        && let Err(error) = TemplateName::deserialize(name)
    {
        errors.push(error.or_at(name.span).under(EXTENDS).hint("extends names a template, such as extends: backup"));
    }
    let mut probe = node.clone();
    without_nulls(&mut probe);
    if let Value::Map(entries) = &mut probe.value {
        entries.retain(|entry| entry.key != EXTENDS);
    }
    missing(&mut probe, &[NAME], &slips, &mut errors);
    errors.extend(faults_of_part(probe));
    if !errors.is_empty() {
        return Err(errors);
    }
    let overlay = document(&node).and_then(|document| {
        Overlay::new(document).map_err(|error| NodeError::at(error.message, node.span).under(error.key))
    });
    overlay
        .map(|overlay| FileJob { written: WrittenJob::Extending(Arc::new(overlay)), node })
        .map_err(|error| vec![error])
}

/// The part of a job that a template is, in canonical form, and what is wrong with it.
pub(super) fn part(node: Node) -> (Node, Vec<NodeError>) {
    if !matches!(node.value, Value::Map(_)) {
        let error = NodeError::at(format!("expected keys of a job, found {}", node.kind_name()), node.span);
        return (node, vec![error]);
    }
    let (mut node, mut errors) = normalised_part(node);
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|entry| {
            let own = ["name", EXTENDS].contains(&entry.key.as_str());
            if own {
                let message = format!("a template's job cannot have '{}'", entry.key);
                let hint = "each job that extends the template has its own name, and templates extend nothing";
                errors.push(NodeError::at(message, entry.key_span).under(&entry.key).hint(hint));
            }
            !own
        });
    }
    remove_unknown(&mut node, &["name", EXTENDS], &mut errors);
    errors.extend(faults_of_part(node.clone()));
    (node, errors)
}

/// A part of a job with its short forms turned into canonical ones.
fn normalised_part(mut node: Node) -> (Node, Vec<NodeError>) {
    // `null` takes out what the template says.
    let mut nothing = Vec::new();
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|entry| {
            let key = match entry.key.as_str() {
                "triggers" | "schedule" if entry.value.is_null() => "triggers",
                "notify" if entry.value.is_null() => "notify",
                _ => return true,
            };
            nothing.push(Entry { key: key.to_owned(), ..entry.clone() });
            false
        });
    }
    let (mut node, errors) = short::normalise(node);
    for error in &errors {
        mend(&mut node, error.path.first().map(String::as_str));
    }
    if let Value::Map(entries) = &mut node.value {
        entries.extend(nothing);
    }
    (node, errors)
}

/// What cannot be in any job, of a part of one in canonical form. What is missing may be elsewhere.
fn faults_of_part(mut part: Node) -> Vec<NodeError> {
    mend(&mut part, Some("name"));
    let uses_nothing = |action: &Node| matches!(action.value, Value::Map(_)) && action.get("use").is_none();
    match part.get("action").map(uses_nothing) {
        None => _ = mend(&mut part, Some("action")),
        Some(false) => {}
        Some(true) => {
            let span = part.span;
            let Value::Map(entries) = &mut part.value else { return Vec::new() };
            let action = entries.iter_mut().find(|entry| entry.key == "action").map(|entry| &mut entry.value.value);
            if let Some(Value::Map(action)) = action {
                action.push(Entry { key: "use".into(), key_span: span, value: Node::text(span, "unnamed") });
            }
        }
    }
    let mut errors = Vec::new();
    for _ in 0..=KEYS.len() {
        let Err(error) = JobSpec::deserialize(&part) else { break };
        let key = error.path.first().cloned();
        if !error.is_missing {
            errors.push(error.or_at(part.span));
        }
        if !mend(&mut part, key.as_deref()) {
            break;
        }
    }
    errors
}

/// Takes every `null` out of maps, at every depth.
fn without_nulls(node: &mut Node) {
    let Value::Map(entries) = &mut node.value else { return };
    entries.retain(|entry| !entry.value.is_null());
    entries.iter_mut().for_each(|entry| without_nulls(&mut entry.value));
}

/// The values of a map, without their places.
pub(super) fn document(node: &Node) -> Result<Map<String, Json>, NodeError> {
    Map::deserialize(node).map_err(|error| error.or_at(node.span))
}

/// The job that is laid over `template`, or everything that is wrong with it, each with a JSON Pointer (RFC 6901) into the
/// job that the two come to. What does not stand in the job itself is told with the template's name.
///
/// # Errors
///
/// If they come to no job, or to one that could never work.
pub fn resolve(overlay: &Overlay, template: &JobTemplateSpec) -> Result<JobSpec, Vec<(String, String)>> {
    let faults = match overlay.resolve(template) {
        Ok(spec) => match check::faults(&spec) {
            faults if faults.is_empty() => return Ok(spec),
            faults => faults,
        },
        Err(error) => vec![(error.pointer, error.message)],
    };
    Err(faults
        .into_iter()
        .map(|(pointer, message)| {
            let message = blamed(overlay, template, &pointer, message);
            (pointer, message)
        })
        .collect())
}

/// What is wrong at `pointer` of the job that the two come to, with the template's name unless it stands in the job itself.
#[must_use]
pub fn blamed(overlay: &Overlay, template: &JobTemplateSpec, pointer: &str, message: String) -> String {
    let own = Json::Object(overlay.document().clone());
    let named = message.contains(&format!("'{}'", overlay.template()));
    if named || own.pointer(pointer).is_some_and(|value| !value.is_object()) {
        return message;
    }
    let of_template = Json::Object(template.job.clone()).pointer(pointer).is_some();
    match (of_template, own.pointer(pointer).is_some()) {
        (true, false) => format!("{message}; template '{}' says so", overlay.template()),
        _ => format!("{message}; the job and template '{}' come to this together", overlay.template()),
    }
}

fn has(node: &Node, pointer: &str) -> bool {
    pointer.split('/').nth(1).is_some_and(|key| node.get(key).is_some())
}

/// Takes a faulty part out of a job, or puts a harmless one in its place if the job cannot be without it.
fn mend(node: &mut Node, key: Option<&str>) -> bool {
    let (Value::Map(entries), Some(key)) = (&mut node.value, key) else { return false };
    let key = if short::KEYS.contains(&key) && key != "schedule" { "action" } else { key };
    let found = entries.len();
    entries.retain(|entry| entry.key != key);
    let stand_in = match key {
        "name" => Some(Node::text(node.span, "unnamed")),
        "action" => {
            let uses = Entry { key: "use".into(), key_span: node.span, value: Node::text(node.span, "unnamed") };
            Some(Node::new(node.span, Value::Map(vec![uses])))
        }
        _ => None,
    };
    let removed = entries.len() < found;
    if let Some(value) = stand_in {
        entries.push(Entry { key: key.to_owned(), key_span: node.span, value });
    }
    removed
}

/// Takes out every key that no job has, or that is one of `but`, and gives those that were probably meant.
fn remove_unknown(node: &mut Node, but: &[&str], errors: &mut Vec<NodeError>) -> Vec<&'static str> {
    let Value::Map(entries) = &mut node.value else { return Vec::new() };
    let mut meant = Vec::new();
    let known: Vec<&'static str> = KEYS.iter().chain(short::KEYS).chain(&[EXTENDS]).copied().collect();
    entries.retain(|entry| {
        let key = entry.key.as_str();
        let fits = (KEYS.contains(&key) || key == EXTENDS) && !but.contains(&key);
        if !fits {
            meant.extend(nearest(&entry.key, known.iter().copied()));
            let (message, hint) = keys::unknown("key", &entry.key, &known);
            errors.push(NodeError { hint, ..NodeError::at(message, entry.key_span) }.under(&entry.key));
        }
        fits
    });
    meant
}

/// Says what a job cannot be without, and puts something harmless there.
fn missing(node: &mut Node, needed: &[(&str, &str)], slips: &[&str], errors: &mut Vec<NodeError>) {
    for &(key, hint) in needed {
        if node.get(key).is_none() {
            // A key with a slip in it was told of already.
            let slipped = |slip: &&str| *slip == key || (key == "action" && short::ACTIONS.contains(slip));
            if !slips.iter().any(slipped) {
                errors.push(NodeError::at(format!("the job has no {key}"), node.span).hint(hint));
            }
            mend(node, Some(key));
        }
        // A value that is there but empty reads best as missing, too.
        if let Value::Map(entries) = &mut node.value {
            let empty = |entry: &&mut Entry| {
                entry.key == key && matches!(entry.value.value, Value::Scalar { kind: Scalar::Null, .. })
            };
            if let Some(entry) = entries.iter_mut().find(empty) {
                let error = NodeError::at(format!("the job's {key} is empty"), entry.key_span).hint(hint);
                errors.push(error.under(key));
                mend(node, Some(key));
            }
        }
    }
}
