//! What a run of a job would do.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{Plan, StartRequest};
use sandglass_core::event::{Command, Refusal, Reply};
use sandglass_core::invocation::Invocation;
use sandglass_core::run::{AttemptError, ErrorClass};

use super::App;
use super::error::Failure;
use super::jobs::{find, parse_name, parse_namespace, read_start};
use super::path::Path;
use crate::admission;

pub(super) async fn plan(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Plan>, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse_name(&name)?);
    let StartRequest { params } = read_start(&body?)?;
    let declared = find(&app, namespace.clone(), name.clone())?;
    admission::check_given(&declared.job.spec.parameters, &params)?;
    let params = (!params.is_empty()).then(|| Arc::new(params));
    let invocation = match app.inbox.ask(Command::PlanJob { namespace, name, params }).await? {
        Reply::Planned(invocation) => invocation,
        Reply::Refused(refusal) => return Err(refusal.into()),
        other => return Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    };
    make_ready(&app, &invocation).await?;
    app.host.plan(*invocation).await.map(Json).map_err(|error| problem(error).into())
}

async fn make_ready(app: &Arc<App>, invocation: &Invocation) -> Result<(), Failure> {
    let name = &invocation.work.plugin;
    let plugin = app.store.plugin(name)?.ok_or_else(|| Refusal::NoPlugin(name.clone()))?;
    let on_thread = Arc::clone(app);
    let ready =
        tokio::task::spawn_blocking(move || admission::make_ready(&plugin, on_thread.store.as_ref(), &on_thread.host));
    let ready = ready.await.map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    ready.map_err(|error| Failure::new(Code::Internal, error.to_string()))
}

/// Why there is no plan, with what to do.
fn problem(error: AttemptError) -> Problem {
    let AttemptError { class, code, message } = error;
    match class {
        ErrorClass::Denied => Problem::new(Code::MissingGrant, message),
        ErrorClass::Lost => Problem::new(Code::Internal, message),
        _ => Problem::new(Code::PlanFailed, format!("{message} ({code})")),
    }
}
