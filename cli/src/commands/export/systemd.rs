//! `export systemd`.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandglass_api::native::systemd::{JobUnits, Manager, UnitFile, is_ours, prefix, units_of};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::Page;
use sandglass_core::id::Namespace;

use super::which::Which;
use super::{Exported, Outcome, tell_left_out, tell_notes, tell_of_daemon};
use crate::context::Context;
use crate::failure::Failure;

pub(super) const HELP: &str = "Units are named sandglass-NAMESPACE-JOB. Only files whose first line says that an export made \
     them are replaced and removed. --install leaves exactly the jobs that are named.\n\nExamples:\n  \
     sandglass export systemd\n  sandglass export systemd nightly-backup --install\n  \
     sudo sandglass export systemd --system --install\n  sandglass export systemd --install --dir ./units\n  \
     sandglass export systemd --remove";

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Write the units and start their timers; remove those of jobs that are not among them
    #[arg(long)]
    install: bool,
    /// Stop and remove the units of the namespace
    #[arg(long, conflicts_with_all = ["install", "names", "tag", "files", "program"])]
    remove: bool,
    /// Units of the system, in /etc/systemd/system, rather than your own
    #[arg(long)]
    system: bool,
    /// The folder of the units; systemd is told nothing
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What a file of a unit is to become.
enum Change<'a> {
    Write(&'a UnitFile),
    Keep(&'a UnitFile),
    Remove(String),
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let manager = if args.system { Manager::System } else { Manager::User };
    let folder = match &args.dir {
        Some(folder) => folder.clone(),
        None => folder_of(manager)?,
    };
    let namespace = context.client.namespace();
    if args.remove {
        let changes = changes(&folder, &[], namespace)?;
        return make(&changes, &folder, manager, args.dir.is_none(), context);
    }
    let caller = args.which.caller(context)?;
    let selected = args.which.select(context).await?;
    let jobs = selected.sources(context).map(|source| units_of(&source, &caller, manager));
    let items: Vec<JobUnits> = jobs.filter(|job| !job.files.is_empty() || !job.left_out.is_empty()).collect();
    items.iter().for_each(|job| tell_left_out(&job.job, &job.left_out, context));
    if !args.install {
        let page = Page { items, next: None };
        return context.show(&page, |_| printed(&page.items, &folder));
    }
    let files: Vec<UnitFile> = items.iter().flat_map(|job| job.files.iter().cloned()).collect();
    let changes = changes(&folder, &files, namespace)?;
    items.iter().for_each(|job| tell_notes(&job.job, &job.notes, context));
    let with_files = items.iter().filter(|job| !job.files.is_empty());
    let exported = with_files.map(|job| Exported { job: &job.job, partly: !job.left_out.is_empty() });
    tell_of_daemon(exported, &selected, context);
    make(&changes, &folder, manager, args.dir.is_none(), context)
}

/// Every file below a line that says where it belongs.
fn printed(jobs: &[JobUnits], folder: &Path) -> String {
    let files = jobs.iter().flat_map(|job| &job.files);
    let file = |file: &UnitFile| format!("# {}\n{}", folder.join(&file.name).display(), file.text);
    files.map(file).collect::<Vec<_>>().join("\n")
}

fn folder_of(manager: Manager) -> Result<PathBuf, Failure> {
    if manager == Manager::System {
        return Ok("/etc/systemd/system".into());
    }
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    let config = config.ok_or_else(|| Failure::usage("HOME is not set: name the folder of the units with --dir"))?;
    Ok(config.join("systemd/user"))
}

/// What becomes of each file of the namespace. Nothing is, if a file is in the way that is not ours.
fn changes<'a>(folder: &Path, files: &'a [UnitFile], namespace: &Namespace) -> Result<Vec<Change<'a>>, Failure> {
    let mut changes = Vec::new();
    for file in files {
        let path = folder.join(&file.name);
        changes.push(match read(&path)? {
            Some(text) if text == file.text => Change::Keep(file),
            Some(text) if !is_ours(&text, namespace) => {
                let detail = format!("{} is there, and no export made it; nothing was changed", path.display());
                return Err(Problem::new(Code::ForeignFile, detail)
                    .with_hint("move it away, or choose other jobs")
                    .into());
            }
            _ => Change::Write(file),
        });
    }
    let wanted: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    for name in names(folder, namespace)?.into_iter().filter(|name| !wanted.contains(name.as_str())) {
        if read(&folder.join(&name))?.is_some_and(|text| is_ours(&text, namespace)) {
            changes.push(Change::Remove(name));
        }
    }
    Ok(changes)
}

/// The names of files that may be units of the namespace, in order.
fn names(folder: &Path, namespace: &Namespace) -> Result<BTreeSet<String>, Failure> {
    let prefix = prefix(namespace);
    let failed = |error| Failure::io(&format!("cannot read the folder {}", folder.display()), error);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let is_unit =
            |name: &&str| name.starts_with(&prefix) && (name.ends_with(".service") || name.ends_with(".timer"));
        names.extend(name.to_str().filter(is_unit).map(str::to_owned));
    }
    Ok(names)
}

/// A file's text, if there is one. What is no text is nobody's of ours, and neither is what is no file: links are not followed.
fn read(path: &Path) -> Result<Option<String>, Failure> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Ok(Some(String::new()));
    }
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io(&format!("cannot read {}", path.display()), error)),
    }
}

/// Makes the changes, and tells systemd of them if it is to know.
fn make(changes: &[Change<'_>], folder: &Path, manager: Manager, tell: bool, context: &Context) -> Result<(), Failure> {
    let mut outcome = Outcome::default();
    let mut systemctl = Systemctl::new(manager, tell);
    let (mut timers, mut services, mut disabled, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        let (file, is_new) = match change {
            Change::Keep(file) => (file, false),
            Change::Write(file) => (file, true),
            Change::Remove(name) => {
                gone.push(name.as_str());
                continue;
            }
        };
        let name = file.name.as_str();
        if !is_new {
            outcome.unchanged.push(name.to_owned());
        }
        // Also what is kept: that it was written says nothing of whether systemd was told.
        if file.enabled && name.ends_with(".timer") {
            timers.push(name);
        } else if file.enabled {
            services.push(name);
        } else if is_new && folder.join(name).exists() {
            // It may have been enabled by what was written before.
            disabled.push(name);
        }
    }
    // What is going on is let go on: a service that is removed has been started by its timer, and ends by itself.
    let gone_timers: Vec<&str> = gone.iter().copied().filter(|name| name.ends_with(".timer")).collect();
    let gone_services: Vec<&str> = gone.iter().copied().filter(|name| name.ends_with(".service")).collect();
    systemctl.call(&["disable", "--now"], &gone_timers);
    systemctl.call(&["disable"], &gone_services);
    for change in changes {
        match change {
            Change::Write(file) => {
                write(folder, file)?;
                outcome.written.push(file.name.clone());
            }
            Change::Remove(name) => {
                let path = folder.join(name);
                std::fs::remove_file(&path)
                    .map_err(|error| Failure::io(&format!("cannot remove {}", path.display()), error))?;
                outcome.removed.push(name.clone());
            }
            Change::Keep(_) => {}
        }
    }
    outcome.changed = !outcome.written.is_empty() || !outcome.removed.is_empty();
    if outcome.changed {
        systemctl.call(&["daemon-reload"], &[]);
    }
    if tell || outcome.changed {
        systemctl.call(&["disable"], &disabled);
        systemctl.call(&["enable", "--now"], &timers);
        systemctl.call(&["enable"], &services);
    }
    context.show(&outcome, |_| outcome.text())?;
    systemctl.finish(context)
}

/// Writes a file so that nobody ever sees half of it.
fn write(folder: &Path, file: &UnitFile) -> Result<(), Failure> {
    let path = folder.join(&file.name);
    let write = || -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut new = tempfile::Builder::new().prefix(".sandglass-").tempfile_in(folder)?;
        new.write_all(file.text.as_bytes())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            new.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        new.as_file().sync_all()?;
        new.persist(&path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| Failure::io(&format!("cannot write {}", path.display()), error))
}

/// Tells systemd what to do, or people what to tell it.
struct Systemctl {
    flags: &'static [&'static str],
    /// Whether systemd is asked at all.
    asks: bool,
    /// What was not done, as commands.
    undone: Vec<String>,
    failure: Option<String>,
}

impl Systemctl {
    fn new(manager: Manager, asks: bool) -> Self {
        let flags: &[&str] = if manager == Manager::User { &["--user"] } else { &[] };
        Self { flags, asks, undone: Vec::new(), failure: None }
    }

    /// Calls it, if there is something to be said of `units`, or of none at all.
    fn call(&mut self, verb: &[&str], units: &[&str]) {
        if units.is_empty() && verb != ["daemon-reload"] {
            return;
        }
        let quoted: Vec<String> = units
            .iter()
            .map(|unit| if unit.contains('\\') { format!("'{unit}'") } else { (*unit).to_owned() })
            .collect();
        let words = self.flags.iter().chain(verb).map(|word| (*word).to_owned()).chain(quoted);
        let shown = format!("systemctl {}", words.collect::<Vec<_>>().join(" "));
        if !self.asks || self.failure.is_some() {
            self.undone.push(shown);
            return;
        }
        let mut command = Command::new("systemctl");
        command.args(self.flags).args(verb).args(units).stdin(Stdio::null());
        match command.output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.trim().lines().next().unwrap_or("it said nothing");
                self.failure = Some(format!("`{shown}` failed: {said}"));
                self.undone.push(shown);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.asks = false;
                self.undone.push(shown);
            }
            Err(error) => {
                self.failure = Some(format!("`{shown}` cannot be run: {error}"));
                self.undone.push(shown);
            }
        }
    }

    /// Says what is left to do.
    fn finish(self, context: &Context) -> Result<(), Failure> {
        let commands = self.undone.join("; ");
        match self.failure {
            Some(failure) => {
                let problem =
                    Problem::new(Code::Unavailable, format!("the files are as they should be, but {failure}"));
                Err(problem.with_hint(format!("run yourself: {commands}")).into())
            }
            None if !commands.is_empty() => {
                context.hint(&format!("where the files are to be used, run: {commands}"));
                Ok(())
            }
            None => Ok(()),
        }
    }
}
