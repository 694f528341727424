//! Pausing, resuming, disabling and enabling jobs.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json, Router};
use sandglass_api::problem::Code;
use sandglass_api::wire::{HoldRequest, HoldResult, Job};
use sandglass_core::event::{Command, HoldChange, HoldScope, Reply};
use sandglass_core::hold::HoldKind;
use sandglass_core::id::Namespace;

use super::error::Failure;
use super::jobs::{parse_name, parse_namespace, present};
use super::path::Path;
use super::{App, Caller};

/// The most bytes of a reason.
const MAX_REASON: usize = 1000;

/// The verbs, with the hold that each begins (or ends).
const VERBS: [(&str, HoldKind, bool); 4] = [
    ("pause", HoldKind::Paused, true),
    ("resume", HoldKind::Paused, false),
    ("disable", HoldKind::Disabled, true),
    ("enable", HoldKind::Disabled, false),
];

/// The routes below a namespace.
pub(super) fn routes() -> Router<Arc<App>> {
    VERBS.into_iter().fold(Router::new(), |routes, (verb, kind, begins)| {
        let asked = Asked { kind, begins };
        routes.route(&format!("/jobs/{{name}}/{verb}"), of_job(asked)).route(&format!("/{verb}"), of_many(asked))
    })
}

/// What a route does.
#[derive(Clone, Copy)]
struct Asked {
    kind: HoldKind,
    begins: bool,
}

type Body = Result<Bytes, BytesRejection>;

fn of_job(asked: Asked) -> MethodRouter<Arc<App>> {
    post(
        move |State(app): State<Arc<App>>,
              Extension(caller): Extension<Caller>,
              Path((namespace, name)): Path<(String, String)>,
              body: Body| async move {
            let (namespace, name) = (parse_namespace(&namespace)?, parse_name(&name)?);
            let request = asked.read(body)?;
            if request.tag.is_some() || request.all {
                return Err(Failure::new(
                    Code::BadRequest,
                    "'tag' and 'all' are for a whole namespace, not for one job",
                ));
            }
            asked.ask(&app, &caller, namespace.clone(), HoldScope::Job(name.clone()), request.reason).await?;
            // It is durable by now, and this reads what is.
            present(&app, namespace, name).map(Json::<Job>)
        },
    )
}

fn of_many(asked: Asked) -> MethodRouter<Arc<App>> {
    post(
        move |State(app): State<Arc<App>>,
              Extension(caller): Extension<Caller>,
              Path(namespace): Path<String>,
              body: Body| async move {
            let namespace = parse_namespace(&namespace)?;
            let HoldRequest { reason, tag, all } = asked.read(body)?;
            let scope = match (tag, all) {
                (None, false) => HoldScope::Namespace,
                (None, true) => HoldScope::EveryJob,
                (Some(tag), false) => HoldScope::Tag(tag),
                (Some(_), true) => {
                    return Err(Failure::new(Code::BadRequest, "'tag' and 'all' exclude each other: send one of them"));
                }
            };
            asked.ask(&app, &caller, namespace, scope, reason).await.map(Json)
        },
    )
}

impl Asked {
    fn read(self, body: Body) -> Result<HoldRequest, Failure> {
        let body = body?;
        if body.is_empty() {
            return Ok(HoldRequest::default());
        }
        let bad = |detail: String| Failure::new(Code::BadRequest, detail);
        let request: HoldRequest = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
        match &request.reason {
            Some(_) if !self.begins => Err(bad("a reason is kept only while jobs are held back: leave it out".into())),
            Some(reason) if reason.len() > MAX_REASON => {
                Err(bad(format!("the reason has {} bytes: {MAX_REASON} are allowed", reason.len())))
            }
            _ => Ok(request),
        }
    }

    async fn ask(
        self,
        app: &App,
        caller: &Caller,
        namespace: Namespace,
        scope: HoldScope,
        reason: Option<String>,
    ) -> Result<HoldResult, Failure> {
        let change = match self.begins {
            true => HoldChange::Begin { by: caller.name().await, reason },
            false => HoldChange::End,
        };
        match app.inbox.ask(Command::Hold { namespace, scope, kind: self.kind, change }).await? {
            Reply::Held { jobs, changed, namespace } => Ok(HoldResult { jobs, changed, namespace }),
            Reply::Refused(refusal) => Err(refusal.into()),
            other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
        }
    }
}
