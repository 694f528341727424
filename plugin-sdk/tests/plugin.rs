//! A plugin as the host sees it: through the exported functions, which speak JSON text.
#![allow(missing_docs, reason = "a test exports nothing to be documented")]

use std::time::Duration;

use sandglass_plugin::private::{self, Entry, RunRequest};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::testing::{Host, Level};
use sandglass_plugin::{Action, CancelReason, Context, Failure, Issue, Outcome, Retry, log, output, params};

#[params]
struct Params {
    /// How long to wait.
    seconds: u64,
    #[serde(default)]
    fail: bool,
}

#[output]
struct Output {
    attempt: u32,
}

struct Wait;

impl Action for Wait {
    const NAME: &'static str = "wait";
    const TITLE: &'static str = "Wait";
    const DESCRIPTION: &'static str = "Waits.";
    const IDEMPOTENT: bool = true;
    type Params = Params;
    type Output = Output;

    fn examples() -> Vec<Value> {
        vec![json!({ "seconds": 1 })]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        if params.seconds > 60 { vec![Issue::at("/seconds", "too long")] } else { Vec::new() }
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<Output>, Failure> {
        log::warn!("waiting for {} s", params.seconds);
        context.progress(0, Some(params.seconds));
        context.sleep(Duration::from_secs(params.seconds))?;
        if params.fail {
            let failure = Failure::new("asked-to", "as asked").detail(json!({ "a": 1 }));
            return Err(failure.retry_after(Duration::from_secs(2)));
        }
        Ok(Outcome::output(Output { attempt: context.run().attempt }).warning("slow"))
    }
}

struct Quiet;

impl Action for Quiet {
    const NAME: &'static str = "quiet";
    const TITLE: &'static str = "Quiet";
    const DESCRIPTION: &'static str = "Says nothing.";
    type Params = Params;
    type Output = ();

    fn run(_params: Params, _context: &Context) -> Result<Outcome<()>, Failure> {
        Ok(Outcome::done())
    }
}

sandglass_plugin::export! {
    name: "waiter",
    description: "Says \"wait\", and waits",
    actions: [Wait, Quiet],
    capabilities: { process: ["/bin/true"], http: public, state: true, files: ["/srv:ro"] },
}

const ENTRIES: [Entry; 2] = [Entry::of::<Wait>(), Entry::of::<Quiet>()];

fn request(action: &str, params: &str) -> RunRequest {
    RunRequest { action: action.to_owned(), params: params.to_owned() }
}

#[test]
fn actions_describe_themselves() {
    let actions = private::describe(&ENTRIES);
    let names: Vec<&str> = actions.iter().map(|action| action.name.as_str()).collect();
    assert_eq!(names, ["wait", "quiet"]);
    let schema: Value = sandglass_plugin::serde_json::from_str(&actions[0].params_schema).expect("a schema is JSON");
    assert_eq!(schema["properties"]["seconds"]["description"], "How long to wait.");
    assert_eq!((&schema["required"], &schema["additionalProperties"]), (&json!(["seconds"]), &json!(false)));
    assert_eq!(actions[0].examples, [r#"{"seconds":1}"#]);
    assert!(actions[0].output_schema.is_some() && actions[0].idempotent);
    assert!(actions[1].output_schema.is_none() && !actions[1].idempotent);
}

#[test]
fn parameters_are_checked() {
    private::validate(&ENTRIES, "wait", r#"{"seconds":1}"#).expect("the parameters fit");
    let too_long = private::validate(&ENTRIES, "wait", r#"{"seconds":61}"#).expect_err("a minute is the most");
    assert_eq!((too_long[0].pointer.as_str(), too_long[0].message.as_str()), ("/seconds", "too long"));
    private::validate(&ENTRIES, "wait", "{").expect_err("this is no JSON");
    let unknown = private::validate(&ENTRIES, "wiat", "{}").expect_err("there is no such action");
    assert_eq!(unknown[0].message, r#"there is no action "wiat" here; there is: wait, quiet"#);
}

#[test]
fn results_cross_the_border() {
    let outcome = private::run(&ENTRIES, &request("wait", r#"{"seconds":1}"#)).expect("nothing fails");
    assert_eq!(
        (outcome.output.as_deref(), outcome.warnings.as_slice()),
        (Some(r#"{"attempt":1}"#), &["slow".to_owned()][..])
    );
    let failure =
        private::run(&ENTRIES, &request("wait", r#"{"seconds":1,"fail":true}"#)).expect_err("it was asked to");
    assert_eq!((failure.code.as_str(), failure.detail.as_deref()), ("asked-to", Some(r#"{"a":1}"#)));
    assert!(format!("{:?}", failure.retry).contains("After(2000000000)"));
    let unfit = private::run(&ENTRIES, &request("wait", r#"{"second":1}"#)).expect_err("the parameters do not fit");
    assert_eq!(unfit.code, "invalid-params");
}

#[test]
fn the_host_hears_what_the_action_says() {
    let host = Host::new();
    host.run::<Wait>(json!({ "seconds": 3 })).expect("nothing fails");
    assert_eq!((host.slept(), host.progress()[0].total), (Duration::from_secs(3), Some(3)));
    let logs = host.logs();
    assert_eq!((logs[0].level, logs[0].message.as_str()), (Level::Warn, "waiting for 3 s"));
}

#[test]
fn a_wait_ends_when_the_run_should_stop() {
    let host = Host::new().cancel(CancelReason::User);
    let failure = host.run::<Wait>(json!({ "seconds": 3 })).expect_err("somebody asked it to stop");
    assert_eq!((failure.code.as_str(), failure.retry), ("cancelled", Retry::Never));
    assert_eq!(host.slept(), Duration::ZERO);
}
