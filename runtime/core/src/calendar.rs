//! A named calendar as it is kept.

use std::sync::Arc;

use crate::id::Namespace;
use crate::spec::CalendarSpec;
use crate::time::Timestamp;

/// A saved calendar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    /// Who owns it.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// What it is.
    pub spec: Arc<CalendarSpec>,
    /// When this revision was saved.
    pub updated_at: Timestamp,
}
