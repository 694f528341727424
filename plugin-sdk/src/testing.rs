//! A host for unit tests: it plays the runtime's part natively, so that `cargo test` runs an action without a component.
//!
//! ```
//! # use sandglass_plugin::{Action, Context, Failure, Outcome, params, testing};
//! # #[params] struct Params { seconds: u64 }
//! # struct Wait;
//! # impl Action for Wait {
//! #     const NAME: &'static str = "wait";
//! #     const TITLE: &'static str = "Wait";
//! #     const DESCRIPTION: &'static str = "Waits.";
//! #     type Params = Params;
//! #     type Output = ();
//! #     fn run(params: Params, context: &Context) -> Result<Outcome<()>, Failure> {
//! #         context.sleep(std::time::Duration::from_secs(params.seconds))?;
//! #         Ok(Outcome::done())
//! #     }
//! # }
//! let host = testing::Host::new();
//! host.run::<Wait>(serde_json::json!({ "seconds": 60 })).expect("nobody asked it to stop");
//! assert_eq!(host.slept().as_secs(), 60);
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::bindings::wasi::clocks::wall_clock::Datetime;
use crate::{Action, CancelReason, Context, Failure, Issue, Outcome, Progress, RunInfo, dispatch, logging};

pub use crate::bindings::sandglass::plugin::logging::Level;

#[cfg(feature = "artifacts")]
pub(crate) mod artifacts;
#[cfg(feature = "docker")]
pub(crate) mod docker;
#[cfg(any(feature = "process", feature = "docker", feature = "remote"))]
mod exec;
#[cfg(feature = "http")]
pub(crate) mod http;
#[cfg(feature = "mail")]
pub(crate) mod mail;
#[cfg(feature = "process")]
pub(crate) mod process;
#[cfg(feature = "remote")]
pub(crate) mod remote;
#[cfg(feature = "secrets")]
pub(crate) mod secrets;
#[cfg(feature = "state")]
pub(crate) mod state;
#[cfg(feature = "http")]
pub(crate) mod tls;
pub(crate) mod work;

#[cfg(feature = "docker")]
pub use docker::Pull;
#[cfg(any(feature = "process", feature = "docker", feature = "remote"))]
pub use exec::exited;
#[cfg(feature = "remote")]
pub use remote::{RemoteAsk, RemoteCall};

/// One line that the action wrote to the run's log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// How grave it is.
    pub level: Level,
    /// The text.
    pub message: String,
    /// Further fields, each as JSON text.
    pub fields: Vec<(String, String)>,
}

/// The host's side of a test: what it answers, and what it was asked.
#[derive(Default)]
pub struct Host {
    script: Rc<RefCell<Script>>,
}

/// What a host answers and has recorded.
pub(crate) struct Script {
    pub(crate) run: RunInfo,
    pub(crate) remaining: Option<Duration>,
    pub(crate) cancelled: Option<CancelReason>,
    pub(crate) resumes: Option<String>,
    pub(crate) slept: Duration,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) progress: Vec<Progress>,
    pub(crate) work: work::Work,
    #[cfg(feature = "process")]
    pub(crate) process: process::Script,
    #[cfg(feature = "docker")]
    pub(crate) docker: docker::Script,
    #[cfg(feature = "http")]
    pub(crate) http: http::Script,
    #[cfg(feature = "artifacts")]
    pub(crate) artifacts: artifacts::Script,
    #[cfg(feature = "mail")]
    pub(crate) mail: mail::Script,
    #[cfg(feature = "remote")]
    pub(crate) remote: remote::Script,
    #[cfg(feature = "secrets")]
    pub(crate) secrets: secrets::Script,
    #[cfg(feature = "state")]
    pub(crate) state: state::Script,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            run: run_info(),
            remaining: None,
            cancelled: None,
            resumes: None,
            slept: Duration::ZERO,
            logs: Vec::new(),
            progress: Vec::new(),
            work: work::Work::default(),
            #[cfg(feature = "process")]
            process: process::Script::default(),
            #[cfg(feature = "docker")]
            docker: docker::Script::default(),
            #[cfg(feature = "http")]
            http: http::Script::default(),
            #[cfg(feature = "artifacts")]
            artifacts: artifacts::Script::default(),
            #[cfg(feature = "mail")]
            mail: mail::Script::default(),
            #[cfg(feature = "remote")]
            remote: remote::Script::default(),
            #[cfg(feature = "secrets")]
            secrets: secrets::Script::default(),
            #[cfg(feature = "state")]
            state: state::Script::default(),
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Rc<RefCell<Script>>> = RefCell::default();
}

/// Does something with the script of this thread's host. The script must not be asked for again within.
pub(crate) fn with<R>(work: impl FnOnce(&mut Script) -> R) -> R {
    let script = CURRENT.with_borrow(Rc::clone);
    work(&mut script.borrow_mut())
}

impl Host {
    /// A host without deadline, that nobody asks to stop, with empty state, on which no program and no server exists.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what run this is.
    #[must_use]
    pub fn run_info(self, run: RunInfo) -> Self {
        self.script.borrow_mut().run = run;
        self
    }

    /// Says how long the attempt may still take.
    #[must_use]
    pub fn remaining(self, remaining: Duration) -> Self {
        self.script.borrow_mut().remaining = Some(remaining);
        self
    }

    /// What an earlier attempt left that the action goes on from.
    #[must_use]
    pub fn resumes(self, left: &Value) -> Self {
        self.script.borrow_mut().resumes = Some(left.to_string());
        self
    }

    /// Asks the run to stop.
    #[must_use]
    pub fn cancel(self, reason: CancelReason) -> Self {
        self.script.borrow_mut().cancelled = Some(reason);
        self
    }

    /// Runs an action on this host, with parameters as a job file gives them.
    ///
    /// # Errors
    /// The action's failure, or `invalid-params` when the parameters do not fit.
    pub fn run<A: Action>(&self, params: Value) -> Result<Outcome<Value>, Failure> {
        self.enter();
        logging::install();
        let params = dispatch::read::<A>(&dispatch::text(&params)).map_err(|issues| dispatch::invalid(&issues))?;
        let outcome = A::run(params, &Context::new())?;
        let output = outcome.output.map(|output| serde_json::to_value(output).expect("an output is JSON"));
        Ok(Outcome { summary: outcome.summary, output, changed: outcome.changed, warnings: outcome.warnings })
    }

    /// What an action says that a run with these parameters would do.
    ///
    /// # Errors
    /// Why it cannot say, or `invalid-argument` when the parameters do not fit.
    #[cfg(feature = "plan")]
    pub fn plan<A: crate::plan::Plan>(&self, params: Value) -> Result<crate::plan::Planned, crate::Error> {
        self.enter();
        let params = dispatch::read::<A>(&dispatch::text(&params)).map_err(|issues| crate::plan::invalid(&issues))?;
        A::plan(params, &Context::new())
    }

    /// What the action finds wrong with parameters.
    #[must_use]
    pub fn validate<A: Action>(&self, params: Value) -> Vec<Issue> {
        self.enter();
        dispatch::read::<A>(&dispatch::text(&params)).map_or_else(|issues| issues, |_| Vec::new())
    }

    /// The lines that actions wrote to the log.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.script.borrow().logs.clone()
    }

    /// The progress that actions reported.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        self.script.borrow().progress.clone()
    }

    /// How long actions have slept: in tests, no time passes.
    #[must_use]
    pub fn slept(&self) -> Duration {
        self.script.borrow().slept
    }

    fn enter(&self) {
        CURRENT.set(Rc::clone(&self.script));
    }
}

/// Checks that an action's schemas, written ahead, are those of its types: what they should be is written to
/// `STEM.params.json` and `STEM.output.json` if `UPDATE_SCHEMAS` is set, as it is when a test of this has failed.
///
/// # Panics
/// If they are not, or there are none.
pub fn check_schemas<A: Action>(stem: &str) {
    let written = A::SCHEMAS.expect("the action has schemas written ahead");
    let (params, output) = crate::dispatch::schemas::<A>();
    let files = [("params", Some(params), Some(written.params)), ("output", output, written.output)];
    for (kind, expected, found) in files {
        let read = |text: &str| serde_json::from_str::<Value>(text).expect("a schema is JSON");
        let (expected, found) = (expected.as_deref().map(read), found.map(|pieces| read(&pieces.concat())));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            let Some(schema) = expected else { continue };
            let path = format!("{stem}.{kind}.json");
            let text = format!("{schema:#}\n");
            std::fs::write(&path, text).unwrap_or_else(|error| panic!("{path} cannot be written: {error}"));
        } else if bare(expected) != bare(found) {
            panic!("the schema of {kind} in {stem}.{kind}.json is another: run this test with UPDATE_SCHEMAS=1");
        }
    }
}

/// A schema without what `include_schema!` leaves out.
fn bare(schema: Option<Value>) -> Option<Value> {
    fn without_null_defaults(schema: &mut Value) {
        match schema {
            Value::Object(map) => {
                map.retain(|key, value| key != "default" || !value.is_null());
                map.values_mut().for_each(without_null_defaults);
            }
            Value::Array(list) => list.iter_mut().for_each(without_null_defaults),
            _ => {}
        }
    }
    let mut schema = schema?;
    if let Some(map) = schema.as_object_mut() {
        for name in ["$schema", "title", "description"] {
            map.remove(name);
        }
    }
    without_null_defaults(&mut schema);
    Some(schema)
}

fn run_info() -> RunInfo {
    RunInfo {
        run_id: "01K00000000000000000000000".to_owned(),
        job_id: "01J00000000000000000000000".to_owned(),
        job_name: "test".to_owned(),
        owner: "test".to_owned(),
        attempt: 1,
        idempotency_key: "test".to_owned(),
        trigger: "manual".to_owned(),
        scheduled_at: Datetime { seconds: 0, nanoseconds: 0 },
        traceparent: None,
        labels: Vec::new(),
    }
}
