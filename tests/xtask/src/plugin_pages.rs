//! The tables of parameters in the pages of the built-in plugins, made from the plugins' own schemas.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::Result;
use crate::tidy::Finding;

/// Where the pages are, from the workspace's folder.
const PAGES: &str = "docs/plugins";
/// Before a table: the marker and, up to [`CLOSE`], the file of the schema.
const BEGIN: &str = "<!-- parameters: ";
const CLOSE: &str = " -->\n";
/// After a table.
const END: &str = "<!-- end of parameters -->";
/// How deep objects within objects are told.
const DEPTH: usize = 3;

/// Writes the tables of all pages anew.
pub(crate) fn perform(root: &Path) -> Result {
    for page in pages(root)? {
        let text = fs::read_to_string(&page)?;
        let fresh = with_tables(root, &text)?;
        if fresh != text {
            fs::write(&page, fresh)?;
            eprintln!("plugin-pages: {} is new", page.display());
        }
    }
    Ok(())
}

/// The pages whose tables are not those of the schemas.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for page in pages(root)? {
        let text = fs::read_to_string(&page)?;
        if with_tables(root, &text)? != text {
            let place = page.strip_prefix(root).unwrap_or(&page).display().to_string();
            let problem = "its parameters are not those of the plugin: run `cargo xtask plugin-pages`".to_owned();
            findings.push(Finding { place, problem });
        }
    }
    Ok(findings)
}

fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    let mut pages: Vec<PathBuf> =
        fs::read_dir(root.join(PAGES))?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    Ok(pages)
}

/// The page with every table between its markers.
fn with_tables(root: &Path, page: &str) -> Result<String> {
    let mut fresh = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (file, after) = after.split_once(CLOSE).ok_or("a marker of parameters does not end")?;
        let (_, after) = after.split_once(END).ok_or_else(|| format!("the parameters of {file} do not end"))?;
        let schema = fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
        let schema: Value = serde_json::from_str(&schema)?;
        write!(fresh, "{before}{BEGIN}{file}{CLOSE}{}{END}", table(&schema))?;
        rest = after;
    }
    Ok(fresh + rest)
}

fn table(schema: &Value) -> String {
    let mut rows = String::from("| parameter | | |\n|---|---|---|\n");
    rows_of(schema, schema, "", 0, &mut rows);
    rows
}

/// A row for each property of an object, those that must be given first, and those of the objects in it.
fn rows_of(root: &Value, object: &Value, prefix: &str, depth: usize, rows: &mut String) {
    let Some(properties) = object["properties"].as_object() else { return };
    let is_required =
        |name: &str| object["required"].as_array().is_some_and(|required| required.iter().any(|other| other == name));
    let (first, others): (Vec<_>, Vec<_>) = properties.iter().partition(|(name, _)| is_required(name));
    for (name, property) in first.into_iter().chain(others) {
        let meant = resolved(root, property);
        let required = if is_required(name) { ", required" } else { "" };
        let text = property["description"].as_str().or_else(|| meant["description"].as_str()).unwrap_or_default();
        let text = text.replace('\n', " ").replace('|', "\\|");
        rows.push_str(&format!("| `{prefix}{name}` | {}{required} | {text} |\n", kind(root, property)));
        if depth < DEPTH {
            let items = resolved(root, &meant["items"]);
            rows_of(root, meant, &format!("{prefix}{name}."), depth + 1, rows);
            rows_of(root, items, &format!("{prefix}{name}[]."), depth + 1, rows);
        }
    }
}

/// What a schema stands for: that which it refers to, without the `null` that says that it may be left out.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(path) = schema["$ref"].as_str() {
        return path.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).unwrap_or(schema);
    }
    let options = schema["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut given = options.iter().filter(|option| option["type"] != "null");
    match (given.next(), given.next()) {
        (Some(only), None) => resolved(root, only),
        _ => schema,
    }
}

/// What kind of value it is, in a word or two.
fn kind(root: &Value, schema: &Value) -> String {
    let schema = resolved(root, schema);
    if let Some(constants) = constants(schema) {
        return constants;
    }
    let options = ["anyOf", "oneOf"].into_iter().find_map(|key| schema[key].as_array());
    if let Some(options) = options {
        let mut kinds: Vec<String> =
            options.iter().filter(|option| option["type"] != "null").map(|option| kind(root, option)).collect();
        kinds.dedup();
        return kinds.join(" or ");
    }
    let name = match &schema["type"] {
        Value::String(name) => name.as_str(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("any"),
        _ => "any",
    };
    match name {
        "array" => match kind(root, &schema["items"]) {
            several if several.contains(" or ") => format!("list of ({several})"),
            one => format!("list of {one}"),
        },
        "object" => match schema["additionalProperties"].as_object().map(Map::is_empty) {
            Some(false) => format!("map of {}", kind(root, &schema["additionalProperties"])),
            _ => "map".to_owned(),
        },
        "integer" => "number".to_owned(),
        "string" => "text".to_owned(),
        other => other.to_owned(),
    }
}

/// The values of a schema that is one of a few texts.
fn constants(schema: &Value) -> Option<String> {
    let shown = |value: &Value| value.as_str().map(|text| format!("`{text}`"));
    let of_enum = schema["enum"].as_array().map(|values| values.iter().map(shown).collect());
    let of_options = || {
        let options = schema["oneOf"].as_array()?;
        options.iter().map(|option| shown(&option["const"])).collect::<Option<Vec<_>>>()
    };
    let names: Vec<String> = of_enum.unwrap_or_else(of_options)?;
    Some(names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_becomes_a_table() {
        let schema = serde_json::json!({
            "$defs": {
                "Kind": { "oneOf": [{ "const": "one" }, { "const": "two" }] },
                "Part": { "type": "object", "properties": { "size": { "type": ["integer", "null"] } } }
            },
            "properties": {
                "kind": { "$ref": "#/$defs/Kind", "description": "Which | of\nthem." },
                "parts": { "type": "array", "items": { "$ref": "#/$defs/Part" } },
                "url": { "type": "string" },
                "words": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] }
            },
            "required": ["url"]
        });
        let expected = "| parameter | | |\n|---|---|---|\n| `url` | text, required |  |\n\
                        | `kind` | `one`, `two` | Which \\| of them. |\n| `parts` | list of map |  |\n\
                        | `parts[].size` | number |  |\n| `words` | text or list of text |  |\n";
        assert_eq!(table(&schema), expected);
    }
}
