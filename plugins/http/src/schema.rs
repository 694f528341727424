//! Schemas that are written as JSON: read at run time, they take a fraction of the room of what is derived.

use sandglass_plugin::schemars::Schema;
use sandglass_plugin::serde_json::{Value, from_str};

/// The schema that `text` is.
pub(crate) fn of(text: &str) -> Schema {
    let value: Value = from_str(text).expect("the schema is JSON, as a test shows");
    Schema::try_from(value).expect("the schema is an object, as a test shows")
}
