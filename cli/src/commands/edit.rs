//! `job edit`: a job in an editor, checked and saved when the editor ends.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use sandglass_api::client::{ClientError, Precondition};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{ApplyResult, Job, SpecForms};
use sandglass_core::id::JobName;

use super::files::{self, SourcedJob};
use crate::changes;
use crate::context::Context;
use crate::failure::Failure;
use crate::render;

pub(crate) const HELP: &str = "The editor is $VISUAL, else $EDITOR, else vi. A file that is not valid is opened again, with \
                               what is wrong above it; leave it as it is to give up. Runs that are going are not touched.";

/// Lets somebody change a job, and saves it if nobody else has meanwhile.
pub(crate) async fn edit(name: &JobName, context: &Context) -> Result<(), Failure> {
    let job = context.client.job(name).await?;
    let file = tempfile::Builder::new()
        .prefix(&format!("sandglass-{name}-"))
        .suffix(".yaml")
        .tempfile()
        .map_err(|error| Failure::io("cannot make a file to edit", error))?;
    let first = written(&job);
    let path = file.path().to_owned();
    let mut text = first.clone();
    let edited = loop {
        write(&path, &text)?;
        open_editor(&path)?;
        let found = read(&path)?;
        if body(&found) == body(&first) {
            context.note("nothing was changed");
            return Ok(());
        }
        if body(&found) == body(&text) {
            // It was opened again with its faults, and left as it was but for what is said of them.
            return Err(kept(file, context));
        }
        match checked(&path, &job, context).await {
            Ok(edited) => break edited,
            Err(Fault::Final(failure)) => {
                drop(kept(file, context));
                return Err(failure);
            }
            Err(Fault::InFile(faults)) => {
                context.say(&format!("{} {}", context.error_paint.red("error:"), faults.trim_end()));
                text = with_faults(&faults, &found);
            }
        }
    };
    let saved = match context.client.put_job(&edited.job.written, Precondition::Revision(job.revision), false).await {
        Ok(saved) => saved,
        Err(error) => {
            drop(kept(file, context));
            return Err(error.into());
        }
    };
    edited.warn(&saved.warnings, context);
    show(&job.spec, &saved, context)
}

fn show(old: &SpecForms, saved: &ApplyResult, context: &Context) -> Result<(), Failure> {
    context.show(saved, |context| {
        let fields = render::changes::show(&changes::between_forms(old, &saved.job.spec), context.paint);
        let applied = render::job::applied(std::slice::from_ref(saved), false, context.now, context.paint);
        format!("{fields}{applied}")
    })
}

/// Why what was edited cannot be saved.
enum Fault {
    /// Somebody can mend it in the file.
    InFile(String),
    /// Editing on does not help.
    Final(Failure),
}

/// The job in the file, if it is valid and the daemon would take it.
async fn checked(path: &Path, job: &Job, context: &Context) -> Result<SourcedJob, Fault> {
    let sources = files::read(&[path.to_owned()]).map_err(|failure| match failure {
        Failure::JobFiles(errors) => {
            Fault::InFile(errors.iter().map(|error| format!("{error}\n")).collect::<Vec<_>>().join("\n"))
        }
        other => Fault::Final(other),
    })?;
    let has_lists = !sources.calendars.is_empty() || !sources.templates.is_empty();
    let has_fleet = !sources.targets.is_empty() || !sources.groups.is_empty();
    let is_more = has_lists || has_fleet || sources.notify.is_some();
    let mut jobs = sources.jobs;
    let (Some(edited), true, false) = (jobs.pop(), jobs.is_empty(), is_more) else {
        return Err(Fault::InFile("there must be one job here, and nothing else".to_owned()));
    };
    let name = edited.job.name();
    if *name != job.name {
        let message =
            format!("the job's name is '{}', and '{name}' would be another job: `apply` saves that", job.name);
        return Err(Fault::InFile(message));
    }
    match context.client.put_job(&edited.job.written, Precondition::Revision(job.revision), true).await {
        Ok(_) => Ok(edited),
        Err(ClientError::Refused(problem)) if !problem.is(Code::RevisionConflict) => {
            let faults = problem.errors.iter().filter(|fault| !problem.detail.contains(&fault.message));
            let faults: String = faults.map(|fault| format!("\n  at {}: {}", fault.pointer, fault.message)).collect();
            let hint = problem.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            Err(Fault::InFile(format!("{problem}{faults}{hint}")))
        }
        Err(error) => Err(Fault::Final(error.into())),
    }
}

/// The job as people write it, with a word to whoever edits it.
fn written(job: &Job) -> String {
    let spec = render::job::spec(&job.spec.written());
    let (name, revision) = (&job.name, job.revision);
    format!(
        "# Job '{name}' at revision {revision}. Save and close to save it; leave it as it is to change nothing.\n{spec}"
    )
}

/// The mark of lines that tell what is wrong.
const FAULT: &str = "#! ";

/// The file with what is wrong above it, instead of what was wrong before.
fn with_faults(faults: &str, text: &str) -> String {
    let faults: String = faults.trim_end().lines().map(|line| format!("{FAULT}{line}\n")).collect();
    format!("{faults}{}", body(text))
}

/// A file without what was said to be wrong in it.
fn body(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with(FAULT.trim_end())).map(|line| format!("{line}\n")).collect()
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = std::fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure::io(&format!("cannot write {}", path.display()), error))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::io(&format!("cannot read {}", path.display()), error))
}

/// Runs the editor, which may have arguments of its own, and waits for its end.
fn open_editor(path: &Path) -> Result<(), Failure> {
    let named =
        ["VISUAL", "EDITOR"].into_iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()));
    let editor = named.unwrap_or_else(|| "vi".to_owned());
    let status = Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(path).status();
    let status = status.map_err(|error| Failure::io(&format!("cannot start the editor '{editor}'"), error))?;
    if status.success() {
        return Ok(());
    }
    let detail = format!("the editor '{editor}' ended with {status}: nothing was changed");
    Err(Problem::new(Code::InvalidFile, detail).with_hint("name another one in EDITOR").into())
}

/// Keeps what was written, and says where it is.
fn kept(file: tempfile::NamedTempFile, context: &Context) -> Failure {
    match file.keep() {
        Ok((_, path)) => context.say(&format!("nothing was changed; what you wrote is kept in {}", path.display())),
        Err(error) => context.say(&format!("what you wrote could not be kept: {error}")),
    }
    Failure::Told(sandglass_api::problem::ExitCode::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_stand_above_the_file_once() {
        let first = with_faults("line 1\nline 2\n", "name: a\n");
        assert_eq!(first, "#! line 1\n#! line 2\nname: a\n");
        assert_eq!(with_faults("other", &first), "#! other\nname: a\n");
        assert_eq!(body(&first), "name: a\n");
    }
}
