//! What runs would do.

use sandglass_plugin::docker::{PullPolicy, find};
use sandglass_plugin::plan::{Effect, Plan, Planned, Step};
use sandglass_plugin::{Context, Error, ErrorCode, Issue};

use crate::ending;
use crate::exec::{Exec, Params as ExecParams};
use crate::mount::{self, Mount};
use crate::run::{Params, Run};

impl Plan for Run {
    fn plan(params: Params, _: &Context) -> Result<Planned, Error> {
        sound(params.issues())?;
        let found = find(&params.image, params.place().as_ref());
        let image = |effect, summary: &str| Step::new(effect, params.image.clone(), summary);
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
        let run = Step::new(
            Effect::Execute,
            on(&params.image, params.target.as_ref(), params.account.as_ref()),
            params.told(),
        );
        Ok(Planned { steps: step.into_iter().chain([run]).collect(), is_complete: found.is_ok() })
    }
}

impl Plan for Exec {
    fn plan(params: ExecParams, _: &Context) -> Result<Planned, Error> {
        sound(params.issues())?;
        let words = ending::words(params.command.as_deref(), &params.argv);
        let place = on(&params.container, params.target.as_ref(), params.account.as_ref());
        let run = Step::new(Effect::Execute, place, format!("run {words:?} in this container"));
        Ok(Planned { steps: vec![run], is_complete: true })
    }
}

impl Params {
    /// What is run, with what, for people.
    fn told(&self) -> String {
        let words = ending::words(self.command.as_deref(), &self.args);
        let what = if words.is_empty() { "what the image does".to_owned() } else { format!("{words:?}") };
        let folders = self.mounts.iter().map(Mount::shown);
        let memory = self.tmpfs.iter().filter_map(|text| mount::tmpfs(text).ok());
        let mounts: Vec<String> = folders.chain(memory.map(|(target, _)| format!("memory at {target}"))).collect();
        let with = if mounts.is_empty() { String::new() } else { format!(" with {}", mounts.join(", ")) };
        format!("run {what} in a new container{with}, and remove it")
    }
}

/// What and where, for people.
fn on(what: &str, target: Option<&String>, account: Option<&String>) -> String {
    let account = account.map(|account| format!("{account}@")).unwrap_or_default();
    target.map_or_else(|| what.to_owned(), |target| format!("{account}{target}:{what}"))
}

fn sound(issues: Vec<Issue>) -> Result<(), Error> {
    let told = |issue: Issue| Error {
        code: ErrorCode::InvalidArgument,
        message: format!("{} (at {:?})", issue.message, issue.pointer),
        detail: None,
    };
    issues.into_iter().next().map_or(Ok(()), |issue| Err(told(issue)))
}
