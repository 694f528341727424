//! Reads on a snapshot, except the search for runs.

use std::sync::Arc;

use redb::{ReadOnlyTable, ReadTransaction};
use sandglass_core::calendar::Calendar;
use sandglass_core::hold::{HoldSubject, Holds, Standing};
use sandglass_core::id::{
    CalendarName, Digest, JobId, JobName, Namespace, PluginName, RunId, SecretName, TargetGroupName, TargetName,
    TemplateName,
};
use sandglass_core::job::Job;
use sandglass_core::job_template::JobTemplate;
use sandglass_core::notice::NamespaceNotify;
use sandglass_core::plugin::Plugin;
use sandglass_core::run::Run;
use sandglass_core::secret::Secret;
use sandglass_core::target::{Target, TargetGroup};
use sandglass_core::time::Timestamp;

use super::disk::from_redb;
use super::fleet;
use super::rows::{self, StateRow};
use super::run_row;
use super::secret_row;
use super::tables::{
    META_COUNTS, META_FENCE, META_NOTIFICATIONS, Table, job_key, job_of_key, piece_key, run_key, run_of_key,
};
use super::writing::decode_counts;
use crate::error::StoreError;
use crate::query::{JobPosition, MAX_PAGE, Page};
use crate::records::{Snapshot, StateEntry, Stats, StoredJob};

/// The tables of a snapshot.
pub(super) struct Reading<'t> {
    txn: &'t ReadTransaction,
}

pub(super) type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

impl<'t> Reading<'t> {
    pub(super) fn new(txn: &'t ReadTransaction) -> Self {
        Self { txn }
    }

    pub(super) fn rows(&self, table: Table) -> Result<Rows, StoreError> {
        self.txn.open_table(table.definition()).map_err(failed)
    }

    pub(super) fn get<R>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<R, StoreError>,
    ) -> Result<Option<R>, StoreError> {
        let value = self.rows(table)?.get(key).map_err(failed)?;
        value.map(|value| read(value.value())).transpose()
    }

    /// Goes through a table from `first` on, until `step` says that it is enough.
    pub(super) fn scan(
        &self,
        table: Table,
        first: &[u8],
        mut step: impl FnMut(&[u8], &[u8]) -> Result<Step, StoreError>,
    ) -> Result<(), StoreError> {
        for entry in self.rows(table)?.range::<&[u8]>(first..).map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            if step(key.value(), value.value())? == Step::Stop {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn fence(&self) -> Result<u64, StoreError> {
        Ok(self.get(Table::Meta, META_FENCE, decode_fence)?.unwrap_or(0))
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot {
            calendars: self.calendars(None)?,
            templates: self.templates(None)?,
            targets: self.targets(None)?,
            groups: self.target_groups(None)?,
            plugins: self.plugins()?,
            ..Snapshot::default()
        };
        self.scan(Table::Jobs, &[], |key, row| {
            snapshot.jobs.push(self.stored_job(job_of_key(key)?, row)?);
            Ok(Step::Go)
        })?;
        self.scan(Table::Holds, &[], |key, row| {
            snapshot.holds.push((rows::holds_subject(key)?, rows::decode_holds(row)?));
            Ok(Step::Go)
        })?;
        self.scan(Table::Notify, &[], |key, row| {
            snapshot.notify.push(Arc::new(rows::decode_notify(key, row)?));
            Ok(Step::Go)
        })?;
        self.scan(Table::Active, &[], |key, row| {
            snapshot.active.push(Arc::new(run_row::decode(run_of_key(key)?, row)?));
            Ok(Step::Go)
        })?;
        Ok(snapshot)
    }

    pub(super) fn run(&self, id: RunId) -> Result<Option<Arc<Run>>, StoreError> {
        for table in [Table::Ended, Table::Active] {
            if let Some(run) = self.get(table, &run_key(id), |row| run_row::decode(id, row))? {
                return Ok(Some(Arc::new(run)));
            }
        }
        Ok(None)
    }

    pub(super) fn job(&self, id: JobId) -> Result<Option<StoredJob>, StoreError> {
        self.get(Table::Jobs, &job_key(id), |row| self.stored_job(id, row))
    }

    pub(super) fn job_named(&self, namespace: &Namespace, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
        match self.get(Table::JobNames, &rows::job_name_key(namespace, name), job_of_key)? {
            Some(id) => self.job(id),
            None => Ok(None),
        }
    }

    fn stored_job(&self, id: JobId, row: &[u8]) -> Result<StoredJob, StoreError> {
        let cursor = self.get(Table::Cursors, &job_key(id), rows::decode_cursor)?.unwrap_or_default();
        let job = rows::decode_job(id, row)?;
        let standing = self.standing(&job)?;
        Ok(StoredJob { job: Arc::new(job), cursor, standing })
    }

    fn standing(&self, job: &Job) -> Result<Option<Box<Standing>>, StoreError> {
        use redb::ReadableTableMetadata;
        let table = self.rows(Table::Holds)?;
        // As a rule nothing is held.
        if table.is_empty().map_err(failed)? {
            return Ok(None);
        }
        let of = |subject| -> Result<Holds, StoreError> {
            let row = table.get(rows::holds_key(&subject).as_slice()).map_err(failed)?;
            row.map(|row| rows::decode_holds(row.value())).transpose().map(Option::unwrap_or_default)
        };
        let own = of(HoldSubject::Job(job.id))?;
        let standing = Standing { own, namespace: of(HoldSubject::Namespace(job.namespace.clone()))? };
        Ok((!standing.is_free()).then(|| Box::new(standing)))
    }

    pub(super) fn jobs(
        &self,
        namespace: Option<&Namespace>,
        after: Option<&JobPosition>,
        limit: usize,
    ) -> Result<Page<StoredJob, JobPosition>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let prefix = namespace.map(|namespace| [namespace.as_str().as_bytes(), b"\0"].concat()).unwrap_or_default();
        let after = after.map(|after| rows::job_name_key(&after.namespace, &after.name)).unwrap_or_default();
        let mut ids = Vec::new();
        self.scan(Table::JobNames, (&prefix).max(&after), |key, id| {
            if !key.starts_with(&prefix) || ids.len() > limit {
                return Ok(Step::Stop);
            }
            if key != after {
                ids.push(job_of_key(id)?);
            }
            Ok(Step::Go)
        })?;
        let more = ids.len() > limit;
        ids.truncate(limit);
        let items = ids.into_iter().map(|id| {
            self.job(id)?.ok_or_else(|| StoreError::corrupt(format!("job {id} has a name but is not there")))
        });
        let items = items.collect::<Result<Vec<_>, _>>()?;
        let last = items
            .last()
            .filter(|_| more)
            .map(|last| JobPosition { namespace: last.job.namespace.clone(), name: last.job.spec.name.clone() });
        Ok(Page { items, next: last })
    }

    pub(super) fn calendar(
        &self,
        namespace: &Namespace,
        name: &CalendarName,
    ) -> Result<Option<Arc<Calendar>>, StoreError> {
        let key = rows::calendar_key(namespace, name);
        Ok(self.get(Table::Calendars, &key, rows::decode_calendar)?.map(Arc::new))
    }

    /// What a table has that is kept under namespace and name, of one namespace if it is given.
    fn of_namespace<T>(
        &self,
        table: Table,
        namespace: Option<&Namespace>,
        decode: fn(&[u8]) -> Result<T, StoreError>,
    ) -> Result<Vec<Arc<T>>, StoreError> {
        let prefix = namespace.map(|namespace| [namespace.as_str().as_bytes(), b"\0"].concat()).unwrap_or_default();
        let mut found = Vec::new();
        self.scan(table, &prefix, |key, row| {
            if !key.starts_with(&prefix) {
                return Ok(Step::Stop);
            }
            found.push(Arc::new(decode(row)?));
            Ok(Step::Go)
        })?;
        Ok(found)
    }

    /// All calendars, of one namespace if it is given.
    pub(super) fn calendars(&self, namespace: Option<&Namespace>) -> Result<Vec<Arc<Calendar>>, StoreError> {
        self.of_namespace(Table::Calendars, namespace, rows::decode_calendar)
    }

    pub(super) fn notify(&self, namespace: &Namespace) -> Result<Option<Arc<NamespaceNotify>>, StoreError> {
        let key = namespace.as_str().as_bytes();
        Ok(self.get(Table::Notify, key, |row| rows::decode_notify(key, row))?.map(Arc::new))
    }

    pub(super) fn template(
        &self,
        namespace: &Namespace,
        name: &TemplateName,
    ) -> Result<Option<Arc<JobTemplate>>, StoreError> {
        let key = rows::template_key(namespace, name);
        Ok(self.get(Table::Templates, &key, rows::decode_template)?.map(Arc::new))
    }

    /// All templates, of one namespace if it is given.
    pub(super) fn templates(&self, namespace: Option<&Namespace>) -> Result<Vec<Arc<JobTemplate>>, StoreError> {
        self.of_namespace(Table::Templates, namespace, rows::decode_template)
    }

    pub(super) fn secret(&self, namespace: &Namespace, name: &SecretName) -> Result<Option<Arc<Secret>>, StoreError> {
        Ok(self.get(Table::Secrets, &secret_row::key(namespace, name), secret_row::decode)?.map(Arc::new))
    }

    /// All secrets, of one namespace if it is given.
    pub(super) fn secrets(&self, namespace: Option<&Namespace>) -> Result<Vec<Arc<Secret>>, StoreError> {
        self.of_namespace(Table::Secrets, namespace, secret_row::decode)
    }

    pub(super) fn target(&self, namespace: &Namespace, name: &TargetName) -> Result<Option<Arc<Target>>, StoreError> {
        Ok(self.get(Table::Targets, &fleet::target_key(namespace, name), fleet::decode_target)?.map(Arc::new))
    }

    /// All targets, of one namespace if it is given.
    pub(super) fn targets(&self, namespace: Option<&Namespace>) -> Result<Vec<Arc<Target>>, StoreError> {
        self.of_namespace(Table::Targets, namespace, fleet::decode_target)
    }

    pub(super) fn target_group(
        &self,
        namespace: &Namespace,
        name: &TargetGroupName,
    ) -> Result<Option<Arc<TargetGroup>>, StoreError> {
        Ok(self.get(Table::TargetGroups, &fleet::group_key(namespace, name), fleet::decode_group)?.map(Arc::new))
    }

    /// All groups of targets, of one namespace if it is given.
    pub(super) fn target_groups(&self, namespace: Option<&Namespace>) -> Result<Vec<Arc<TargetGroup>>, StoreError> {
        self.of_namespace(Table::TargetGroups, namespace, fleet::decode_group)
    }

    pub(super) fn plugin(&self, name: &PluginName) -> Result<Option<Arc<Plugin>>, StoreError> {
        Ok(self.get(Table::Plugins, name.as_str().as_bytes(), rows::decode_plugin)?.map(Arc::new))
    }

    pub(super) fn plugins(&self) -> Result<Vec<Arc<Plugin>>, StoreError> {
        let mut plugins = Vec::new();
        self.scan(Table::Plugins, &[], |_, row| {
            plugins.push(Arc::new(rows::decode_plugin(row)?));
            Ok(Step::Go)
        })?;
        Ok(plugins)
    }

    pub(super) fn component(&self, digest: &Digest) -> Result<Option<Arc<[u8]>>, StoreError> {
        let mut bytes = Vec::new();
        let mut found = false;
        self.scan(Table::Components, &piece_key(digest, 0), |key, piece| {
            if !key.starts_with(digest.as_bytes()) {
                return Ok(Step::Stop);
            }
            found = true;
            bytes.extend_from_slice(piece);
            Ok(Step::Go)
        })?;
        Ok(found.then(|| bytes.into()))
    }

    pub(super) fn state_entry(&self, job: JobId, key: &str, now: Timestamp) -> Result<Option<StateEntry>, StoreError> {
        let row = self.get(Table::State, &rows::state_key(job, key), StateRow::decode)?;
        Ok(row.and_then(|row| row.live(now)))
    }

    pub(super) fn state_keys(
        &self,
        job: JobId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<String, String>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let prefix = rows::state_key(job, prefix);
        let after = after.map(|after| rows::state_key(job, after)).unwrap_or_default();
        let mut page = Page { items: Vec::new(), next: None };
        self.scan(Table::State, (&prefix).max(&after), |key, row| {
            if !key.starts_with(&prefix) {
                return Ok(Step::Stop);
            }
            if key == after || !StateRow::decode(row)?.is_live(now) {
                return Ok(Step::Go);
            }
            if page.items.len() == limit {
                page.next = page.items.last().cloned();
                return Ok(Step::Stop);
            }
            let key = key.get(16..).and_then(|key| std::str::from_utf8(key).ok());
            page.items.push(key.ok_or_else(|| StoreError::corrupt("a state key is not UTF-8"))?.to_owned());
            Ok(Step::Go)
        })?;
        Ok(page)
    }

    /// All counts; the size is left at 0.
    pub(super) fn counts(&self) -> Result<Stats, StoreError> {
        use redb::ReadableTableMetadata;
        let runs = |key| Ok(self.get(Table::Meta, key, decode_counts)?.unwrap_or_default());
        let length = |table| self.rows(table)?.len().map_err(failed);
        Ok(Stats {
            runs: runs(META_COUNTS)?,
            notifications: runs(META_NOTIFICATIONS)?,
            jobs: length(Table::Jobs)?,
            plugins: length(Table::Plugins)?,
            size_bytes: 0,
        })
    }
}

#[derive(PartialEq, Eq)]
pub(super) enum Step {
    Go,
    Stop,
}

pub(super) fn failed(error: impl Into<redb::Error>) -> StoreError {
    from_redb("read the store", error)
}

pub(super) fn decode_fence(bytes: &[u8]) -> Result<u64, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::corrupt("the fencing token has a strange length"))?;
    Ok(u64::from_le_bytes(bytes))
}
