//! Reading `/proc`: who our children are, whose children they have, and which run they belong to.
//!
//! Processes come and go while it is read, so every answer may be a moment old and a missing file means a missing
//! process.

use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable by which a process is known to belong to a run.
pub(crate) const RUN_VARIABLE: &str = "SANDGLASS_RUN_ID";

/// The most processes that one look at a tree takes in; the next look finds the rest.
const TREE: usize = 4096;

/// What `/proc/PID/stat` tells of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stat {
    pub(super) zombie: bool,
    /// The id of the process that leads its group, with 0 as for `session`.
    pub(super) group: i32,
    /// The id of the process that leads its session. 0 if that process is outside of our process namespace, as it is
    /// for what was started in a container from outside.
    pub(super) session: i32,
    /// When it started, in ticks since the machine did: with its id, its identity.
    pub(super) started: u64,
}

/// The state of a process, unless it is gone.
pub(super) fn stat(pid: Pid) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&text)
}

/// Whether the process that had `pid` when it was looked at still lives.
pub(super) fn lives(pid: Pid, started: u64) -> bool {
    stat(pid).is_some_and(|stat| stat.started == started && !stat.zombie)
}

/// Sends a signal to the process that had `pid` when it was looked at, and to no other that has got its id since.
pub(super) fn send(pid: Pid, started: u64, signal: Signal) {
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if lives(pid, started) {
        // Gone already, or not ours to signal: either way the next look tells.
        let _ = pidfd_send_signal(pidfd, signal);
    }
}

/// The session of this process, which may be 0 as in [`Stat`]: not for functions that take a process id.
pub(super) fn our_session() -> Option<i32> {
    Some(stat(rustix::process::getpid())?.session)
}

/// The name, in brackets, may hold anything; the fields that follow its last bracket do not.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    let started = fields.nth(15)?.parse().ok()?;
    Some(Stat { zombie: matches!(state, "Z" | "X"), group, session, started })
}

/// The children of this process, those included that became ours when their parent ended.
pub(super) fn our_children() -> Vec<Pid> {
    children_of("self")
}

fn children_of(process: &str) -> Vec<Pid> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        if let Ok(text) = fs::read_to_string(thread.path().join("children")) {
            children.extend(text.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)));
        }
    }
    children
}

/// `root` and everything below it, parents first.
pub(super) fn tree(root: Pid) -> Vec<Pid> {
    let mut tree = vec![root];
    let mut next = 0;
    while next < tree.len() && tree.len() < TREE {
        let children = children_of(&tree[next].to_string());
        tree.extend(children);
        next += 1;
    }
    tree
}

/// The run that a process belongs to by its environment, as it was when its program started.
pub(super) fn run_of(pid: Pid) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(RUN_VARIABLE.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_whatever_the_name() {
        let text = "42 (a) Z (b) ) S 1 40 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987 10 11";
        assert_eq!(parse_stat(text), Some(Stat { zombie: false, group: 40, session: 41, started: 987 }));
        let outside = text.replace(" 40 41 ", " 0 0 ");
        assert_eq!(parse_stat(&outside), Some(Stat { zombie: false, group: 0, session: 0, started: 987 }));
        assert_eq!(parse_stat("42 (a"), None);
    }

    #[test]
    fn we_are_found() {
        let stat = stat(rustix::process::getpid()).unwrap();
        assert!(!stat.zombie);
        assert_eq!(Some(stat.session), our_session());
    }
}
