//! What a run of a job would do.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::Plan;
use sandglass_core::event::{Command, Refusal, Reply};
use sandglass_core::invocation::Invocation;
use sandglass_core::run::{AttemptError, ErrorClass};
use sandglass_host::NoPlan;

use super::App;
use super::error::Failure;
use super::jobs::{given, parse_name, parse_namespace};
use super::path::Path;
use crate::admission;

pub(super) async fn plan(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Plan>, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse_name(&name)?);
    let params = given(&app, &namespace, &name, &body?)?;
    let invocation = match app.inbox.ask(Command::PlanJob { namespace, name, params }).await? {
        Reply::Planned(invocation) => invocation,
        Reply::Refused(refusal) => return Err(refusal.into()),
        other => return Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    };
    make_ready(&app, &invocation).await?;
    app.host.plan(*invocation).await.map(Json).map_err(|why| problem(why).into())
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

/// Why there is no plan, as the API tells it.
fn problem(why: NoPlan) -> Problem {
    let message = why.to_string();
    match why {
        NoPlan::NotReady(_) => Problem::new(Code::Internal, message),
        NoPlan::Busy => Problem::new(Code::Unavailable, message),
        NoPlan::Stopping => Problem::new(Code::Stopping, message),
        NoPlan::Failed(AttemptError { class: ErrorClass::Denied, .. }) => Problem::new(Code::MissingGrant, message),
        NoPlan::Failed(AttemptError { code, .. }) if code == "not-found" => Problem::new(Code::PlanNotFound, message),
        NoPlan::Failed(AttemptError { code, .. }) if code == "invalid-argument" => {
            Problem::new(Code::InvalidParams, message)
        }
        NoPlan::Failed(AttemptError { code, .. }) => Problem::new(Code::PlanFailed, format!("{message} ({code})")),
    }
}
