//! From a guest's command to what is started: which program, granted or not, with which arguments, environment and
//! folder.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sandglass_core::capability::{Capability, ProgramUse};
use sandglass_core::id::Digest;

use super::proc::RUN_VARIABLE;
use crate::attempt::Attempt;
use crate::bindings::process::Command;
use crate::bindings::types::ErrorCode;
use crate::capability::exec::{about_run, secret_variables, without_secret};
use crate::capability::{CallError, CallResult};

/// Where bare program names are looked up, and what processes get as `PATH`.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program is given.
pub(super) struct Prepared {
    pub(super) args: Vec<CString>,
    pub(super) env: Vec<CString>,
}

/// A program that was looked for.
pub(super) enum Found {
    /// It may be started.
    Granted(Granted),
    /// It may be started if its file has the right digest.
    IfDigest(Candidate),
}

/// A program that may be started.
pub(super) struct Granted {
    /// Its file, links resolved.
    pub(super) file: PathBuf,
    /// What it is told that it was called by: what the guest says, or where a grant looks at its arguments, what the grant calls
    /// it, as some programs do what their name says.
    pub(super) name: String,
}

/// A program that may be started if its file has the right digest.
pub(super) struct Candidate {
    /// Its file, links resolved.
    pub(super) file: PathBuf,
    /// By what a grant may call it; there is at least one.
    names: Vec<String>,
}

/// Puts arguments and environment together.
pub(super) fn prepare(attempt: &Attempt, command: &Command, name: String) -> CallResult<Prepared> {
    let mut args = vec![c_string("the program's name", name)?];
    for arg in &command.args {
        without_secret(attempt, arg)?;
        args.push(c_string("an argument", arg.clone())?);
    }
    let secrets = secret_variables(attempt, &command.env)?;
    let given = attempt.env().keys().map(String::as_str).chain(command.env.iter().map(|(name, _)| name.as_str()));
    for name in given.chain(secrets.iter().map(|(name, _)| name.as_str())) {
        let variable = attempt.work.grants.variable(name);
        variable.map_err(|denial| attempt.refused(Capability::Process, &denial))?;
    }
    let mut env = Vec::new();
    let mut usual = environment(attempt, &command.env);
    for (name, value) in secrets {
        usual.remove(name.as_str());
        env.push(variable(attempt, name.as_str(), value)?);
    }
    for (name, value) in usual {
        if name.is_empty() || name.contains('=') {
            return Err(invalid(format!("'{name}' cannot be the name of an environment variable")));
        }
        env.push(variable(attempt, &name, value.as_bytes())?);
    }
    attempt.used(Capability::Process);
    Ok(Prepared { args, env })
}

/// `name=value` for a process; what stands for a secret is replaced by its value.
fn variable(attempt: &Attempt, name: &str, value: &[u8]) -> CallResult<CString> {
    let filled = attempt.for_process(value)?;
    let text = [name.as_bytes(), b"=", filled.as_deref().unwrap_or(value)].concat();
    CString::new(text).map_err(|_| invalid("an environment variable holds a NUL character".to_owned()))
}

fn invalid(message: String) -> CallError {
    CallError::new(ErrorCode::InvalidArgument, message)
}

fn c_string(what: &str, text: String) -> CallResult<CString> {
    CString::new(text).map_err(|_| invalid(format!("{what} holds a NUL character, which no program can be given")))
}

pub(super) fn path_string(path: &Path) -> CallResult<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| invalid("a path holds a NUL character".to_owned()))
}

/// The program that is meant, if the run may start it.
pub(super) fn find(attempt: &Attempt, command: &Command) -> CallResult<Found> {
    let name = command.program.as_str();
    let found = if name.starts_with('/') {
        PathBuf::from(name)
    } else if name.is_empty() || name.contains('/') {
        return Err(invalid(format!("'{name}' is neither an absolute path nor the bare name of a program")));
    } else {
        SEARCH_PATH
            .split(':')
            .map(|folder| Path::new(folder).join(name))
            .find(|path| is_program(path))
            .ok_or_else(|| not_found(format!("there is no program '{name}' on {SEARCH_PATH}")))?
    };
    let file = fs::canonicalize(&found)
        .map_err(|error| not_found(format!("the program {} cannot be started: {error}", found.display())))?;
    if !is_program(&file) {
        return Err(not_found(format!("{} is not an executable file", file.display())));
    }
    granted(attempt, &found, file, command)
}

fn not_found(message: String) -> CallError {
    CallError::new(ErrorCode::NotFound, message)
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Asks the grants for the file itself, and for the other names that it is known by: where `/bin` is a link to
/// `/usr/bin`, a grant for `/bin/sh` means the file that `sh` is.
fn granted(attempt: &Attempt, found: &Path, file: PathBuf, command: &Command) -> CallResult<Found> {
    let (grants, args) = (&attempt.work.grants, command.args.as_slice());
    let Some(text) = file.to_str() else {
        return Err(invalid(format!("the path {} is not UTF-8", file.display())));
    };
    let Err(denial) = grants.program(&ProgramUse { path: text, args, digest: None }) else {
        let name = name(attempt, text, command);
        return Ok(Found::Granted(Granted { file, name }));
    };
    let mut names = Vec::new();
    for path in std::iter::once(text.to_owned()).chain(aliases(found, &file)) {
        let program = ProgramUse { path: &path, args, digest: None };
        if grants.program(&program).is_ok() {
            return Ok(Found::Granted(Granted { name: name(attempt, &path, command), file: file.clone() }));
        }
        if grants.may_start(&program) && !names.contains(&path) {
            names.push(path);
        }
    }
    if names.is_empty() {
        return Err(attempt.refused(Capability::Process, &denial));
    }
    Ok(Found::IfDigest(Candidate { file, names }))
}

/// By what a program that is granted as `path` is told that it was called.
fn name(attempt: &Attempt, path: &str, command: &Command) -> String {
    let program = ProgramUse { path, args: &command.args, digest: None };
    if attempt.work.grants.looks_at_args(&program) { path.to_owned() } else { command.program.clone() }
}

/// The other names of a file that was found as `found`: those in the usual folders that lead to it.
fn aliases<'a>(found: &'a Path, file: &'a Path) -> impl Iterator<Item = String> + 'a {
    let names = [found.file_name(), file.file_name()];
    let usual = SEARCH_PATH
        .split(':')
        .flat_map(move |folder| names.into_iter().flatten().map(move |name| Path::new(folder).join(name)));
    let all = std::iter::once(found.to_path_buf()).chain(usual);
    let same = all.filter(move |alias| fs::canonicalize(alias).is_ok_and(|target| target == file));
    same.filter_map(|alias| alias.to_str().map(str::to_owned))
}

impl Candidate {
    /// Asks the grants again, now that its digest is known.
    pub(super) fn granted(&self, attempt: &Attempt, command: &Command, digest: Digest) -> CallResult<String> {
        let asks =
            |path: &str| attempt.work.grants.program(&ProgramUse { path, args: &command.args, digest: Some(digest) });
        let mut refused = None;
        for path in &self.names {
            match asks(path) {
                Ok(()) => return Ok(name(attempt, path, command)),
                Err(denial) => _ = refused.get_or_insert(denial),
            }
        }
        let denial = refused.expect("there is at least one name");
        Err(attempt.refused(Capability::Process, &denial))
    }
}

/// Nothing of the daemon's own environment: a few usual variables, then the job's, then the command's.
fn environment(attempt: &Attempt, extra: &[(String, String)]) -> BTreeMap<String, String> {
    let (user, home) = account();
    let mut env: BTreeMap<String, String> = [
        ("PATH", SEARCH_PATH.to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("HOME", home.clone()),
        ("USER", user.clone()),
        ("LOGNAME", user.clone()),
        ("SHELL", "/bin/sh".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    env.extend(about_run(attempt));
    env.extend(attempt.env().clone());
    env.extend(extra.iter().cloned());
    // Last, as it is how the run's processes are found again.
    env.insert(RUN_VARIABLE.to_owned(), attempt.run.to_string());
    env
}

/// Name and home folder of the user that the daemon runs as.
fn account() -> &'static (String, String) {
    static ACCOUNT: OnceLock<(String, String)> = OnceLock::new();
    ACCOUNT.get_or_init(|| {
        let uid = rustix::process::getuid().as_raw().to_string();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        find_account(&users, &uid).unwrap_or_else(|| (uid, "/".to_owned()))
    })
}

/// A line is `name:password:uid:gid:comment:home:shell`.
fn find_account(users: &str, uid: &str) -> Option<(String, String)> {
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, _, _, home, ..] = fields[..] else { return None };
        (id == uid).then(|| (name.to_owned(), home.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_found_by_its_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(find_account(users, "1000"), Some(("ada".to_owned(), "/home/ada".to_owned())));
        assert_eq!(find_account(users, "1"), None);
    }
}
