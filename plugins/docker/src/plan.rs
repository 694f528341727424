//! What runs would do.

use sandglass_plugin::docker::{PullPolicy, find};
use sandglass_plugin::plan::{Effect, Plan, Planned, Step};
use sandglass_plugin::{Context, Error, ErrorCode};

use crate::exec::{Exec, Params as ExecParams};
use crate::mount::{self, Mount};
use crate::run::{Params, Run};

impl Plan for Run {
    fn plan(params: Params, _: &Context) -> Result<Planned, Error> {
        let found = find(&params.image, params.place().as_ref());
        let place = on(&params.image, params.target.as_ref(), params.account.as_ref());
        let image = |effect, summary: &str| Step::new(effect, place.clone(), summary);
        let step = match (params.policy().unwrap_or(PullPolicy::Missing), &found) {
            (_, Err(error)) if error.code != ErrorCode::Unavailable => return Err(error.clone()),
            (_, Err(error)) => Some(image(Effect::Other, &format!("cannot be looked for: {}", error.message))),
            (PullPolicy::Always, Ok(Some(_))) => Some(image(Effect::Update, "pull the image, which is there")),
            (PullPolicy::Always | PullPolicy::Missing, Ok(None)) => Some(image(Effect::Create, "pull the image")),
            (PullPolicy::Never, Ok(None)) => {
                Some(image(Effect::Other, "fail: the image is not there, and is not to be pulled"))
            }
            (PullPolicy::Missing | PullPolicy::Never, Ok(Some(_))) => None,
        };
        let run = Step::new(Effect::Execute, place.clone(), params.told());
        Ok(Planned { steps: step.into_iter().chain([run]).collect(), is_complete: found.is_ok() })
    }
}

impl Plan for Exec {
    fn plan(params: ExecParams, _: &Context) -> Result<Planned, Error> {
        let words = shown(params.command.as_deref(), &params.argv).unwrap_or_default();
        let place = on(&params.container, params.target.as_ref(), params.account.as_ref());
        let run = Step::new(Effect::Execute, place, format!("run {words} in this container"));
        // Whether there is such a container takes an answer of the engine's.
        Ok(Planned { steps: vec![run], is_complete: false })
    }
}

impl Params {
    /// What is run, with what, for people.
    fn told(&self) -> String {
        let what = shown(self.command.as_deref(), &self.args).unwrap_or_else(|| "what the image does".to_owned());
        let folders = self.mounts.iter().map(Mount::shown);
        let memory = self.tmpfs.iter().filter_map(|text| mount::tmpfs(text).ok());
        let mounts: Vec<String> = folders.chain(memory.map(|(target, _)| format!("memory at {target}"))).collect();
        let with = if mounts.is_empty() { String::new() } else { format!(" with {}", mounts.join(", ")) };
        format!("run {what} in a new container{with}, and remove it")
    }
}

/// A command line or arguments, for people; none if there are none.
fn shown(command: Option<&str>, args: &[String]) -> Option<String> {
    let words = command.map_or_else(|| args.join(" "), str::to_owned);
    (!words.is_empty()).then(|| format!("'{words}'"))
}

/// What and where, for people.
fn on(what: &str, target: Option<&String>, account: Option<&String>) -> String {
    let account = account.map(|account| format!("{account}@")).unwrap_or_default();
    target.map_or_else(|| what.to_owned(), |target| format!("{account}{target}:{what}"))
}
