//! The JSON Schema of a job.

use sandglass_core::spec::JobSpec;

/// The JSON Schema (draft 2020-12) of a job in canonical form, made from the type itself.
#[must_use]
pub fn job() -> serde_json::Value {
    let mut schema = schemars::schema_for!(JobSpec);
    schema.insert("title".to_owned(), "Sandglass job".into());
    schema.to_value()
}
