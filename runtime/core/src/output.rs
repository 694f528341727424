//! What a run prints: stdout and stderr bytes and structured log lines, in one order.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Where a piece of output came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// Standard output of the guest or of a process it started.
    Stdout,
    /// Standard error of the guest or of a process it started.
    Stderr,
    /// A line that the guest logged, as one JSON object with `level`, `message` and its fields.
    Log,
    /// A remark of Sandglass itself, such as the mark where output was left out.
    System,
}

/// A piece of a run's output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputChunk {
    /// The attempt that printed it, from 1.
    pub attempt: u32,
    /// When it arrived.
    pub at: Timestamp,
    /// Where it came from.
    pub stream: OutputStream,
    /// The bytes as they were, not necessarily UTF-8. One log line, or any piece of a byte stream.
    pub bytes: Vec<u8>,
}
