//! `export taskscheduler`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sandglass_api::native::taskscheduler::{JobTask, folder, is_ours, task_of};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::Page;
use sandglass_core::id::Namespace;

use super::which::{Which, caller, daemon, is_local};
use super::{Exported, Outcome, tell_left_out, tell_notes, tell_of_daemon};
use crate::context::Context;
use crate::failure::Failure;

pub(super) const HELP: &str = "Tasks are XML in UTF-8, which `schtasks /Create /XML` takes. They lie in \
     \\Sandglass\\NAMESPACE\\. --install and --remove work on Windows alone; elsewhere write files with --output-dir.\n\n\
     Examples:\n  sandglass export taskscheduler nightly-backup\n  \
     sandglass export taskscheduler --output-dir tasks --program 'C:\\Tools\\sandglass.exe'\n  \
     sandglass export taskscheduler --install";

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Write each task into a file JOB.xml of this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["install", "remove"])]
    output_dir: Option<PathBuf>,
    /// Give the tasks to Task Scheduler; remove those of jobs that are not among them
    #[arg(long)]
    install: bool,
    /// Remove the tasks of the namespace from Task Scheduler
    #[arg(long, conflicts_with_all = ["install", "names", "tag", "files", "program"])]
    remove: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let namespace = context.client.namespace();
    if (args.install || args.remove) && !cfg!(windows) {
        return Err(Failure::usage(
            "--install and --remove ask Task Scheduler, which Windows alone has: write the tasks with --output-dir DIR, and on \
             Windows run `schtasks /Create /TN NAME /XML FILE` for each",
        ));
    }
    if args.remove {
        return install(&[], namespace, context);
    }
    let caller = if cfg!(windows) {
        args.which.caller(context)?
    } else {
        // This machine's paths mean nothing there.
        let flags = if is_local(context) { Vec::new() } else { daemon(context)? };
        caller(args.which.program.clone().unwrap_or_else(|| "sandglass.exe".to_owned()), flags)?
    };
    let selected = args.which.select(context).await?;
    let jobs = selected.sources(context).map(|source| task_of(&source, &caller));
    let items: Vec<JobTask> = jobs.filter(|job| job.xml.is_some() || !job.left_out.is_empty()).collect();
    items.iter().for_each(|job| tell_left_out(&job.job, &job.left_out, context));
    if args.output_dir.is_some() || args.install {
        items.iter().for_each(|job| tell_notes(&job.job, &job.notes, context));
        let with_xml = items.iter().filter(|job| job.xml.is_some());
        let exported = with_xml.map(|job| Exported { job: &job.job, partly: !job.left_out.is_empty() });
        tell_of_daemon(exported, &selected, context);
    }
    match &args.output_dir {
        Some(output_dir) => write(output_dir, &items, namespace, context),
        None if args.install => install(&items, namespace, context),
        None => {
            let page = Page { items, next: None };
            context.show(&page, |_| printed(&page.items))
        }
    }
}

/// One task as it is; several below lines that say where they belong.
fn printed(tasks: &[JobTask]) -> String {
    let texts: Vec<(&str, &str)> =
        tasks.iter().filter_map(|task| Some((task.path.as_str(), task.xml.as_deref()?))).collect();
    match texts.as_slice() {
        [(_, xml)] => (*xml).to_owned(),
        several => several.iter().map(|(path, xml)| format!("<!-- {path} -->\n{xml}")).collect(),
    }
}

/// Writes a file for each task, unless one of them is somebody else's.
fn write(output_dir: &Path, tasks: &[JobTask], namespace: &Namespace, context: &Context) -> Result<(), Failure> {
    let files: Vec<(PathBuf, &str)> = tasks
        .iter()
        .filter_map(|task| Some((output_dir.join(format!("{}.xml", task.job)), task.xml.as_deref()?)))
        .collect();
    let mut outcome = Outcome::default();
    let mut to_write = Vec::new();
    for (path, xml) in files {
        match std::fs::read(&path) {
            Ok(bytes) if bytes == xml.as_bytes() => outcome.unchanged.push(path.display().to_string()),
            Ok(bytes) if !is_ours(&String::from_utf8_lossy(&bytes), namespace) => {
                return Err(foreign(&path.display().to_string()));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::io(&format!("cannot read {}", path.display()), error));
            }
            _ => to_write.push((path, xml)),
        }
    }
    for (path, xml) in to_write {
        let written = std::fs::create_dir_all(output_dir).and_then(|()| std::fs::write(&path, xml));
        written.map_err(|error| Failure::io(&format!("cannot write {}", path.display()), error))?;
        outcome.written.push(path.display().to_string());
    }
    outcome.changed = !outcome.written.is_empty();
    context.show(&outcome, |_| outcome.text())?;
    context.hint(&format!("on Windows, for each of them: schtasks /Create /TN {}JOB /XML JOB.xml", folder(namespace)));
    Ok(())
}

fn foreign(what: &str) -> Failure {
    let detail = format!("{what} is there, and no export made it; nothing was changed");
    Problem::new(Code::ForeignFile, detail).with_hint("move it away, or choose other jobs").into()
}

/// Makes what Task Scheduler has of the namespace exactly these tasks.
fn install(tasks: &[JobTask], namespace: &Namespace, context: &Context) -> Result<(), Failure> {
    let mut outcome = Outcome::default();
    let there = paths(namespace)?;
    let wanted: Vec<(&str, &str)> =
        tasks.iter().filter_map(|task| Some((task.path.as_str(), task.xml.as_deref()?))).collect();
    for (path, _) in &wanted {
        if there.iter().any(|other| other == path) && !has_our_mark(path, namespace)? {
            return Err(foreign(path));
        }
    }
    for (path, xml) in &wanted {
        let written = tempfile::Builder::new().suffix(".xml").tempfile().and_then(|file| {
            std::fs::write(file.path(), xml)?;
            Ok(file.into_temp_path())
        });
        let file = written.map_err(|error| Failure::io("cannot write a temporary file", error))?;
        let file = file.display().to_string();
        schtasks(&["/Create", "/TN", path, "/XML", &file, "/F"])?;
        outcome.written.push((*path).to_owned());
    }
    for path in there.iter().filter(|path| !wanted.iter().any(|(wanted, _)| wanted == path)) {
        if has_our_mark(path, namespace)? {
            schtasks(&["/Delete", "/TN", path, "/F"])?;
            outcome.removed.push(path.clone());
        }
    }
    outcome.changed = !outcome.written.is_empty() || !outcome.removed.is_empty();
    context.show(&outcome, |_| outcome.text())
}

/// The tasks in the namespace's folder.
fn paths(namespace: &Namespace) -> Result<Vec<String>, Failure> {
    let listed = schtasks(&["/Query", "/FO", "CSV", "/NH"])?;
    let folder = folder(namespace);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut paths: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix('"')?.split('"').next())
        .filter(|path| path.starts_with(&folder))
        .map(str::to_owned)
        .collect();
    // A task is listed for each of its triggers.
    paths.dedup();
    Ok(paths)
}

fn has_our_mark(path: &str, namespace: &Namespace) -> Result<bool, Failure> {
    let shown = schtasks(&["/Query", "/TN", path, "/XML"])?;
    // It prints two bytes for each character or one, as it pleases; ours are ASCII.
    let text: Vec<u8> = shown.stdout.into_iter().filter(|byte| *byte != 0).collect();
    Ok(is_ours(&String::from_utf8_lossy(&text), namespace))
}

fn schtasks(args: &[&str]) -> Result<Output, Failure> {
    let output = Command::new("schtasks").args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::io("cannot run `schtasks`", error))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().next().unwrap_or("it said nothing");
    Err(Problem::new(Code::Unavailable, format!("`schtasks {}` failed: {said}", args[0])).into())
}
