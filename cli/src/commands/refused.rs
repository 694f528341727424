//! What the daemon has against files: told together, each fault with its place.

use sandglass_api::jobfile::JobFileError;
use sandglass_api::problem::{Fault, Problem};

use super::files::Sources;
use crate::context::Context;
use crate::failure::{Failure, for_invocation};
use crate::render::amount::counted;
use crate::render::ansi;

impl Sources {
    /// The failure that a refusal of all of it comes to. With `--json` it stays one problem document, whose faults have the
    /// places in the files.
    pub(crate) fn refused(&self, mut problem: Problem, context: &Context) -> Failure {
        let mut told = Vec::new();
        for fault in &mut problem.errors {
            if let Some((error, pointer)) = self.locate(fault) {
                (fault.position, fault.pointer) = (Some(error.position), pointer);
                told.push((error, fault.pointer.clone(), fault.hint.clone()));
            }
        }
        let Some((first, ..)) = told.first() else { return problem.into() };
        if context.is_json() {
            let (line, column) = (first.position.line, first.position.column);
            problem.detail = format!("{}:{line}:{column}: {}", first.source, problem.detail);
            return problem.into();
        }
        let paint = context.error_paint;
        let hint = |hint: &str| format!("{} {}\n\n", paint.bold("hint:"), for_invocation(hint, &context.invocation));
        let mut text = String::new();
        for (error, pointer, of_fault) in &told {
            let at = if pointer.is_empty() { String::new() } else { format!("  at {pointer}\n") };
            text.push_str(&format!("{} {error}\n{at}\n", paint.red("error:")));
            text.push_str(&of_fault.as_deref().map(hint).unwrap_or_default());
        }
        if told.iter().all(|(.., of_fault)| of_fault.is_none()) {
            text.push_str(&problem.hint.as_deref().map(hint).unwrap_or_default());
        }
        let found = counted(told.len(), "fault");
        text.push_str(&format!("{} {found} found; nothing was changed\n", paint.red("error:")));
        // Nobody is left to be told that this failed.
        let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), ansi::colours_only(&text).as_bytes());
        Failure::Told(problem.class.exit_code())
    }

    /// A fault of the request in its file, and where it is in its job, template, target or group.
    fn locate(&self, fault: &Fault) -> Option<(JobFileError, String)> {
        let mut steps = fault.pointer.splitn(4, '/').skip(1);
        let (list, place) = (steps.next()?, steps.next()?.parse::<usize>().ok()?);
        let pointer = steps.next().map(|rest| format!("/{rest}")).unwrap_or_default();
        let error = match list {
            "jobs" => {
                let sourced = self.jobs.get(place)?;
                let error = self.place(sourced, &pointer, &fault.message);
                let named = format!("job '{}': ", sourced.job.name());
                let message =
                    if error.message.starts_with(&named) { error.message } else { format!("{named}{}", error.message) };
                JobFileError { message, ..error }
            }
            "templates" => self.templates.get(place)?.fault(&pointer, &fault.message),
            "targets" => self.targets.get(place)?.fault(&pointer, &fault.message),
            "groups" => self.groups.get(place)?.fault(&pointer, &fault.message),
            _ => return None,
        };
        Some((error, pointer))
    }
}
