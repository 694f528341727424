//! Targets and groups of them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{ApplyRequest, Group, GroupResult, Page, Target, TargetResult};
use sandglass_core::event::{Command, Refusal, Reply, SavedTarget, SavedTargetGroup};
use sandglass_core::id::{Namespace, TargetGroupName, TargetName};
use sandglass_core::schedule::{Warning, WarningCode};
use sandglass_core::target::{Fleet, FleetError, FleetPart, GroupSpec, Member, Selector, TargetSpec};
use sandglass_core::time::Clock as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::App;
use super::error::Failure;
use super::jobs::{self, etag, expectation, parse_namespace};
use super::path::Path;
use crate::clock::SystemClock;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/targets", get(list))
        .route("/targets/{name}", get(show).put(put).delete(delete))
        .route("/groups", get(list_groups))
        .route("/groups/{name}", get(show_group).put(put_group).delete(delete_group))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    select: Option<String>,
}

/// All that the namespace has.
fn fleet(app: &App, namespace: &Namespace) -> Result<Fleet, Failure> {
    Ok(Fleet::new(app.store.targets(namespace)?, app.store.target_groups(namespace)?))
}

async fn list(
    State(app): State<Arc<App>>,
    Path(namespace): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<Target>>, Failure> {
    let Query(ListQuery { select }) = query?;
    let fleet = fleet(&app, &parse_namespace(&namespace)?)?;
    let found = match select {
        None => fleet.targets().collect(),
        Some(text) => {
            let refused = |detail: String| Failure::new(Code::InvalidSelector, detail);
            let selector: Selector = text.parse().map_err(|error| {
                let hint = "write a name, a pattern such as web-*, group:NAME, or an expression such as role == web";
                Failure(refused(format!("{error}")).0.with_hint(hint))
            })?;
            fleet.select(&[selector]).map_err(|error| refused(error.to_string()))?
        }
    };
    let items = found.into_iter().map(|target| Target::from(target.as_ref())).collect();
    Ok(Json(Page { items, next: None }))
}

async fn show(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let (namespace, name): (_, TargetName) = (parse_namespace(&namespace)?, parse(&name)?);
    let fleet = fleet(&app, &namespace)?;
    let Some(target) = fleet.target(&name) else {
        return Err(not_there(&fleet, namespace, FleetPart::Target(name)).into());
    };
    let is_in = |group: &TargetGroupName| selected(&fleet, group).contains(&name);
    let groups = fleet.groups().map(|group| group.spec.name.clone()).filter(is_in).collect();
    let shown = Target { groups, ..Target::from(target.as_ref()) };
    Ok((etag(target.revision), Json(shown)).into_response())
}

async fn put(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let (namespace, name): (_, TargetName) = (parse_namespace(&namespace)?, parse(&name)?);
    let spec: TargetSpec = read(&body?, Code::InvalidTarget)?;
    agree(&spec.name, &name, Code::InvalidTarget)?;
    let part = FleetPart::Target(name);
    let command = Command::PutTarget { namespace, spec: Arc::new(spec), expect: expectation(&headers)? };
    match app.inbox.ask(command).await? {
        Reply::Target(saved) => Ok((etag(saved.target.revision), Json(result(&app, &saved)?)).into_response()),
        Reply::Refused(refusal) => Err(refused(refusal, |at| (*at == part).then(String::new))),
        other => Err(unexpected(&other)),
    }
}

async fn delete(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse(&name)?);
    match app.inbox.ask(Command::DeleteTarget { namespace, name, expect: expectation(&headers)? }).await? {
        Reply::TargetDeleted(_) => Ok(StatusCode::NO_CONTENT),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

async fn list_groups(State(app): State<Arc<App>>, Path(namespace): Path<String>) -> Result<Json<Page<Group>>, Failure> {
    let fleet = fleet(&app, &parse_namespace(&namespace)?)?;
    let items = fleet.groups().map(|group| {
        let targets = selected(&fleet, &group.spec.name);
        Group { targets, ..Group::from(group.as_ref()) }
    });
    Ok(Json(Page { items: items.collect(), next: None }))
}

async fn show_group(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let (namespace, name): (_, TargetGroupName) = (parse_namespace(&namespace)?, parse(&name)?);
    let fleet = fleet(&app, &namespace)?;
    let Some(group) = fleet.group(&name) else {
        return Err(not_there(&fleet, namespace, FleetPart::Group(name)).into());
    };
    let shown = Group { targets: selected(&fleet, &name), ..Group::from(group.as_ref()) };
    Ok((etag(group.revision), Json(shown)).into_response())
}

async fn put_group(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let (namespace, name): (_, TargetGroupName) = (parse_namespace(&namespace)?, parse(&name)?);
    let spec: GroupSpec = read(&body?, Code::InvalidGroup)?;
    agree(&spec.name, &name, Code::InvalidGroup)?;
    let part = FleetPart::Group(name);
    let command = Command::PutTargetGroup { namespace, spec: Arc::new(spec), expect: expectation(&headers)? };
    match app.inbox.ask(command).await? {
        Reply::TargetGroup(saved) => Ok((etag(saved.group.revision), Json(group_result(&saved))).into_response()),
        Reply::Refused(refusal) => Err(refused(refusal, |at| (*at == part).then(String::new))),
        other => Err(unexpected(&other)),
    }
}

async fn delete_group(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse(&name)?);
    match app.inbox.ask(Command::DeleteTargetGroup { namespace, name, expect: expectation(&headers)? }).await? {
        Reply::TargetGroupDeleted(_) => Ok(StatusCode::NO_CONTENT),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

/// The targets that a group of the fleet selects now, by name.
fn selected(fleet: &Fleet, group: &TargetGroupName) -> Vec<TargetName> {
    let selector = Selector::Named(Member::Group(group.clone()));
    // What a saved group names is there, or it could not have been saved and nothing of it deleted.
    let found = fleet.select(&[selector]).unwrap_or_default();
    found.into_iter().map(|target| target.spec.name.clone()).collect()
}

fn not_there(fleet: &Fleet, namespace: Namespace, what: FleetPart) -> Refusal {
    let meant = fleet.meant(&what);
    Refusal::NoTarget { namespace, what, meant }
}

/// What saving a target came to.
pub(super) fn result(app: &App, saved: &SavedTarget) -> Result<TargetResult, Failure> {
    let target = Target::from(saved.target.as_ref());
    let warnings = missing_secrets(app, &target.namespace, &target.spec)?;
    Ok(TargetResult { target, changed: saved.changed, warnings })
}

/// What saving a group came to.
pub(super) fn group_result(saved: &SavedTargetGroup) -> GroupResult {
    GroupResult { group: Group::from(saved.group.as_ref()), changed: saved.changed }
}

/// What saving the targets and groups of a request would come to, without saving.
pub(super) fn rehearse(
    app: &App,
    namespace: &Namespace,
    request: &ApplyRequest,
) -> Result<(Vec<TargetResult>, Vec<GroupResult>), Failure> {
    let now = SystemClock.now();
    let target = |spec: &Arc<TargetSpec>| {
        let old = app.store.target(namespace, &spec.name)?;
        let changed = old.as_ref().is_none_or(|old| old.spec != *spec);
        let target = Target {
            name: spec.name.clone(),
            namespace: namespace.clone(),
            revision: old.as_ref().map_or(0, |old| old.revision) + u64::from(changed),
            spec: Arc::clone(spec),
            updated_at: old.filter(|_| !changed).map_or(now, |old| old.updated_at),
            groups: Vec::new(),
        };
        Ok(TargetResult { target, changed, warnings: missing_secrets(app, namespace, spec)? })
    };
    let group = |spec: &Arc<GroupSpec>| {
        let old = app.store.target_group(namespace, &spec.name)?;
        let changed = old.as_ref().is_none_or(|old| old.spec != *spec);
        let group = Group {
            name: spec.name.clone(),
            namespace: namespace.clone(),
            revision: old.as_ref().map_or(0, |old| old.revision) + u64::from(changed),
            spec: Arc::clone(spec),
            updated_at: old.filter(|_| !changed).map_or(now, |old| old.updated_at),
            targets: Vec::new(),
        };
        Ok(GroupResult { group, changed })
    };
    let targets = request.targets.iter().map(target).collect::<Result<_, Failure>>()?;
    Ok((targets, request.groups.iter().map(group).collect::<Result<_, Failure>>()?))
}

/// Warns of secrets that a target needs and that are not there. It is saved all the same, as they may be set later.
fn missing_secrets(app: &App, namespace: &Namespace, spec: &TargetSpec) -> Result<Vec<Warning>, Failure> {
    let mut warnings = Vec::new();
    for (name, pointer) in spec.secrets().zip(["/key", "/key_passphrase"]) {
        if app.store.secret(namespace, name)?.is_none() {
            warnings.push(Warning {
                code: WarningCode::NoSuchSecret,
                pointer: pointer.to_owned(),
                message: format!("there is no secret {name}: nobody can log in without it"),
                hint: format!("set it with `sandglass secret set {name}`"),
            });
        }
    }
    Ok(warnings)
}

/// Why something was not saved. `locate` says where in the request a target or group is that it is about.
fn refused(refusal: Refusal, locate: impl Fn(&FleetPart) -> Option<String>) -> Failure {
    let Refusal::Fleet(error) = &refusal else { return refusal.into() };
    let place = fault(error, locate);
    let problem = Problem::from(refusal);
    let message = problem.detail.clone();
    Failure(match place {
        Some(pointer) => problem.with_fault(pointer, message),
        None => problem,
    })
}

fn fault(error: &FleetError, locate: impl Fn(&FleetPart) -> Option<String>) -> Option<String> {
    error.places().into_iter().find_map(|(part, pointer)| Some(locate(&part)? + &pointer))
}

/// Why what is saved together was not saved.
pub(super) fn refused_together(refusal: Refusal, request: &ApplyRequest) -> Failure {
    if !matches!(refusal, Refusal::Fleet(_)) {
        return jobs::refused(refusal);
    }
    refused(refusal, |part| match part {
        FleetPart::Target(name) => {
            request.targets.iter().position(|spec| spec.name == *name).map(|place| format!("/targets/{place}"))
        }
        FleetPart::Group(name) => {
            request.groups.iter().position(|spec| spec.name == *name).map(|place| format!("/groups/{place}"))
        }
    })
}

fn read<T: DeserializeOwned>(body: &[u8], code: Code) -> Result<T, Failure> {
    let hint = match code {
        Code::InvalidGroup => "send JSON: a name, and members or where",
        _ => "send JSON: a name, an address, an account, a host_key, and a key or an agent",
    };
    serde_json::from_slice(body).map_err(|error| Failure(Problem::new(code, error.to_string()).with_hint(hint)))
}

/// Refuses a body that names something else than its address does.
fn agree<T: PartialEq + std::fmt::Display>(body: &T, address: &T, code: Code) -> Result<(), Failure> {
    if body == address {
        return Ok(());
    }
    let detail = format!("the address says '{address}', the body says '{body}': they must agree");
    Err(Problem::new(code, detail.clone()).with_fault("/name", detail).into())
}

fn unexpected(reply: &Reply) -> Failure {
    Failure::new(Code::Internal, format!("unexpected reply {reply:?}"))
}

fn parse<T: std::str::FromStr<Err = sandglass_core::id::InvalidId>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error| Failure::new(Code::BadRequest, format!("{error}")))
}
