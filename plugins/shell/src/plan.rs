//! What a run would do.

use sandglass_plugin::plan::{Effect, Plan, Planned, Step as Doing};
use sandglass_plugin::process::platform;
use sandglass_plugin::{Context, Error, ErrorCode};

use crate::interpreter::Interpreter;
use crate::params::{Params, Step};
use crate::run::Run;
use crate::script;
use crate::steps::{beginning, name};

impl Plan for Run {
    fn plan(params: Params, _: &Context) -> Result<Planned, Error> {
        let mut steps: Vec<Doing> = Vec::new();
        for reference in &params.fetch {
            steps.push(Doing::new(Effect::Read, reference.as_str(), "brings the artifact into the run's own folder"));
        }
        let before = steps.len();
        started(&params, &mut steps);
        if steps.len() == before {
            let message = format!("there is no command for the platform {}", platform());
            return Err(Error { code: ErrorCode::InvalidArgument, message, detail: None });
        }
        for pattern in &params.artifacts {
            steps.push(Doing::new(
                Effect::Create,
                pattern.as_str(),
                "keeps the run's files of that name as its artifacts",
            ));
        }
        Ok(Planned { steps, is_complete: true })
    }
}

/// What would be started, with the programs that would run it.
fn started(params: &Params, steps: &mut Vec<Doing>) {
    let platform = platform();
    let interpreter = params.interpreter_of(&platform).map(String::as_str);
    let of_platform = params.command_of(&platform);
    let by = |own: Option<&str>| {
        own.or(interpreter).map_or_else(|| Interpreter::default_of(&platform).program().to_owned(), str::to_owned)
    };
    let mut starts = |program: String, what: String| steps.push(Doing::new(Effect::Execute, program, what));
    match (of_platform, &params.commands) {
        (None, Some(commands)) => {
            for Step(step) in commands {
                let program = step.argv.as_deref().and_then(<[String]>::first).cloned();
                starts(program.unwrap_or_else(|| by(step.interpreter.as_deref())), name(step));
            }
            return;
        }
        (of_platform, _) => {
            if let Some(text) = of_platform.or(params.command.as_ref()) {
                return starts(by(None), beginning(text));
            }
        }
    }
    if let Some(text) = &params.script {
        let said = Interpreter::of_script(text).map(|interpreter| interpreter.program().to_owned());
        let program = interpreter.map(str::to_owned).or(said).unwrap_or_else(|| by(None));
        let args = params.args.join(" ");
        starts(program, format!("a script of {} lines {args}", text.lines().count()).trim_end().to_owned());
    } else if let Some(path) = &params.script_file {
        let words: Vec<&str> = std::iter::once(path).chain(&params.args).map(String::as_str).collect();
        // One that can be seen from here is run as what its text says.
        let said = script::seen(path).map(|text| {
            Interpreter::of_script(&text).map_or_else(|| by(None), |interpreter| interpreter.program().to_owned())
        });
        let program = interpreter.map(str::to_owned).or(said).unwrap_or_else(|| path.clone());
        starts(program, beginning(&words.join(" ")));
    } else if let Some([program, ..]) = params.argv.as_deref() {
        starts(program.clone(), beginning(&params.argv.as_deref().unwrap_or_default().join(" ")));
    }
}
