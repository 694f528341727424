//! One try at a run: how it ended and what it used.

use crate::capability::CapabilityUses;
use crate::time::Timestamp;

/// One try at a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When the guest took its first step; until that is known, when the attempt was decided.
    pub started_at: Timestamp,
    /// How it ended, once it has.
    pub end: Option<AttemptEnd>,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Debug)]
pub struct AttemptEnd {
    /// When.
    pub finished_at: Timestamp,
    /// In short.
    pub outcome: AttemptOutcome,
    /// What was wrong, unless it succeeded.
    pub error: Option<AttemptError>,
    /// The exit code of the process that decided it, if one did.
    pub exit_code: Option<i32>,
    /// What it used.
    pub usage: Usage,
}

/// How an attempt ended, in short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum AttemptOutcome {
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
    /// It took longer than it may.
    TimedOut,
    /// It was stopped on request.
    Cancelled,
    /// The daemon ended while it was going.
    Interrupted,
}

/// What was wrong with an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttemptError {
    /// What kind of thing went wrong.
    pub class: ErrorClass,
    /// A stable word for programs; the plugin's own for [`ErrorClass::Guest`].
    pub code: String,
    /// What happened and what to do, for people.
    pub message: String,
}

impl AttemptError {
    /// The code of an attempt that was told to stop as the daemon was stopped.
    pub const SHUTDOWN: &'static str = "shutdown";
}

/// What kind of thing went wrong in an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ErrorClass {
    /// A process ended with a code that means failure.
    Exit,
    /// The plugin asked for something it was not granted.
    Denied,
    /// It used up its fuel.
    Fuel,
    /// It took longer than it may.
    Deadline,
    /// It wanted more memory than it may have.
    Memory,
    /// Its calls were nested too deeply.
    Stack,
    /// Its code did something that WebAssembly forbids, or panicked.
    Trap,
    /// The plugin reported a failure of its own.
    Guest,
    /// Nobody knows how it ended.
    Lost,
}

impl ErrorClass {
    /// All classes.
    pub const ALL: [Self; 9] = [
        Self::Exit,
        Self::Denied,
        Self::Fuel,
        Self::Deadline,
        Self::Memory,
        Self::Stack,
        Self::Trap,
        Self::Guest,
        Self::Lost,
    ];

    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Denied => "denied",
            Self::Fuel => "fuel",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Trap => "trap",
            Self::Guest => "guest",
            Self::Lost => "lost",
        }
    }
}

/// What an attempt used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Fuel burnt by the guest.
    pub fuel: u64,
    /// The most linear memory that the guest had at once, in bytes.
    pub peak_memory_bytes: u64,
    /// From the guest's first step to its last, in microseconds.
    pub wall_us: u64,
    /// Time that the guest itself computed, host calls left out, in microseconds.
    pub guest_cpu_us: u64,
    /// What it printed, whether kept or not, in bytes.
    pub output_bytes: u64,
    /// What it asked of the host.
    pub capabilities: CapabilityUses,
}

impl Usage {
    /// Whether anything of it was measured: of an attempt that a crash interrupted, or that never began, nothing is known.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        Self { capabilities: CapabilityUses::default(), ..*self } != Self::default()
    }
}
