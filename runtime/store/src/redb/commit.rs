//! Applying batches: compare, write, and take a batch back as a whole if a comparison fails.

use redb::WriteTransaction;
use sandglass_core::batch::{Batch, Write};
use sandglass_core::calendar::Calendar;
use sandglass_core::hold::{HoldSubject, Holds};
use sandglass_core::id::{CalendarName, JobId, Namespace, PluginName, RunId, SecretName, TemplateName};
use sandglass_core::job::{Cursor, Job};
use sandglass_core::job_template::JobTemplate;
use sandglass_core::notice::NamespaceNotify;
use sandglass_core::plugin::Plugin;
use sandglass_core::run::{Origin, Run, StateName};
use sandglass_core::secret::Secret;
use sandglass_core::time::Timestamp;

use super::artifacts;
use super::fleet;
use super::rows;
use super::run_row;
use super::secret_row;
use super::tables::{COMPONENT_PIECE, Table, by_job_key, by_state_key, job_key, piece_key, run_key};
use super::writing::Writing;
use crate::error::{Conflict, ConflictKind, StoreError};

/// Why a write was not made: a comparison failed, or the store did.
pub(super) enum Refused {
    Conflict(ConflictKind),
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ConflictKind> for Refused {
    fn from(kind: ConflictKind) -> Self {
        Self::Conflict(kind)
    }
}

/// Applies `batches` in order, each as a whole or not at all, and says whether anything was written.
pub(super) fn apply_all(
    txn: &WriteTransaction,
    batches: &[Batch],
    now: Timestamp,
) -> Result<(Vec<Result<(), Conflict>>, bool), StoreError> {
    let mut writing = Writing::new(txn)?;
    let mut answers = Vec::with_capacity(batches.len());
    let mut wrote = false;
    for batch in batches {
        let answer = apply(&mut writing, batch, now)?;
        wrote |= answer.is_ok() && !batch.is_empty();
        answers.push(answer);
    }
    writing.finish()?;
    Ok((answers, wrote))
}

fn apply(writing: &mut Writing<'_>, batch: &Batch, now: Timestamp) -> Result<Result<(), Conflict>, StoreError> {
    // A write compares before it writes, so a batch of one has nothing to take back.
    writing.begin_batch(batch.writes.len() > 1);
    for (place, write) in batch.writes.iter().enumerate() {
        match apply_write(writing, write, now) {
            Ok(()) => {}
            Err(Refused::Store(error)) => return Err(error),
            Err(Refused::Conflict(kind)) => {
                writing.take_back()?;
                return Ok(Err(Conflict { write: place, kind }));
            }
        }
    }
    Ok(Ok(()))
}

fn apply_write(writing: &mut Writing<'_>, write: &Write, now: Timestamp) -> Result<(), Refused> {
    match write {
        Write::InsertRun(run) => insert_run(writing, run),
        Write::UpdateRun(run) => update_run(writing, run),
        Write::PutJob(job) => put_job(writing, job),
        Write::DeleteJob { id, revision } => delete_job(writing, *id, *revision),
        Write::PutCursor { job, cursor } => put_cursor(writing, *job, cursor),
        Write::PutHolds { subject, holds } => put_holds(writing, subject, holds),
        Write::PutCalendar(calendar) => put_calendar(writing, calendar),
        Write::DeleteCalendar { namespace, name, revision } => delete_calendar(writing, namespace, name, *revision),
        Write::PutNotify(notify) => put_notify(writing, notify),
        Write::DeleteNotify { namespace, revision } => delete_notify(writing, namespace, *revision),
        Write::PutTemplate(template) => put_template(writing, template),
        Write::DeleteTemplate { namespace, name, revision } => delete_template(writing, namespace, name, *revision),
        Write::PutSecret(secret) => put_secret(writing, secret),
        Write::DeleteSecret { namespace, name, revision } => delete_secret(writing, namespace, name, *revision),
        Write::PutTarget(target) => fleet::put_target(writing, target),
        Write::DeleteTarget { namespace, name, revision } => fleet::delete_target(writing, namespace, name, *revision),
        Write::PutTargetGroup(group) => fleet::put_group(writing, group),
        Write::DeleteTargetGroup { namespace, name, revision } => {
            fleet::delete_group(writing, namespace, name, *revision)
        }
        Write::PutPlugin { plugin, wasm } => Ok(put_plugin(writing, plugin, wasm)?),
        Write::RemovePlugin { name, digest } => remove_plugin(writing, name, digest),
        Write::PutState { job, key, value, expect, expires_at } => {
            let entry = (value.clone(), *expires_at);
            super::state::put(writing, *job, key, entry, *expect, now).map_err(Refused::from_state)
        }
        Write::PutArtifact { artifact, limits } => artifacts::put(writing, artifact, limits),
        Write::DeleteState { job, key, expect } => {
            super::state::delete(writing, *job, key, *expect, now).map_err(Refused::from_state)
        }
    }
}

impl Refused {
    fn from_state(error: super::state::Refused) -> Self {
        match error {
            Ok(kind) => Self::Conflict(kind),
            Err(error) => Self::Store(error),
        }
    }
}

fn insert_run(writing: &mut Writing<'_>, run: &Run) -> Result<(), Refused> {
    let key = run_key(run.id);
    if writing.has(Table::Active, &key)? || writing.has(Table::Ended, &key)? {
        return Err(ConflictKind::RunExists(run.id).into());
    }
    Ok(put_run(writing, run)?)
}

fn update_run(writing: &mut Writing<'_>, run: &Run) -> Result<(), Refused> {
    let key = run_key(run.id);
    let head = writing.get(Table::Active, &key, |row| run_row::head(row).map(|head| (head.version, head.state)))?;
    let Some((version, state)) = head else {
        let ended = writing.has(Table::Ended, &key)?;
        return Err(if ended { ConflictKind::RunEnded(run.id) } else { version_conflict(run, None) }.into());
    };
    if version.checked_add(1) != Some(run.version) {
        return Err(version_conflict(run, Some(version)).into());
    }
    writing.counts_of(run.origin).subtract(state);
    if run.state.name().is_terminal() {
        writing.remove(Table::Active, &key)?;
    }
    Ok(put_run(writing, run)?)
}

fn version_conflict(run: &Run, found: Option<u32>) -> ConflictKind {
    ConflictKind::RunVersion { run: run.id, expected: run.version.saturating_sub(1), found }
}

fn put_run(writing: &mut Writing<'_>, run: &Run) -> Result<(), StoreError> {
    let key = run_key(run.id);
    let state = run.state.name();
    let row = run_row::encode(run);
    writing.counts_of(run.origin).add(state);
    if !state.is_terminal() {
        return writing.put(Table::Active, &key, &row);
    }
    writing.put(Table::Ended, &key, &row)?;
    writing.put(Table::EndedByJob, &by_job_key(run.job_id, state, run.id), &[])?;
    writing.put(Table::EndedByState, &by_state_key(state, run.id), &[])
}

/// Removes a run that is over; says whether there was one.
pub(super) fn remove_ended(writing: &mut Writing<'_>, id: RunId) -> Result<bool, StoreError> {
    let key = run_key(id);
    let head: Option<(JobId, StateName, Origin)> =
        writing.get(Table::Ended, &key, |row| run_row::head(row).map(|head| (head.job, head.state, head.origin)))?;
    let Some((job, state, origin)) = head else { return Ok(false) };
    writing.counts_of(origin).subtract(state);
    writing.remove(Table::Ended, &key)?;
    writing.remove(Table::EndedByJob, &by_job_key(job, state, id))?;
    writing.remove(Table::EndedByState, &by_state_key(state, id))?;
    Ok(true)
}

fn put_job(writing: &mut Writing<'_>, job: &Job) -> Result<(), Refused> {
    let key = job_key(job.id);
    let before = writing.get(Table::Jobs, &key, |row| rows::decode_job(job.id, row))?;
    let found = before.as_ref().map(|job| job.revision);
    let expected = job.revision.saturating_sub(1);
    if found.unwrap_or(0) != expected || job.revision == 0 {
        return Err(ConflictKind::JobRevision { job: job.id, expected, found }.into());
    }
    let name_key = rows::job_name_key(&job.namespace, &job.spec.name);
    let owner = writing.get(Table::JobNames, &name_key, super::tables::job_of_key)?;
    if let Some(owner) = owner.filter(|owner| *owner != job.id) {
        let (namespace, name) = (job.namespace.clone(), job.spec.name.clone());
        return Err(ConflictKind::JobName { namespace, name, owner }.into());
    }
    if let Some(before) = before {
        let old_key = rows::job_name_key(&before.namespace, &before.spec.name);
        if old_key != name_key {
            writing.remove(Table::JobNames, &old_key)?;
        }
    }
    writing.put(Table::JobNames, &name_key, &key)?;
    writing.put(Table::Jobs, &key, &rows::encode_job(job))?;
    Ok(())
}

fn delete_job(writing: &mut Writing<'_>, id: JobId, revision: u64) -> Result<(), Refused> {
    let key = job_key(id);
    let before = writing.get(Table::Jobs, &key, |row| rows::decode_job(id, row))?;
    let job = match before {
        Some(job) if job.revision == revision => job,
        other => {
            let found = other.map(|job| job.revision);
            return Err(ConflictKind::JobRevision { job: id, expected: revision, found }.into());
        }
    };
    writing.remove(Table::Jobs, &key)?;
    writing.remove(Table::JobNames, &rows::job_name_key(&job.namespace, &job.spec.name))?;
    writing.remove(Table::Cursors, &key)?;
    writing.remove(Table::Holds, &rows::holds_key(&HoldSubject::Job(id)))?;
    super::state::forget_job(writing, id)?;
    Ok(())
}

fn put_cursor(writing: &mut Writing<'_>, job: JobId, cursor: &Cursor) -> Result<(), Refused> {
    let key = job_key(job);
    if !writing.has(Table::Jobs, &key)? {
        return Err(ConflictKind::NoJob(job).into());
    }
    Ok(writing.put(Table::Cursors, &key, &rows::encode_cursor(cursor))?)
}

fn put_holds(writing: &mut Writing<'_>, subject: &HoldSubject, holds: &Holds) -> Result<(), Refused> {
    if let HoldSubject::Job(job) = subject
        && !writing.has(Table::Jobs, &job_key(*job))?
    {
        return Err(ConflictKind::NoJob(*job).into());
    }
    let key = rows::holds_key(subject);
    if holds.is_empty() {
        return Ok(writing.remove(Table::Holds, &key)?);
    }
    Ok(writing.put(Table::Holds, &key, &rows::encode_holds(holds))?)
}

fn put_calendar(writing: &mut Writing<'_>, calendar: &Calendar) -> Result<(), Refused> {
    let (namespace, name) = (&calendar.namespace, &calendar.spec.name);
    expect_calendar(writing, namespace, name, calendar.revision.saturating_sub(1))?;
    Ok(writing.put(Table::Calendars, &rows::calendar_key(namespace, name), &rows::encode_calendar(calendar))?)
}

fn delete_calendar(
    writing: &mut Writing<'_>,
    namespace: &Namespace,
    name: &CalendarName,
    revision: u64,
) -> Result<(), Refused> {
    expect_calendar(writing, namespace, name, revision)?;
    Ok(writing.remove(Table::Calendars, &rows::calendar_key(namespace, name))?)
}

/// Whether the calendar is at the revision `expected`; 0 if it should not be there.
fn expect_calendar(
    writing: &mut Writing<'_>,
    namespace: &Namespace,
    name: &CalendarName,
    expected: u64,
) -> Result<(), Refused> {
    let key = rows::calendar_key(namespace, name);
    let found = writing.get(Table::Calendars, &key, rows::decode_calendar)?.map(|calendar| calendar.revision);
    if found.unwrap_or(0) == expected {
        return Ok(());
    }
    let (namespace, name) = (namespace.clone(), name.clone());
    Err(ConflictKind::CalendarRevision { namespace, name, expected, found }.into())
}

fn put_notify(writing: &mut Writing<'_>, notify: &NamespaceNotify) -> Result<(), Refused> {
    expect_notify(writing, &notify.namespace, notify.revision.saturating_sub(1))?;
    Ok(writing.put(Table::Notify, notify.namespace.as_str().as_bytes(), &rows::encode_notify(notify))?)
}

fn delete_notify(writing: &mut Writing<'_>, namespace: &Namespace, revision: u64) -> Result<(), Refused> {
    expect_notify(writing, namespace, revision)?;
    Ok(writing.remove(Table::Notify, namespace.as_str().as_bytes())?)
}

/// Whether the notifiers of a namespace are at the revision `expected`; 0 if they should not be there.
fn expect_notify(writing: &mut Writing<'_>, namespace: &Namespace, expected: u64) -> Result<(), Refused> {
    let key = namespace.as_str().as_bytes();
    let found = writing.get(Table::Notify, key, |row| rows::decode_notify(key, row))?.map(|notify| notify.revision);
    if found.unwrap_or(0) == expected {
        return Ok(());
    }
    Err(ConflictKind::NotifyRevision { namespace: namespace.clone(), expected, found }.into())
}

fn put_secret(writing: &mut Writing<'_>, secret: &Secret) -> Result<(), Refused> {
    let (namespace, name) = (&secret.namespace, &secret.name);
    expect_secret(writing, namespace, name, secret.revision.saturating_sub(1))?;
    Ok(writing.put(Table::Secrets, &secret_row::key(namespace, name), &secret_row::encode(secret))?)
}

fn delete_secret(
    writing: &mut Writing<'_>,
    namespace: &Namespace,
    name: &SecretName,
    revision: u64,
) -> Result<(), Refused> {
    expect_secret(writing, namespace, name, revision)?;
    Ok(writing.remove(Table::Secrets, &secret_row::key(namespace, name))?)
}

/// Whether the secret is at the revision `expected`; 0 if it should not be there.
fn expect_secret(
    writing: &mut Writing<'_>,
    namespace: &Namespace,
    name: &SecretName,
    expected: u64,
) -> Result<(), Refused> {
    let key = secret_row::key(namespace, name);
    let found = writing.get(Table::Secrets, &key, secret_row::decode)?.map(|secret| secret.revision);
    if found.unwrap_or(0) == expected {
        return Ok(());
    }
    let (namespace, name) = (namespace.clone(), name.clone());
    Err(ConflictKind::SecretRevision { namespace, name, expected, found }.into())
}

fn put_template(writing: &mut Writing<'_>, template: &JobTemplate) -> Result<(), Refused> {
    let (namespace, name) = (&template.namespace, &template.spec.name);
    expect_template(writing, namespace, name, template.revision.saturating_sub(1))?;
    Ok(writing.put(Table::Templates, &rows::template_key(namespace, name), &rows::encode_template(template))?)
}

fn delete_template(
    writing: &mut Writing<'_>,
    namespace: &Namespace,
    name: &TemplateName,
    revision: u64,
) -> Result<(), Refused> {
    expect_template(writing, namespace, name, revision)?;
    Ok(writing.remove(Table::Templates, &rows::template_key(namespace, name))?)
}

/// Whether the template is at the revision `expected`; 0 if it should not be there.
fn expect_template(
    writing: &mut Writing<'_>,
    namespace: &Namespace,
    name: &TemplateName,
    expected: u64,
) -> Result<(), Refused> {
    let key = rows::template_key(namespace, name);
    let found = writing.get(Table::Templates, &key, rows::decode_template)?.map(|template| template.revision);
    if found.unwrap_or(0) == expected {
        return Ok(());
    }
    let (namespace, name) = (namespace.clone(), name.clone());
    Err(ConflictKind::TemplateRevision { namespace, name, expected, found }.into())
}

fn put_plugin(writing: &mut Writing<'_>, plugin: &Plugin, wasm: &[u8]) -> Result<(), StoreError> {
    writing.put(Table::Plugins, plugin.manifest.name.as_str().as_bytes(), &rows::encode_plugin(plugin))?;
    if writing.has(Table::Components, &piece_key(&plugin.digest, 0))? {
        return Ok(());
    }
    // An empty component has one empty piece, so that it is there.
    let pieces = wasm.chunks(COMPONENT_PIECE).chain(wasm.is_empty().then_some(wasm));
    for (number, piece) in (0..).zip(pieces) {
        writing.put(Table::Components, &piece_key(&plugin.digest, number), piece)?;
    }
    Ok(())
}

fn remove_plugin(
    writing: &mut Writing<'_>,
    name: &PluginName,
    digest: &sandglass_core::id::Digest,
) -> Result<(), Refused> {
    let key = name.as_str().as_bytes();
    let found = writing.get(Table::Plugins, key, rows::decode_plugin)?;
    if found.is_none_or(|plugin| plugin.digest != *digest) {
        return Err(ConflictKind::Plugin(name.clone()).into());
    }
    Ok(writing.remove(Table::Plugins, key)?)
}
