//! Starting, watching and reaping a process: the one place where C functions are called.
//!
//! `posix_spawn` rather than fork: a daemon with much memory forks many times slower.
#![allow(
    unsafe_code,
    reason = "posix_spawn, wait4 and watching a descriptor are unsafe calls; each says why it is sound"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What is needed to start a process.
pub(super) struct Launch<'a> {
    /// The program's file.
    pub(super) program: &'a CStr,
    /// Its arguments, its name first.
    pub(super) args: &'a [CString],
    /// Its whole environment, as `NAME=value`.
    pub(super) env: &'a [CString],
    /// The folder it starts in.
    pub(super) directory: &'a CStr,
    /// Its standard input, output and error. Every other descriptor is closed.
    pub(super) stdio: [BorrowedFd<'a>; 3],
}

/// How a process ended, and what it used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reaped {
    pub(super) status: ExitStatus,
    pub(super) cpu: Duration,
    pub(super) peak_memory_bytes: u64,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ExitStatus {
    Exited(i32),
    Signalled(i32),
}

/// The C functions give an error number instead of setting `errno`.
fn check(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

/// File actions that are freed when dropped.
struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: the pointer is to writable memory of the right type, which the call initialises if it succeeds.
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above.
        Ok(Self(unsafe { actions.assume_init() }))
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new` and destroyed only here.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

/// Attributes that are freed when dropped.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    /// A session and process group of its own, no signal blocked, every signal as it is by default.
    fn new() -> io::Result<Self> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the pointer is to writable memory of the right type, which the call initialises if it succeeds.
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above.
        let mut attributes = Self(unsafe { attributes.assume_init() });
        let mut signals = MaybeUninit::uninit();
        // SAFETY: `signals` is written by the first call of each pair before it is read; `attributes` is initialised.
        unsafe {
            libc::sigemptyset(signals.as_mut_ptr());
            check(libc::posix_spawnattr_setsigmask(&raw mut attributes.0, signals.as_ptr()))?;
            libc::sigfillset(signals.as_mut_ptr());
            check(libc::posix_spawnattr_setsigdefault(&raw mut attributes.0, signals.as_ptr()))?;
        }
        let flags = libc::POSIX_SPAWN_SETSID
            | libc::c_short::try_from(libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF)
                .expect("the flags of posix_spawn fit its type for flags");
        // SAFETY: `attributes` is initialised.
        check(unsafe { libc::posix_spawnattr_setflags(&raw mut attributes.0, flags) })?;
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new` and destroyed only here.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

/// Starts a process. It leads a session and a process group that have its id.
pub(super) fn spawn(launch: &Launch<'_>) -> io::Result<Pid> {
    let mut actions = Actions::new()?;
    let attributes = Attributes::new()?;
    for (target, source) in (0..).zip(&launch.stdio) {
        // SAFETY: `actions` is initialised and the descriptor is open for as long as `launch` lives.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut actions.0, source.as_raw_fd(), target) })?;
    }
    // SAFETY: `actions` is initialised; the path is a C string, which the call copies.
    check(unsafe { libc::posix_spawn_file_actions_addchdir_np(&raw mut actions.0, launch.directory.as_ptr()) })?;
    #[cfg(target_env = "gnu")]
    // SAFETY: `actions` is initialised.
    check(unsafe { libc::posix_spawn_file_actions_addclosefrom_np(&raw mut actions.0, 3) })?;
    let args = pointers(launch.args);
    let env = pointers(launch.env);
    let mut pid = 0;
    // SAFETY: all pointers are to initialised values that outlive the call; the arrays end with a null pointer, and
    // posix_spawn does not write to the strings although its signature would let it.
    check(unsafe {
        libc::posix_spawn(
            &raw mut pid,
            launch.program.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            args.as_ptr(),
            env.as_ptr(),
        )
    })?;
    Ok(Pid::from_raw(pid).expect("posix_spawn gives the id of a process, which is positive"))
}

fn pointers(strings: &[CString]) -> Vec<*mut libc::c_char> {
    strings.iter().map(|string| string.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

/// Takes the exit status of a child that has ended; `None` if it has not. After that its id may be another process's.
pub(super) fn reap(pid: Pid) -> io::Result<Option<Reaped>> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to writable memory of the right type.
    let found = unsafe { libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
    match found {
        0 => return Ok(None),
        found if found < 0 => return Err(io::Error::last_os_error()),
        _ => {}
    }
    // SAFETY: zeroed before and written by the call; every pattern of bits is valid for the type.
    let usage = unsafe { usage.assume_init() };
    let status = if libc::WIFSIGNALED(status) {
        ExitStatus::Signalled(libc::WTERMSIG(status))
    } else {
        ExitStatus::Exited(libc::WEXITSTATUS(status))
    };
    Ok(Some(Reaped {
        status,
        cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
        peak_memory_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024),
    }))
}

/// Readable once the child has ended. The child must not be reaped yet, so that the id is still its own.
pub(super) fn exited(pid: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
    // SAFETY: the descriptor is open and owned; `OwnedFd` stays the same one and open until `AsyncFd` drops it.
    let exited = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
    exited.map_err(|error| error.into_parts().1)
}

fn duration(time: libc::timeval) -> Duration {
    let micros = i128::from(time.tv_sec) * 1_000_000 + i128::from(time.tv_usec);
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
