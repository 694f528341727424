//! Plugins as people read them.

use chrono_tz::Tz;
use sandglass_core::capability::Grants;
use sandglass_core::plugin::{ActionInfo, Manifest, Plugin};
use sandglass_core::time::Timestamp;

use super::amount::{bytes, instant, relative};
use super::paint::Paint;
use super::table::{Table, facts};
use super::yaml;

/// Grants in one line, such as `process: any`.
fn grants(grants: &Grants) -> String {
    match serde_json::to_value(grants) {
        Ok(serde_json::Value::Object(map)) if !map.is_empty() => {
            let plain = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            map.iter().map(|(key, value)| format!("{key}: {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        _ => "nothing".to_owned(),
    }
}

/// A listing.
pub(crate) fn list(plugins: &[Plugin], wide: bool, now: Timestamp, paint: Paint) -> String {
    let mut headings = vec!["PLUGIN", "VERSION", "ACTIONS", "GRANTED", "ORIGIN"];
    if wide {
        headings.extend(["SIZE", "ADDED", "DIGEST"]);
    }
    let mut table = Table::new(&headings);
    for plugin in plugins {
        let actions: Vec<&str> = plugin.actions.iter().map(|action| action.name.as_str()).collect();
        let mut row = vec![
            plugin.manifest.name.to_string(),
            plugin.manifest.version.clone(),
            actions.join(", "),
            grants(&plugin.granted),
            if plugin.built_in { "built in".to_owned() } else { "added".to_owned() },
        ];
        if wide {
            row.push(bytes(plugin.size_bytes));
            row.push(relative(plugin.added_at, now, Tz::UTC));
            row.push(plugin.digest.to_string());
        }
        table.row(row);
    }
    table.render(paint)
}

/// One plugin in full.
pub(crate) fn show(plugin: &Plugin, now: Timestamp, paint: Paint) -> String {
    let head = facts(
        &[
            ("plugin", Some(plugin.manifest.name.to_string())),
            ("version", Some(plugin.manifest.version.clone())),
            ("description", Some(plugin.manifest.description.clone()).filter(|text| !text.is_empty())),
            ("asks for", Some(grants(&plugin.manifest.capabilities))),
            ("granted", Some(grants(&plugin.granted))),
            ("size", Some(bytes(plugin.size_bytes))),
            ("digest", Some(plugin.digest.to_string())),
            ("added", Some(instant(plugin.added_at, now, Tz::UTC))),
        ],
        paint,
    );
    head + &actions(&plugin.actions, paint)
}

/// The actions, with their parameters and examples.
pub(crate) fn actions(actions: &[ActionInfo], paint: Paint) -> String {
    let mut text = String::new();
    for (index, action) in actions.iter().enumerate() {
        let default = if index == 0 { " (the default)" } else { "" };
        text.push_str(&format!("\n{}{default}\n", paint.bold(&format!("action {}: {}", action.name, action.title))));
        if !action.description.is_empty() && action.description != action.title {
            text.push_str(&format!("  {}\n", action.description.trim_end().replace('\n', "\n  ")));
        }
        text.push_str(&parameters(&action.params_schema));
        for example in &action.examples {
            text.push_str(&format!("  example:\n    {}\n", yaml::document(example).trim_end().replace('\n', "\n    ")));
        }
    }
    text
}

/// The parameters that a schema names, one a line.
fn parameters(schema: &serde_json::Value) -> String {
    let Some(properties) = schema.get("properties").and_then(serde_json::Value::as_object) else {
        return String::new();
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(serde_json::Value::as_array)
        .map(|names| names.iter().filter_map(serde_json::Value::as_str).collect())
        .unwrap_or_default();
    let width = properties.keys().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    for (name, schema) in properties {
        let description = schema.get("description").and_then(serde_json::Value::as_str).unwrap_or_default();
        let mark = if required.contains(&name.as_str()) { " (required)" } else { "" };
        text.push_str(format!("  {name:width$}  {}{mark}", description.replace('\n', " ")).trim_end());
        text.push('\n');
    }
    text
}

/// What a component's file says of itself.
pub(crate) fn manifest(manifest: &Manifest, size_bytes: u64, digest: &str, paint: Paint) -> String {
    facts(
        &[
            ("plugin", Some(manifest.name.to_string())),
            ("version", Some(manifest.version.clone())),
            ("description", Some(manifest.description.clone()).filter(|text| !text.is_empty())),
            ("asks for", Some(grants(&manifest.capabilities))),
            ("size", Some(bytes(size_bytes))),
            ("digest", Some(digest.to_owned())),
        ],
        paint,
    )
}
