//! Guests that are only asked about themselves: every capability denied, small limits, what they print thrown away.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sandglass_core::capability::EffectiveGrants;
use sandglass_core::id::{Digest, JobId, Namespace, PluginName, RunId};
use sandglass_core::invocation::{Invocation, Work};
use sandglass_core::output::OutputChunk;
use sandglass_core::plugin::ActionInfo;
use sandglass_core::quantity::{ByteSize, Count};
use sandglass_core::run::Origin;
use sandglass_core::spec::Limits;
use sandglass_core::time::Timestamp;
use serde_json::Value;
use wasmtime::{Engine, Store};

use crate::attempt::Attempt;
use crate::bindings::{PluginPre, action};
use crate::capability::clip;
use crate::capability::process::Folders;
use crate::classify;
use crate::guest::Guest;
use crate::inspect::{Issue, RefusedComponent};
use crate::invoke::{self, Ended};
use crate::services::{BoxFuture, Progress, Services, StateEntry, StateError, StateExpectation, StatePage};

/// How long a guest may take to answer.
const TIME: Duration = Duration::from_secs(10);
/// What it may compute meanwhile.
const FUEL: u64 = 20_000_000_000;
/// What it may allocate meanwhile, in MiB. Language runtimes need some dozens to start.
const MEMORY_MIB: u64 = 256;
/// The most actions that a plugin may have.
const ACTIONS: usize = 256;
/// The most issues that are taken from a guest.
const ISSUES: usize = 100;

/// Asks a component for its actions and checks what it says.
pub(crate) async fn describe(engine: &Engine, pre: &PluginPre<Guest>) -> Result<Vec<ActionInfo>, RefusedComponent> {
    let patience = Patience::new();
    let answer = loop {
        let mut guest = Questioned::new(engine);
        let call = async {
            let plugin = pre.instantiate_async(&mut guest.store).await?;
            plugin.sandglass_plugin_action().call_describe(&mut guest.store).await
        };
        let ended = invoke::supervise(&guest.attempt, call).await;
        if !patience.again(&ended).await {
            break guest.answer(ended);
        }
    };
    let actions = answer.map_err(RefusedComponent::Describe)?;
    if actions.is_empty() || actions.len() > ACTIONS {
        let problem = format!("it has {} and a plugin has 1 to {ACTIONS}", actions.len());
        return Err(RefusedComponent::Describe(problem));
    }
    let mut names = HashSet::new();
    for action in &actions {
        if !names.insert(action.name.clone()) {
            return Err(wrong(&action.name, "another action has the same name"));
        }
    }
    actions.into_iter().map(info).collect()
}

/// Asks a plugin what is wrong with an action's parameters.
pub(crate) async fn validate(
    engine: &Engine,
    pre: &PluginPre<Guest>,
    action: &str,
    params: &String,
) -> Result<Vec<Issue>, String> {
    let patience = Patience::new();
    let answer = loop {
        let mut guest = Questioned::new(engine);
        let call = async {
            let plugin = pre.instantiate_async(&mut guest.store).await?;
            plugin.sandglass_plugin_action().call_validate(&mut guest.store, action, params).await
        };
        let ended = invoke::supervise(&guest.attempt, call).await;
        if !patience.again(&ended).await {
            break guest.answer(ended);
        }
    };
    let issues = answer?.err().unwrap_or_default();
    let issue = |issue: action::Issue| Issue { pointer: clip(issue.pointer, 512), message: clip(issue.message, 4096) };
    Ok(issues.into_iter().take(ISSUES).map(issue).collect())
}

/// For how long a question is asked again because there is no room: runs that need more than most may have taken the
/// pool's memories or tables.
struct Patience(tokio::time::Instant);

impl Patience {
    fn new() -> Self {
        Self(tokio::time::Instant::now() + TIME)
    }

    /// Waits a moment if there was no room and asking again makes sense; false if `ended` is what came of it.
    async fn again<T>(&self, ended: &Ended<wasmtime::Result<T>>) -> bool {
        let again = invoke::is_out_of_room(ended) && tokio::time::Instant::now() < self.0;
        if again {
            tokio::time::sleep(invoke::ROOM).await;
        }
        again
    }
}

fn wrong(action: &str, problem: impl Into<String>) -> RefusedComponent {
    RefusedComponent::Action { action: clip(action.to_owned(), 100), problem: problem.into() }
}

fn info(action: action::ActionInfo) -> Result<ActionInfo, RefusedComponent> {
    let name = action.name;
    if name.parse::<PluginName>().is_err() {
        let rule = "a name has 1 to 100 letters, digits, '-', '_' or '.' and begins with a letter or digit";
        return Err(wrong(&name, rule));
    }
    let params_schema = schema(&name, "the schema of its parameters", &action.params_schema)?;
    let output_schema = match action.output_schema {
        Some(text) => Some(schema(&name, "the schema of its output", &text)?),
        None => None,
    };
    let example = |text: &String| {
        serde_json::from_str(text).map_err(|error| wrong(&name, format!("an example is no JSON: {error}")))
    };
    let examples = action.examples.iter().map(example).collect::<Result<_, _>>()?;
    Ok(ActionInfo {
        title: action.title,
        description: action.description,
        params_schema,
        output_schema,
        examples,
        idempotent: action.idempotent,
        name,
    })
}

fn schema(action: &str, what: &str, text: &str) -> Result<Value, RefusedComponent> {
    match serde_json::from_str(text) {
        Ok(schema @ Value::Object(_)) => Ok(schema),
        Ok(_) => Err(wrong(action, format!("{what} is no JSON object"))),
        Err(error) => Err(wrong(action, format!("{what} is no JSON: {error}"))),
    }
}

/// A guest that is asked a question.
struct Questioned {
    attempt: Arc<Attempt>,
    store: Store<Guest>,
}

impl Questioned {
    fn new(engine: &Engine) -> Self {
        let invocation = Invocation {
            run: RunId::from_bits(0),
            attempt: 1,
            origin: Origin::Manual,
            scheduled_at: Timestamp::EPOCH,
            resumes: None,
            work: Arc::new(work()),
        };
        let folders = Arc::new(Folders::new(PathBuf::new()));
        let attempt = Arc::new(Attempt::new(invocation, Arc::new(Nobody), &folders, &Arc::default()));
        attempt.begin(tokio::time::Instant::now());
        Self { store: invoke::store(engine, &attempt), attempt }
    }

    fn answer<T>(&self, ended: Ended<wasmtime::Result<T>>) -> Result<T, String> {
        match ended {
            Ended::Finished(Ok(answer)) => Ok(answer),
            Ended::Finished(Err(error)) => {
                Err(classify::ended_by_engine(&self.attempt, &self.store.data().limiter, &error).error.message)
            }
            Ended::Killed => Err(format!("it gave no answer within {} s", TIME.as_secs())),
        }
    }
}

/// What a guest is given that is only asked.
pub(crate) fn work() -> Work {
    Work {
        namespace: Namespace::default(),
        job_id: JobId::from_bits(0),
        job: "question".parse().expect("a valid name"),
        revision: 0,
        plugin: "question".parse().expect("a valid name"),
        digest: Digest::from_bytes([0; 32]),
        action: String::new(),
        params: String::new(),
        scope: None,
        env: BTreeMap::new(),
        secrets: [].into(),
        working_dir: None,
        timeout: TIME,
        time_limit: sandglass_core::invocation::TimeLimit::Timeout,
        grace: Duration::ZERO,
        limits: Limits {
            memory: ByteSize::from_mib(MEMORY_MIB),
            fuel: Count::new(FUEL),
            output: ByteSize::from_bytes(0),
        },
        grants: EffectiveGrants::default(),
    }
}

/// An attempt of a job that has these grants of everything, for tests of what it may do.
#[cfg(test)]
pub(crate) fn attempt_granted(job: Value, folders: PathBuf) -> Attempt {
    let everything = sandglass_core::capability::Grants::everything();
    let grants = EffectiveGrants {
        request: everything.clone(),
        ceiling: everything.clone(),
        plugin: everything,
        job: Some(serde_json::from_value(job).expect("grants that can be read")),
        looks_only: false,
    };
    let invocation = Invocation {
        run: RunId::from_bits(1),
        attempt: 1,
        origin: Origin::Manual,
        scheduled_at: Timestamp::EPOCH,
        resumes: None,
        work: Arc::new(Work { grants, ..work() }),
    };
    Attempt::new(invocation, Arc::new(Nobody), &Arc::new(Folders::new(folders)), &Arc::default())
}

/// Serves a guest that may do nothing.
pub(crate) struct Nobody;

impl Services for Nobody {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn output(&self, _: RunId, _: OutputChunk) {}

    fn output_ready(&self, _: RunId) -> Option<BoxFuture<'static, ()>> {
        None
    }

    fn progress(&self, _: RunId, _: u32, _: Progress) {}

    fn state_get(&self, _: JobId, _: String) -> BoxFuture<'static, Result<Option<StateEntry>, StateError>> {
        Box::pin(async { Err(no_state()) })
    }

    fn state_set(
        &self,
        _: JobId,
        _: String,
        _: Vec<u8>,
        _: StateExpectation,
        _: Option<Duration>,
    ) -> BoxFuture<'static, Result<u64, StateError>> {
        Box::pin(async { Err(no_state()) })
    }

    fn state_delete(&self, _: JobId, _: String, _: StateExpectation) -> BoxFuture<'static, Result<(), StateError>> {
        Box::pin(async { Err(no_state()) })
    }

    fn state_keys(
        &self,
        _: JobId,
        _: String,
        _: Option<String>,
        _: u32,
    ) -> BoxFuture<'static, Result<StatePage, StateError>> {
        Box::pin(async { Err(no_state()) })
    }
}

fn no_state() -> StateError {
    StateError::Unavailable("a plugin has no state while it is asked about itself".to_owned())
}
