//! How an attempt fails: a stable code, a message, advice on trying again, and detail for machines.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::{Error, ErrorCode};

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// The job's own policy decides.
    #[default]
    ByJobPolicy,
    /// Another attempt would fail the same way.
    Never,
    /// Not before this much time has passed.
    After(Duration),
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Stable and in kebab case, for machines: what kind of failure it is.
    pub code: String,
    /// What failed and why, for people.
    pub message: String,
    /// Whether trying again may help.
    pub retry: Retry,
    /// Anything else that machines may want.
    pub detail: Option<Value>,
}

impl Failure {
    /// A failure on which the job's own policy decides.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retry: Retry::ByJobPolicy, detail: None }
    }

    /// The failure of a run that was asked to stop and did.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new("cancelled", "the run was asked to stop").never_retry()
    }

    /// Says that another attempt would fail the same way.
    #[must_use]
    pub fn never_retry(self) -> Self {
        self.retry(Retry::Never)
    }

    /// Says how long to wait before another attempt.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        self.retry(Retry::After(wait))
    }

    /// Gives the advice on trying again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds detail for machines.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

/// What the host refused becomes the attempt's failure. A denial or a wrong argument stays so, however often it is tried.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let retry = match error.code {
            ErrorCode::Denied
            | ErrorCode::Cancelled
            | ErrorCode::DeadlineExceeded
            | ErrorCode::InvalidArgument
            | ErrorCode::Unsupported => Retry::Never,
            _ => Retry::ByJobPolicy,
        };
        let detail = error.detail.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        Self { code: code_name(error.code).to_owned(), message: error.message, retry, detail }
    }
}

/// The code's name as the interface spells it.
fn code_name(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Denied => "denied",
        ErrorCode::Cancelled => "cancelled",
        ErrorCode::DeadlineExceeded => "deadline-exceeded",
        ErrorCode::InvalidArgument => "invalid-argument",
        ErrorCode::NotFound => "not-found",
        ErrorCode::AlreadyExists => "already-exists",
        ErrorCode::Conflict => "conflict",
        ErrorCode::LimitExceeded => "limit-exceeded",
        ErrorCode::Unavailable => "unavailable",
        ErrorCode::Unsupported => "unsupported",
        ErrorCode::Internal => "internal",
        ErrorCode::Other => "other",
    }
}
