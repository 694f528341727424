//! What one attempt may use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::{ByteSize, Count};

/// What one attempt may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The sum of the guest's linear memories.
    pub memory: ByteSize,
    /// The guest's computation: roughly one unit per WebAssembly instruction.
    pub fuel: Count,
    /// How much output is kept: the first half and the last half of it.
    pub output: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: ByteSize::from_mib(256), fuel: Count::new(100_000_000_000), output: ByteSize::from_mib(8) }
    }
}
