//! JSON values as YAML that reads back to the same.

use serde_json::Value;

/// A whole document.
pub(crate) fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(value, 0, &mut text),
        Value::Array(list) if !list.is_empty() => block(value, 0, &mut text),
        scalar => {
            text.push_str(&inline(scalar));
            text.push('\n');
        }
    }
    text
}

fn block(value: &Value, depth: usize, text: &mut String) {
    let margin = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                text.push_str(&format!("{margin}{}:", plain_or_quoted(key)));
                nested(value, depth + 1, text);
            }
        }
        Value::Array(list) => {
            for value in list {
                let mut item = String::new();
                match value {
                    Value::Object(map) if !map.is_empty() => block(value, depth + 1, &mut item),
                    Value::Array(list) if !list.is_empty() => block(value, depth + 1, &mut item),
                    scalar => item = format!("{margin}  {}\n", inline(scalar)),
                }
                // The first line of the item moves up beside its dash.
                text.push_str(&format!("{margin}- {}", &item[margin.len() + 2..]));
            }
        }
        scalar => text.push_str(&format!("{margin}{}\n", inline(scalar))),
    }
}

fn nested(value: &Value, depth: usize, text: &mut String) {
    let compound = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    };
    if compound {
        text.push('\n');
        block(value, depth, text);
    } else {
        text.push_str(&format!(" {}\n", inline(value)));
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => plain_or_quoted(text),
        other => other.to_string(),
    }
}

/// A text as it is if YAML takes it for that very text, else in double quotes, as in JSON.
fn plain_or_quoted(text: &str) -> String {
    let letters = |char: char| char.is_ascii_alphanumeric() || "_-./@+ ".contains(char);
    // An amount such as 10m or 64MiB is text to YAML, too; numbers are not, and 0x1f is one.
    let amount = text.starts_with(|char: char| char.is_ascii_digit())
        && text.ends_with(|char: char| char.is_ascii_alphabetic())
        && !text.starts_with("0x")
        && !text.starts_with("0o");
    let plain = (amount || text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '/'))
        && text.chars().all(letters)
        && !text.ends_with(' ')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}
