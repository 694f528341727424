//! The types of the HTTP API, exactly as they are in JSON: instants are RFC 3339 in UTC, absent values are left out.
//!
//! The routes. All but the health checks want a bearer token, or come through the owner's socket.
//!
//! | route | answers |
//! |---|---|
//! | `GET /healthz`, `GET /readyz` | 200 or 503 |
//! | `GET /api/v1/status` | [`Status`] |
//! | `GET /api/v1/version` | [`Version`] |
//! | `GET /api/v1/namespaces/{ns}/jobs` `?tag=&resolved=&limit=&cursor=` | [`Page`] of [`Job`] |
//! | `POST /api/v1/namespaces/{ns}/jobs` | 201 [`ApplyResult`]; 409 if the job exists |
//! | `POST /api/v1/namespaces/{ns}/apply` `?dry_run=`, an [`ApplyRequest`] as body | [`Applied`]; all is saved, or nothing |
//! | `GET …/jobs/{name}` `?resolved=` | [`Job`], its revision as `ETag` |
//! | `PUT …/jobs/{name}` `?dry_run=`; `If-Match: "REVISION"`, `If-None-Match: *` | [`ApplyResult`] |
//! | `DELETE …/jobs/{name}` | 204 |
//! | `POST …/jobs/{name}/run` `?force=`, a [`StartRequest`] as body, or none | 202 [`Run`] |
//! | `POST …/jobs/{name}/plan`, a [`StartRequest`] as body, or none | [`Plan`]: what a run would do now; nothing is done |
//! | `POST …/jobs/{name}/pause`, `resume`, `disable`, `enable`; a [`HoldRequest`] as body | [`Job`] |
//! | `POST /api/v1/namespaces/{ns}/pause`, `resume`, `disable`, `enable`; a [`HoldRequest`] as body | [`HoldResult`] |
//! | `POST …/jobs/{name}/backfill` `?dry_run=`, a [`BackfillRequest`] as body | 202 [`Backfill`]; 200 for a dry run |
//! | `GET …/jobs/{name}/next` `?count=&from=` | [`Page`] of [`Fire`] |
//! | `GET …/jobs/{name}/why` `?at=` | [`Why`] |
//! | `GET /api/v1/namespaces/{ns}/calendars` | [`Page`] of [`Calendar`] |
//! | `GET …/calendars/{name}` | [`Calendar`], its revision as `ETag` |
//! | `PUT …/calendars/{name}`; `If-Match: "REVISION"`, `If-None-Match: *` | [`CalendarResult`] |
//! | `DELETE …/calendars/{name}` | 204; 409 if jobs use it |
//! | `GET /api/v1/namespaces/{ns}/notify` | [`NamespaceNotify`], its revision as `ETag`; 404 if there are none |
//! | `PUT …/notify` `?dry_run=`, a [`NotifyRequest`] as body; `If-Match: "REVISION"`, `If-None-Match: *` | [`NotifyResult`] |
//! | `DELETE …/notify`; `If-Match: "REVISION"` | 204 |
//! | `GET /api/v1/namespaces/{ns}/templates` | [`Page`] of [`Template`] |
//! | `GET …/templates/{name}` | [`Template`], its revision as `ETag` |
//! | `PUT …/templates/{name}`; `If-Match: "REVISION"`, `If-None-Match: *` | [`TemplateResult`] |
//! | `DELETE …/templates/{name}` | 204; 409 if jobs extend it |
//! | `GET /api/v1/namespaces/{ns}/targets` `?select=` | [`Page`] of [`Target`]; of those that are selected, if something selects |
//! | `GET …/targets/{name}` | [`Target`], its revision as `ETag` |
//! | `PUT …/targets/{name}`; `If-Match: "REVISION"`, `If-None-Match: *` | [`TargetResult`] |
//! | `DELETE …/targets/{name}`; `If-Match: "REVISION"` | 204; 409 if targets or groups name it |
//! | `GET /api/v1/namespaces/{ns}/groups` | [`Page`] of [`Group`], each with the targets that it selects now |
//! | `GET …/groups/{name}` | [`Group`], its revision as `ETag` |
//! | `PUT …/groups/{name}`; `If-Match: "REVISION"`, `If-None-Match: *` | [`GroupResult`] |
//! | `DELETE …/groups/{name}`; `If-Match: "REVISION"` | 204; 409 if groups name it |
//! | `GET /api/v1/namespaces/{ns}/secrets` | [`Page`] of [`Secret`], which has no value |
//! | `GET …/secrets/{name}` | [`Secret`], its revision as `ETag` |
//! | `PUT …/secrets/{name}`, a [`SecretRequest`] as body; `If-Match: "REVISION"`, `If-None-Match: *` | [`Secret`] |
//! | `POST …/secrets/{name}/rollback`, a [`RollbackRequest`] as body | [`Secret`] |
//! | `DELETE …/secrets/{name}` `?force=` | 204; 409 if something uses it |
//! | `POST /api/v1/secrets/rotate-keys` | [`RotatedKeys`] |
//! | `GET /api/v1/namespaces/{ns}/runs`, see [`RunListQuery`] | [`Page`] of [`Run`] |
//! | `GET …/runs/{id}` `?wait=SECONDS` | [`Run`], once it is over or the time is up |
//! | `GET …/runs/{id}/logs`, see [`LogsQuery`] | [`OutputEvent`]s, a line each; or an event stream; or [`frames`] |
//! | `POST …/runs/{id}/cancel` | 202 [`Run`] |
//! | `POST …/runs/{id}/retry` `?force=&failed=` | 202 [`Run`], another one; 409 if the run is not over |
//! | `POST /api/v1/store/compact` | [`StoreSize`]; starts and other answers wait until it is done |
//! | `POST /api/v1/store/check` | 204 if all is as its checksums say; else 500 and the daemon must be looked after |
//! | `GET /api/v1/plugins` | [`Page`] of [`Plugin`] |
//! | `POST /api/v1/plugins` `?name=&grants=JSON&dry_run=`, the component as body | 201 [`Plugin`]; 200 if it is only looked at |
//! | `GET /api/v1/plugins/{name}` | [`Plugin`] |
//! | `DELETE /api/v1/plugins/{name}` | 204 |
//!
//! Every failure is a [`crate::problem::Problem`].

mod artifact;
mod calendar;
mod fire;
pub mod frames;
mod job;
mod note;
mod notify;
mod output;
mod run;
mod secret;
mod spec_forms;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod waits;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use sandglass_core::spec::TimeZone;
use sandglass_core::time::Timestamp;

pub use artifact::Artifact;
pub use calendar::{Calendar, CalendarResult};
pub use fire::{Backfill, BackfillRequest, Fire, Overlap, Verdict, Why, refusal};
pub use job::{Applied, ApplyRequest, ApplyResult, HoldRequest, HoldResult, Job, JobHold};
pub use note::retry_note;
pub use notify::{NamespaceNotify, NotifyRequest, NotifyResult};
pub use output::{EVENT_END, EVENT_OUTPUT, EVENT_PROGRESS, LogLevel, LogsQuery, MAX_TAIL, OutputEvent, ProgressEvent};
pub use run::{
    Attempt, AttemptError, CapabilityUses, Millis, Run, RunListQuery, StartRequest, Usage, origin_name, outcome_name,
};
pub use sandglass_core::plan::{Plan, Step, StepEffect};
pub use sandglass_core::plugin::Plugin;
pub use secret::{RollbackRequest, RotatedKeys, Secret, SecretRequest, SecretVersion};
pub use spec_forms::SpecForms;
pub use target::{Group, GroupResult, Target, TargetResult};
pub use template::{Template, TemplateResult};
pub use waits::WaitsFor;

/// The most seconds that `GET …/runs/{id}?wait=` waits.
pub const MAX_WAIT_SECONDS: u64 = 60;
/// Items on a page if the request names no limit.
pub const DEFAULT_LIMIT: usize = 100;
/// The most items on a page.
pub const MAX_LIMIT: usize = 1000;

/// A part of a listing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The `cursor` of the next part; none if this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What compacting the store came to: the size of its records on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoreSize {
    /// Before, in bytes.
    pub before_bytes: u64,
    /// After, in bytes.
    pub after_bytes: u64,
}

/// What a daemon says of itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// For how many seconds it has been up.
    pub uptime_seconds: u64,
    /// How many jobs there are, in all namespaces.
    pub jobs: u64,
    /// How many plugins there are.
    pub plugins: u64,
    /// How many runs are in each state, by the state's name; states without runs may be left out, and notifications are.
    pub runs: BTreeMap<String, u64>,
    /// How many notifications are in each state, by the state's name; states without any are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notifications: BTreeMap<String, u64>,
    /// When the next fire of any job is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_fire_at: Option<Timestamp>,
    /// Size of the store on disk, in bytes.
    pub store_bytes: u64,
    /// The folder that the daemon keeps everything in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
    /// The TCP address it listens at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// The time zone of jobs that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<TimeZone>,
    /// The version of the time zone database, such as `2026a`.
    pub tz_database: String,
}

/// Versions, of a daemon or of the command line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Version {
    /// The program's version.
    pub version: String,
    /// The API's.
    pub api: String,
    /// The version of the time zone database, such as `2026a`.
    pub tz_database: String,
}

impl Version {
    /// The versions compiled into this program.
    #[must_use]
    pub fn current() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            api: "v1".to_owned(),
            tz_database: chrono_tz::IANA_TZDB_VERSION.to_owned(),
        }
    }
}
