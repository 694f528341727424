//! Calendars, jobs and the notifiers of a namespace that are saved together.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{Applied, ApplyRequest};
use sandglass_core::event::{Command, Reply};
use sandglass_core::id::Namespace;
use sandglass_core::spec::JobSpec;

use super::error::Failure;
use super::jobs::{self, parse_namespace};
use super::path::Path;
use super::schedule::calendars_named;
use super::{App, calendars, notify};
use crate::admission;

pub(super) async fn apply(
    State(app): State<Arc<App>>,
    Path(namespace): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Applied>, Failure> {
    let namespace = parse_namespace(&namespace)?;
    let request: ApplyRequest = serde_json::from_slice(&body?).map_err(|error| {
        let hint = "send JSON: lists of 'calendars', of 'jobs' in canonical form, and of notifiers under 'notify'";
        Failure(Problem::new(Code::InvalidJob, error.to_string()).with_hint(hint))
    })?;
    save(&app, namespace, request).await.map(Json)
}

/// Checks what is asked for and saves all of it, or nothing.
pub(crate) async fn save(app: &App, namespace: Namespace, request: ApplyRequest) -> Result<Applied, Failure> {
    for (index, spec) in request.jobs.iter().enumerate() {
        let checked = admission::check_job(spec, app.store.as_ref(), &app.host, &app.options.ceiling).await;
        checked.map_err(|problem| of_job(problem, index, spec))?;
    }
    if let Some(notify) = &request.notify {
        admission::check_notify(notify, app.store.as_ref(), &app.host, &app.options.ceiling).await?;
    }
    let mut known = calendars_named(app, &namespace, request.jobs.iter().flat_map(JobSpec::calendars))?;
    request.calendars.iter().for_each(|calendar| known.insert(calendar));
    let warnings: Vec<_> = request.jobs.iter().map(|spec| jobs::warnings(app, &namespace, spec, &known)).collect();
    let command = Command::Apply {
        namespace,
        calendars: request.calendars.into_iter().map(Arc::new).collect(),
        jobs: request.jobs.into_iter().map(Arc::new).collect(),
        notify: request.notify.map(Arc::new),
    };
    match app.inbox.ask(command).await? {
        Reply::Applied { calendars, jobs, notify } => {
            let mut known = Some(known);
            Ok(Applied {
                calendars: calendars.iter().map(calendars::result).collect(),
                jobs: jobs
                    .iter()
                    .zip(warnings)
                    .map(|(saved, warnings)| jobs::result(app, saved, warnings, &mut known))
                    .collect::<Result<_, _>>()?,
                notify: notify.as_ref().map(notify::result),
            })
        }
        Reply::Refused(refusal) => Err(jobs::refused(refusal)),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

/// A problem of one job among several: says which, and where in the request.
fn of_job(mut problem: Problem, index: usize, spec: &JobSpec) -> Failure {
    problem.detail = format!("job '{}': {problem}", spec.name);
    for fault in &mut problem.errors {
        fault.pointer = format!("/jobs/{index}{}", fault.pointer);
    }
    problem.into()
}
