//! Lists of patterns, as all grants that have some are read and written.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::Value;

/// The patterns that `items` are texts of; `what` is what an item that is no text is not, such as `program pattern`.
pub(super) fn read<P: FromStr<Err: Display>>(items: &[Value], what: &str) -> Result<Vec<P>, String> {
    let pattern = |item: &Value| {
        let text = item.as_str().ok_or_else(|| format!("{item} is no {what}: write a text"))?;
        text.parse().map_err(|error: P::Err| error.to_string())
    };
    items.iter().map(pattern).collect()
}

/// The same as texts.
pub(super) fn write<P: Display>(patterns: &[P]) -> Value {
    patterns.iter().map(ToString::to_string).collect::<Vec<_>>().into()
}
