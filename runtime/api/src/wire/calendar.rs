//! Calendars on the wire.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sandglass_core::calendar;
use sandglass_core::id::{CalendarName, Namespace};
use sandglass_core::spec::CalendarSpec;
use sandglass_core::time::Timestamp;

/// A calendar as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Calendar {
    /// Its name.
    pub name: CalendarName,
    /// Who owns it.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// What it is.
    pub spec: Arc<CalendarSpec>,
    /// When this revision was saved.
    pub updated_at: Timestamp,
}

impl From<&calendar::Calendar> for Calendar {
    fn from(calendar: &calendar::Calendar) -> Self {
        Self {
            name: calendar.spec.name.clone(),
            namespace: calendar.namespace.clone(),
            revision: calendar.revision,
            spec: Arc::clone(&calendar.spec),
            updated_at: calendar.updated_at,
        }
    }
}

/// The answer to saving a calendar.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CalendarResult {
    /// The calendar as it is now.
    pub calendar: Calendar,
    /// Whether it is another than before.
    pub changed: bool,
}
