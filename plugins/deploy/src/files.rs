//! The action `files`.

use futures_util::future::LocalBoxFuture;
use sandglass_plugin::plan::{Effect, Plan, Planned, Step};
use sandglass_plugin::remote::{ChangeKind, CopyOptions, FileChange, FileKind, Session, Target};
use sandglass_plugin::schemars::{self, JsonSchema};
use sandglass_plugin::serde::{self, Deserialize};
use sandglass_plugin::serde_json::Value;
use sandglass_plugin::{
    Action, Context, Error, ErrorCode, Failure, FileRef, Issue, Outcome, Schemas, Words, examples, files, include_json,
    include_schema, log, params,
};

use crate::change::Change;
use crate::deployment::{Deployment, Done};
use crate::fault::Fault;
use crate::report::Report;
use crate::rollout::{self, rollout};
use crate::strategy::{Kind, Strategy};

/// The most files of a job.
const MAX_FILES: usize = 1000;
/// How far up is looked for the first folder that is there.
const MAX_PARENTS: usize = 64;

/// What a job gives.
#[params]
pub(crate) struct Params {
    /// Names, patterns such as "web-*", "group:NAME", or an expression on labels such as "role == web".
    #[schemars(extend("format" = "targets"))]
    targets: Words,
    /// The files.
    files: Vec<FileSpec>,
    /// The account that writes them, by `sudo`, if not the one that logs in.
    #[serde(default)]
    account: Option<String>,
    /// How many targets at once, and when to stop.
    #[serde(default)]
    strategy: Strategy,
}

/// A file that a target should have.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", deny_unknown_fields)]
#[schemars(crate = "self::schemars")]
struct FileSpec {
    /// Where it is on the target: a whole path.
    dest: String,
    /// Where it comes from: a whole path in a folder that the job is granted (`grants: {files: ["/srv/builds:ro"]}`), or a path
    /// in the run's own folder. With `/` at its end: all files of that folder, with their modes unless one is given.
    #[serde(default)]
    source: Option<String>,
    /// Instead of a source: the text itself.
    #[serde(default)]
    contents: Option<String>,
    /// Its permissions, such as "0644"; those of the file that is there, or else 0644, by default.
    #[serde(default)]
    mode: Option<String>,
    /// `user`, `user:group` or `:group`; those of the file that is there by default.
    #[serde(default)]
    owner: Option<String>,
    /// Whether the target should have no such file.
    #[serde(default)]
    absent: bool,
    /// Of a folder: whether files there that the source has not are removed.
    #[serde(default)]
    delete: bool,
}

impl FileSpec {
    fn is_folder(&self) -> bool {
        self.source.as_deref().is_some_and(|source| source.ends_with('/'))
    }

    /// Where it is, without the slash that a folder may have at its end.
    fn place(&self) -> &str {
        let dest = self.dest.as_str();
        if self.is_folder() { dest.strip_suffix('/').unwrap_or(dest) } else { dest }
    }
}

pub(crate) struct Files;

impl Action for Files {
    const NAME: &'static str = "files";
    const TITLE: &'static str = "Put files on targets";
    const DESCRIPTION: &'static str =
        "Puts files on targets over SSH, each whole or not at all; what is there already is left alone.";
    const SCHEMAS: Option<Schemas> = Some(Schemas {
        params: include_schema!("src/files.params.json"; Kind, Period, Strategy, Words),
        output: Some(include_schema!("src/files.output.json")),
    });
    type Params = Params;
    type Output = Report;

    fn examples() -> Vec<Value> {
        examples(include_json!("src/files.examples.json"))
    }

    fn validate(params: &Params) -> Vec<Issue> {
        let mut issues = Vec::new();
        if !(1..=MAX_FILES).contains(&params.files.len()) {
            issues.push(Issue { pointer: "/files".to_owned(), message: format!("a job has 1 to {MAX_FILES} files") });
        }
        for (at, file) in params.files.iter().enumerate() {
            let mut issue = |name: &str, message: &str| {
                issues.push(Issue { pointer: format!("/files/{at}/{name}"), message: message.to_owned() });
            };
            if !is_whole(file.place()) {
                issue("dest", "write a whole path on the target, such as /etc/motd, without '..' or '//'");
            }
            if usize::from(file.source.is_some()) + usize::from(file.contents.is_some()) + usize::from(file.absent) != 1
            {
                issue("source", "write one of `source`, `contents` and `absent: true`");
            }
            if file.delete && !file.is_folder() {
                issue("delete", "only folders have files to remove: write '/' at the end of `source`");
            }
            let within =
                |other: &FileSpec| other.place().strip_prefix(file.place()).is_some_and(|rest| rest.starts_with('/'));
            if file.delete && params.files.iter().any(within) {
                issue("delete", "another entry's file is in this folder and would be removed");
            }
            if file.mode.as_deref().is_some_and(|mode| self::mode(mode).is_none()) {
                issue("mode", "write permissions in octal, in quotes, such as \"0644\"");
            }
        }
        params.strategy.validate(&params.targets, &mut issues);
        issues
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<Report>, Failure> {
        let targets = params.targets.clone().into_vec();
        let deployment = Deployed::of(params.files, &params.strategy, context);
        rollout(&deployment, &targets, params.account.as_deref(), &params.strategy, context)
    }
}

impl Plan for Files {
    fn plan(params: Params, context: &Context) -> Result<Planned, Error> {
        let deployment = Deployed::of(params.files, &params.strategy, context);
        rollout::plan(&deployment, &params.targets.into_vec(), params.account.as_deref(), &params.strategy)
    }
}

fn is_whole(path: &str) -> bool {
    path.len() > 1
        && path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
        && !path.contains(['\0', '\n'])
}

/// Permissions in octal.
fn mode(text: &str) -> Option<u32> {
    let is_octal = (1..=5).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o7777)
}

/// The files, and whether what was there is kept to be put back.
struct Deployed {
    files: Vec<FileSpec>,
    keeps: bool,
    /// What the names of kept files end with.
    suffix: String,
}

impl Deployed {
    fn of(files: Vec<FileSpec>, strategy: &Strategy, context: &Context) -> Self {
        // The same for all attempts of a run, so that one finds what was kept by another that was cut off.
        let suffix = format!("sandglass-{}", context.run().run_id);
        Self { files, keeps: strategy.kind == Kind::Transactional, suffix }
    }

    /// Keeps what is at `dest`, so that it can be put back.
    async fn keep(&self, session: &Session, file: &FileSpec, number: usize, done: &mut Done) -> Result<(), Fault> {
        let (dest, is_folder) = (file.place().to_owned(), file.is_folder());
        let kept = self.kept(&dest, number);
        let found = session.stat(&dest, false).await?;
        if let Some(found) = &found
            && (found.kind == FileKind::Directory) != is_folder
        {
            let what = if is_folder { "no folder, and one" } else { "a folder, and a file" };
            return Err(Fault::new(format!("{dest} is {what} should be there")));
        }
        // What an earlier attempt of this run kept is how it was before; a folder is gone for a moment while it is put back.
        let is_kept = (found.is_some() || is_folder) && session.stat(&kept, false).await?.is_some();
        if found.is_some() && !is_kept {
            session.copy(&dest, &kept).await?;
        }
        done.changes.push(if found.is_some() || is_kept {
            Change::Replaced { dest, kept, is_folder }
        } else {
            Change::Created { folders: missing_folders(session, &dest).await?, dest, is_folder }
        });
        Ok(())
    }

    /// Beside it, so that it can be put back by a rename.
    fn kept(&self, dest: &str, number: usize) -> String {
        let (folder, name) = dest.rsplit_once('/').unwrap_or(("", dest));
        let name: String = name.chars().take(80).collect();
        format!("{folder}/.{name}.{}-{number}", self.suffix)
    }

    /// Makes the file as it should be, unless it only shall be told whether it is not. Gives what is other than before, or would be.
    async fn put(&self, session: &Session, file: &FileSpec, dry_run: bool) -> Result<Vec<FileChange>, Fault> {
        if file.absent {
            let was_there = session.stat(&file.dest, false).await?;
            if was_there.is_some() && !dry_run {
                session.remove(&file.dest, false).await?;
            }
            return Ok(was_there
                .map(|_| FileChange { path: file.dest.clone(), kind: ChangeKind::Remove })
                .into_iter()
                .collect());
        }
        let options = CopyOptions {
            mode: file.mode.as_deref().and_then(mode),
            owner: file.owner.clone(),
            make_parents: true,
            skip_unchanged: true,
            dry_run,
            delete: file.delete,
        };
        let report = match (&file.source, &file.contents) {
            (Some(source), _) => session.upload(&reference(source), file.place(), &options).await?,
            (None, contents) => {
                let contents = contents.as_deref().unwrap_or_default();
                session.write_file(&file.dest, contents.as_bytes(), &options).await?
            }
        };
        Ok(report.changes)
    }
}

/// A file of the run, or of a folder that it was granted.
pub(crate) fn reference(source: &str) -> FileRef {
    if source.starts_with('/') {
        return FileRef { mount: String::new(), path: source.to_owned() };
    }
    files::in_work(source)
}

/// The folders above `dest` that are not there, the innermost first.
async fn missing_folders(session: &Session, dest: &str) -> Result<Vec<String>, Fault> {
    let mut missing = Vec::new();
    let mut path = dest;
    for _ in 0..MAX_PARENTS {
        path = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if path.is_empty() {
            break;
        }
        match session.stat(path, false).await {
            Ok(None) => missing.push(path.to_owned()),
            Err(error) if error.code != ErrorCode::Denied => return Err(error.into()),
            // What the grants leave out is not ours to remove.
            _ => break,
        }
    }
    Ok(missing)
}

impl Deployment for Deployed {
    fn apply<'a>(
        &'a self,
        target: &'a Target,
        session: &'a Session,
        done: &'a mut Done,
    ) -> LocalBoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            if self.keeps {
                log::info!("{}: what was there is kept beside it as .NAME.{}-N", target.name, self.suffix);
            }
            for (number, file) in self.files.iter().enumerate() {
                if self.keeps {
                    self.keep(session, file, number, done).await?;
                }
                done.is_changed |= !self.put(session, file, false).await?.is_empty();
            }
            Ok(())
        })
    }

    fn plan<'a>(&'a self, target: &'a Target, session: &'a Session) -> LocalBoxFuture<'a, Result<Vec<Step>, Fault>> {
        Box::pin(async move {
            let mut steps = Vec::new();
            for file in &self.files {
                for change in self.put(session, file, true).await? {
                    let (effect, what) = match change.kind {
                        ChangeKind::Remove => (Effect::Remove, "remove the file"),
                        ChangeKind::Update => (Effect::Update, "replace the file"),
                        ChangeKind::Create => (Effect::Create, "write the file"),
                    };
                    steps.push(Step::new(effect, format!("{}:{}", target.name, change.path), what));
                }
            }
            Ok(steps)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_modes_are_checked() {
        assert!(
            is_whole("/etc/motd") && !is_whole("/") && !is_whole("etc") && !is_whole("/a/../b") && !is_whole("/a//b")
        );
        assert_eq!((mode("0644"), mode("755"), mode("4755")), (Some(0o644), Some(0o755), Some(0o4755)));
        assert!(["", "rw", "999", "0x1", "17777", "+644"].iter().all(|text| mode(text).is_none()));
    }
}
