//! Which jobs are exported, and what their entries call.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono_tz::Tz;
use sandglass_api::client::Endpoint;
use sandglass_api::native::{Caller, Source};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::Job;
use sandglass_core::id::JobName;
use sandglass_core::spec::JobSpec;
use sandglass_core::time::Timestamp;

use super::super::schedule::machine_zone;
use super::super::{files, job};
use crate::context::Context;
use crate::failure::Failure;

/// Which jobs are exported, and what their entries call.
#[derive(clap::Args, Debug)]
pub(super) struct Which {
    /// The jobs' names [default: all jobs of the namespace]
    #[arg(value_name = "JOB")]
    names: Vec<JobName>,
    /// Only jobs with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Jobs of this file or folder, or - for standard input, instead of the daemon's; may be given several times
    #[arg(long = "file", short, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The program that entries call, by its whole path [default: this one]
    #[arg(long, value_name = "PATH")]
    pub(super) program: Option<String>,
}

/// The jobs to export.
pub(super) struct Selected {
    jobs: Vec<Selection>,
    /// The zone of jobs that name none.
    zone: Tz,
}

struct Selection {
    spec: Arc<JobSpec>,
    revision: Option<u64>,
    since: Option<Timestamp>,
    standing: Standing,
}

/// What a daemon does with a job by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It fires it.
    Fires,
    /// It fires it to no effect.
    Paused,
    /// It does not even start it by hand.
    Disabled,
    /// The job is from a file.
    Unknown,
}

impl From<Job> for Selection {
    fn from(job: Job) -> Self {
        let standing = match (job.enabled, &job.paused) {
            (false, _) => Standing::Disabled,
            (true, Some(_)) => Standing::Paused,
            (true, None) => Standing::Fires,
        };
        let spec = Arc::new(JobSpec::clone(&job.spec));
        Self { spec, revision: Some(job.revision), since: job.scheduled_since, standing }
    }
}

impl Which {
    /// The jobs, asked of the daemon or read from files.
    pub(super) async fn select(&self, context: &Context) -> Result<Selected, Failure> {
        let (mut jobs, zone) = if self.files.is_empty() {
            let jobs = match self.names.as_slice() {
                [] => job::all(self.tag.as_deref(), context).await?.items,
                names => {
                    let mut jobs = Vec::with_capacity(names.len());
                    for name in names {
                        jobs.push(context.client.job(name).await?);
                    }
                    jobs
                }
            };
            let zone = context.client.status().await?.timezone.map_or_else(machine_zone, |zone| zone.0);
            (jobs.into_iter().map(Selection::from).collect(), zone)
        } else {
            (self.of_files()?, machine_zone())
        };
        jobs.retain(|job| self.tag.as_ref().is_none_or(|tag| job.spec.tags.contains(tag)));
        Ok(Selected { jobs, zone })
    }

    fn of_files(&self) -> Result<Vec<Selection>, Failure> {
        let mut jobs = files::read(&self.files)?.resolved()?;
        if let Some(absent) = self.names.iter().find(|name| !jobs.iter().any(|job| job.name == **name)) {
            return Err(Problem::new(Code::JobNotFound, format!("there is no job '{absent}' in the files")).into());
        }
        if !self.names.is_empty() {
            jobs.retain(|job| self.names.contains(&job.name));
        }
        let unsaved =
            |spec| Selection { spec: Arc::new(spec), revision: None, since: None, standing: Standing::Unknown };
        Ok(jobs.into_iter().map(unsaved).collect())
    }

    /// What the entries call on this machine.
    pub(super) fn caller(&self, context: &Context) -> Result<Caller, Failure> {
        let program = match &self.program {
            Some(program) if !Path::new(program).is_absolute() => {
                return Err(Failure::usage(format!(
                    "--program wants a whole path, such as /usr/bin/sandglass, not '{program}'"
                )));
            }
            Some(program) => program.clone(),
            None => {
                let path =
                    std::env::current_exe().map_err(|error| Failure::io("cannot tell where this program is", error))?;
                utf8(&path)?
            }
        };
        caller(program, daemon(context)?)
    }
}

/// What entries call.
pub(super) fn caller(program: String, daemon: Vec<String>) -> Result<Caller, Failure> {
    Caller::new(program, daemon).map_err(|error| Failure::usage(error.to_string()))
}

/// Where the daemon is, as flags: schedulers start programs with an environment of their own.
pub(super) fn daemon(context: &Context) -> Result<Vec<String>, Failure> {
    let endpoint = context.client.endpoint();
    if is_local(context) {
        return Ok(vec!["--data-dir".to_owned(), utf8(&context.data_dir)?]);
    }
    if matches!(endpoint, Endpoint::Tcp { .. }) {
        context.note(
            "note: a token stands in no entry, as others could read it there: set SANDGLASS_TOKEN where the scheduler starts \
             programs, in a crontab with a line above ours",
        );
    }
    Ok(vec!["--url".to_owned(), endpoint.to_string()])
}

/// Whether the daemon is the one of the data directory.
pub(super) fn is_local(context: &Context) -> bool {
    *context.client.endpoint() == Endpoint::in_data_dir(&context.data_dir)
}

fn utf8(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::usage(format!("the path {} is not UTF-8, so no entry can name it", path.display())))
}

impl Selected {
    /// The jobs as they are rendered.
    pub(super) fn sources<'a>(&'a self, context: &'a Context) -> impl Iterator<Item = Source<'a>> {
        self.jobs.iter().map(|job| Source {
            namespace: context.client.namespace(),
            spec: &job.spec,
            revision: job.revision,
            since: job.since,
            zone: self.zone,
            now: context.now,
        })
    }

    /// What the daemon does with one of them.
    pub(super) fn standing(&self, name: &JobName) -> Standing {
        self.jobs.iter().find(|job| job.spec.name == *name).map_or(Standing::Unknown, |job| job.standing)
    }
}
