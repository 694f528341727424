//! How everything but runs is written.

use std::sync::Arc;

use sandglass_core::calendar::Calendar;
use sandglass_core::dependency::{Arrival, Arrivals};
use sandglass_core::hold::{HoldSubject, Holds};
use sandglass_core::id::{CalendarName, JobId, JobName, Namespace, TemplateName};
use sandglass_core::job::{Backlog, Cursor, Job};
use sandglass_core::job_template::JobTemplate;
use sandglass_core::notice::{Health, NamespaceNotify};
use sandglass_core::plugin::Plugin;
use sandglass_core::spec::Overlay;
use sandglass_core::time::Timestamp;

use super::codec::{Decoder, Encoder};
use super::run_row::{decode_upstream, encode_upstream};
use crate::error::StoreError;
use crate::records::StateEntry;

const JOB_FORMAT: u8 = 2;
const CURSOR_FORMAT: u8 = 4;
const HOLDS_FORMAT: u8 = 1;
const CALENDAR_FORMAT: u8 = 1;
const NOTIFY_FORMAT: u8 = 1;
const TEMPLATE_FORMAT: u8 = 1;
const PLUGIN_FORMAT: u8 = 1;
const STATE_FORMAT: u8 = 2;
const STATE_SIZE_FORMAT: u8 = 1;
/// More fires than a cursor can hold; a row that claims more is damaged.
const MAX_HELD: usize = 100_000;

/// The revision comes first, at a fixed place. The specification is JSON, which outlives changes of the type.
pub(super) fn encode_job(job: &Job) -> Vec<u8> {
    let mut row = Encoder::new(JOB_FORMAT);
    row.raw(&job.revision.to_le_bytes());
    row.text(job.namespace.as_str());
    row.instant(job.created_at);
    row.instant(job.updated_at);
    row.instant(job.scheduled_since);
    row.option(job.overlay.as_ref(), |row, overlay| {
        row.text(&serde_json::to_string(&**overlay).expect("a document has only text keys"));
    });
    row.raw(&serde_json::to_vec(&*job.spec).expect("a specification has only text keys"));
    row.finish()
}

pub(super) fn decode_job(id: JobId, bytes: &[u8]) -> Result<Job, StoreError> {
    let mut row = Decoder::new(bytes, "job", JOB_FORMAT)?;
    let revision = u64::from_le_bytes(row.array()?);
    let namespace = row.parsed()?;
    let (created_at, updated_at, scheduled_since) = (row.instant()?, row.instant()?, row.instant()?);
    let overlay = row.option(|row| decode_overlay(id, row.text()?))?;
    let spec = serde_json::from_slice(row.rest())
        .map_err(|error| StoreError::corrupt(format!("the specification of job {id}: {error}")))?;
    Ok(Job { id, namespace, revision, spec: Arc::new(spec), created_at, updated_at, scheduled_since, overlay })
}

fn decode_overlay(id: JobId, text: &str) -> Result<Arc<Overlay>, StoreError> {
    let wrong = |error: &dyn std::fmt::Display| StoreError::corrupt(format!("what was written of job {id}: {error}"));
    let document = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    Overlay::new(document).map(Arc::new).map_err(|error| wrong(&error))
}

/// Namespace and name with a byte between that is in neither, so that names sort within their namespace.
pub(super) fn job_name_key(namespace: &Namespace, name: &JobName) -> Vec<u8> {
    [namespace.as_str().as_bytes(), b"\0", name.as_str().as_bytes()].concat()
}

pub(super) fn encode_cursor(cursor: &Cursor) -> Vec<u8> {
    let mut row = Encoder::new(CURSOR_FORMAT);
    row.instant(cursor.done_until);
    row.option(cursor.next_fire_at, Encoder::instant);
    row.number(cursor.fired);
    match cursor.backlog.as_deref() {
        None => row.byte(0),
        Some(Backlog::Held(fires)) => {
            row.byte(1);
            row.number(fires.len() as u64);
            fires.iter().for_each(|at| row.instant_from(cursor.done_until, *at));
        }
        Some(Backlog::StoodForUntil(until)) => {
            row.byte(2);
            row.instant_from(cursor.done_until, *until);
        }
    }
    row.option(cursor.health.as_deref(), |row, health| {
        row.byte(u8::from(health.failing));
        row.instant(health.since);
        row.instant(health.told_until);
    });
    let arrivals = cursor.arrivals.as_deref().map(Arrivals::as_slice).unwrap_or_default();
    row.number(arrivals.len() as u64);
    for Arrival { trigger, upstream } in arrivals {
        row.number(u64::from(*trigger));
        encode_upstream(&mut row, cursor.done_until, upstream);
    }
    row.finish()
}

pub(super) fn decode_cursor(bytes: &[u8]) -> Result<Cursor, StoreError> {
    let mut row = Decoder::new(bytes, "cursor", CURSOR_FORMAT)?;
    let (done_until, next_fire_at) = (row.instant()?, row.option(Decoder::instant)?);
    let fired = row.number()?;
    let backlog = match row.byte()? {
        0 => None,
        1 => Some(Backlog::Held(decode_held(&mut row, done_until)?)),
        2 => Some(Backlog::StoodForUntil(row.instant_from(done_until)?)),
        other => return Err(row.wrong(&format!("has the unknown backlog {other}"))),
    };
    let health = row.option(|row| {
        let failing = row.byte()? != 0;
        Ok(Health { failing, since: row.instant()?, told_until: row.instant()? })
    })?;
    let arrivals = decode_arrivals(&mut row, done_until)?;
    row.end()?;
    let arrivals = (!arrivals.is_empty()).then(|| Box::new(Arrivals::new(arrivals)));
    Ok(Cursor {
        done_until,
        next_fire_at,
        fired,
        backlog: backlog.map(Box::new),
        health: health.map(Box::new),
        arrivals,
    })
}

fn decode_arrivals(row: &mut Decoder<'_>, done_until: Timestamp) -> Result<Vec<Arrival>, StoreError> {
    let count: usize = row.small()?;
    if count > MAX_HELD {
        return Err(row.wrong(&format!("claims to have seen {count} runs")));
    }
    (0..count).map(|_| Ok(Arrival { trigger: row.small()?, upstream: decode_upstream(row, done_until)? })).collect()
}

fn decode_held(row: &mut Decoder<'_>, done_until: Timestamp) -> Result<Vec<Timestamp>, StoreError> {
    let count: usize = row.small()?;
    if count > MAX_HELD {
        return Err(row.wrong(&format!("claims to hold {count} fires")));
    }
    (0..count).map(|_| row.instant_from(done_until)).collect()
}

const HELD_JOB: u8 = 0;
const HELD_NAMESPACE: u8 = 1;

/// What kind of thing is held back, then its id or name.
pub(super) fn holds_key(subject: &HoldSubject) -> Vec<u8> {
    match subject {
        HoldSubject::Job(job) => [&[HELD_JOB][..], &job.to_bytes()].concat(),
        HoldSubject::Namespace(namespace) => [&[HELD_NAMESPACE][..], namespace.as_str().as_bytes()].concat(),
    }
}

pub(super) fn holds_subject(key: &[u8]) -> Result<HoldSubject, StoreError> {
    let subject = match key {
        [HELD_JOB, id @ ..] => id.try_into().ok().map(|id| HoldSubject::Job(JobId::from_bytes(id))),
        [HELD_NAMESPACE, name @ ..] => {
            let name = std::str::from_utf8(name).ok();
            name.and_then(|name| name.parse().ok()).map(HoldSubject::Namespace)
        }
        _ => None,
    };
    subject.ok_or_else(|| StoreError::corrupt("holds are kept for something that is neither a job nor a namespace"))
}

/// The holds are JSON: there are few, and reading them years later matters more than their size.
pub(super) fn encode_holds(holds: &Holds) -> Vec<u8> {
    let mut row = Encoder::new(HOLDS_FORMAT);
    row.raw(&serde_json::to_vec(holds).expect("holds have only text keys"));
    row.finish()
}

pub(super) fn decode_holds(bytes: &[u8]) -> Result<Holds, StoreError> {
    let mut row = Decoder::new(bytes, "hold", HOLDS_FORMAT)?;
    serde_json::from_slice(row.rest()).map_err(|error| StoreError::corrupt(format!("the holds of a job: {error}")))
}

/// Namespace and name with a byte between that is in neither, so that names sort within their namespace.
pub(super) fn calendar_key(namespace: &Namespace, name: &CalendarName) -> Vec<u8> {
    [namespace.as_str().as_bytes(), b"\0", name.as_str().as_bytes()].concat()
}

pub(super) fn encode_calendar(calendar: &Calendar) -> Vec<u8> {
    let mut row = Encoder::new(CALENDAR_FORMAT);
    row.number(calendar.revision);
    row.text(calendar.namespace.as_str());
    row.instant(calendar.updated_at);
    row.raw(&serde_json::to_vec(&*calendar.spec).expect("a calendar has only text keys"));
    row.finish()
}

pub(super) fn decode_calendar(bytes: &[u8]) -> Result<Calendar, StoreError> {
    let mut row = Decoder::new(bytes, "calendar", CALENDAR_FORMAT)?;
    let (revision, namespace, updated_at) = (row.number()?, row.parsed()?, row.instant()?);
    let spec = serde_json::from_slice(row.rest())
        .map_err(|error| StoreError::corrupt(format!("a calendar of namespace {namespace}: {error}")))?;
    Ok(Calendar { namespace, revision, spec: Arc::new(spec), updated_at })
}

/// The revision comes first. The notifiers are JSON, which outlives changes of the type.
pub(super) fn encode_notify(notify: &NamespaceNotify) -> Vec<u8> {
    let mut row = Encoder::new(NOTIFY_FORMAT);
    row.number(notify.revision);
    row.instant(notify.updated_at);
    row.raw(&serde_json::to_vec(&*notify.notify).expect("notifiers have only text keys"));
    row.finish()
}

/// The notifiers of the namespace whose name is the key.
pub(super) fn decode_notify(key: &[u8], bytes: &[u8]) -> Result<NamespaceNotify, StoreError> {
    let mut row = Decoder::new(bytes, "notifiers of a namespace", NOTIFY_FORMAT)?;
    let (revision, updated_at) = (row.number()?, row.instant()?);
    let namespace: Option<Namespace> = std::str::from_utf8(key).ok().and_then(|name| name.parse().ok());
    let namespace =
        namespace.ok_or_else(|| StoreError::corrupt("notifiers are kept for something that is no namespace"))?;
    let notify = serde_json::from_slice(row.rest())
        .map_err(|error| StoreError::corrupt(format!("the notifiers of namespace {namespace}: {error}")))?;
    Ok(NamespaceNotify { namespace, revision, notify: Arc::new(notify), updated_at })
}
/// Namespace and name with a byte between that is in neither, so that names sort within their namespace.
pub(super) fn template_key(namespace: &Namespace, name: &TemplateName) -> Vec<u8> {
    [namespace.as_str().as_bytes(), b"\0", name.as_str().as_bytes()].concat()
}

pub(super) fn encode_template(template: &JobTemplate) -> Vec<u8> {
    let mut row = Encoder::new(TEMPLATE_FORMAT);
    row.number(template.revision);
    row.text(template.namespace.as_str());
    row.instant(template.updated_at);
    row.raw(&serde_json::to_vec(&*template.spec).expect("a template has only text keys"));
    row.finish()
}

pub(super) fn decode_template(bytes: &[u8]) -> Result<JobTemplate, StoreError> {
    let mut row = Decoder::new(bytes, "template", TEMPLATE_FORMAT)?;
    let (revision, namespace, updated_at) = (row.number()?, row.parsed()?, row.instant()?);
    let spec = serde_json::from_slice(row.rest())
        .map_err(|error| StoreError::corrupt(format!("a template of namespace {namespace}: {error}")))?;
    Ok(JobTemplate { namespace, revision, spec: Arc::new(spec), updated_at })
}

pub(super) fn encode_plugin(plugin: &Plugin) -> Vec<u8> {
    let mut row = Encoder::new(PLUGIN_FORMAT);
    row.raw(&serde_json::to_vec(plugin).expect("a plugin has only text keys"));
    row.finish()
}

pub(super) fn decode_plugin(bytes: &[u8]) -> Result<Plugin, StoreError> {
    let mut row = Decoder::new(bytes, "plugin", PLUGIN_FORMAT)?;
    serde_json::from_slice(row.rest()).map_err(|error| StoreError::corrupt(format!("a plugin: {error}")))
}

/// An entry of a job's state.
pub(super) struct StateRow {
    pub(super) revision: u64,
    pub(super) value: Vec<u8>,
    pub(super) expires_at: Option<Timestamp>,
}

impl StateRow {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = Encoder::new(STATE_FORMAT);
        row.number(self.revision);
        row.option(self.expires_at, Encoder::instant);
        row.raw(&self.value);
        row.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut row = Decoder::new(bytes, "state entry", STATE_FORMAT)?;
        let revision = row.number()?;
        let expires_at = row.option(Decoder::instant)?;
        Ok(Self { revision, value: row.rest().to_vec(), expires_at })
    }

    /// The entry, if it is there at `now`.
    pub(super) fn live(self, now: Timestamp) -> Option<StateEntry> {
        let Self { revision, value, expires_at } = self;
        expires_at.is_none_or(|at| at > now).then_some(StateEntry { revision, value, expires_at })
    }

    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }
}

/// How much of a job's state there is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct StateSize {
    pub(super) keys: u64,
    /// Of keys and values.
    pub(super) bytes: u64,
    /// The highest revision of an entry that is gone. A new entry begins above it, so that no key has a revision twice.
    pub(super) gone: u64,
}

impl StateSize {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = Encoder::new(STATE_SIZE_FORMAT);
        row.number(self.keys);
        row.number(self.bytes);
        row.number(self.gone);
        row.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut row = Decoder::new(bytes, "size of a job's state", STATE_SIZE_FORMAT)?;
        let size = Self { keys: row.number()?, bytes: row.number()?, gone: row.number()? };
        row.end()?;
        Ok(size)
    }
}

/// The job, then the key.
pub(super) fn state_key(job: JobId, key: &str) -> Vec<u8> {
    [&job.to_bytes()[..], key.as_bytes()].concat()
}

/// The instant, in an order that bytes have too, then the state key.
pub(super) fn expiry_key(at: Timestamp, state_key: &[u8]) -> Vec<u8> {
    let micros = (at.as_micros() as u64) ^ 1 << 63;
    [&micros.to_be_bytes()[..], state_key].concat()
}

/// The state key behind the instant.
pub(super) fn state_key_of_expiry(key: &[u8]) -> Result<&[u8], StoreError> {
    key.get(8..).ok_or_else(|| StoreError::corrupt("an expiry is cut short"))
}
