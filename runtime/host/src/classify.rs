//! What was wrong with an attempt: from what the engine, the guest or the host says to the class that people see.

use sandglass_core::capability::Denial;
use sandglass_core::invocation::RetryAdvice;
use sandglass_core::run::{AttemptError, ErrorClass};
use serde_json::Value;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::attempt::{Attempt, NotFilled};
use crate::bindings::action;
use crate::capability::clip;
use crate::limiter::{Limiter, Refused};

/// The most that a message may have, in bytes.
const MESSAGE: usize = 8 << 10;
/// The most that a code may have, in bytes.
const CODE: usize = 100;
/// How the engine begins to say that a guest passes more to the host than its limit.
const TOO_MUCH: &str = "too much data is being copied between the host and the guest";
/// The most that a failure's detail may have to be kept, in bytes.
const DETAIL: usize = 256 << 10;
/// How many lines of a backtrace are shown.
const FRAMES: usize = 12;

/// What was wrong, with what belongs beside it in the report.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) error: AttemptError,
    pub(crate) exit_code: Option<i32>,
    pub(crate) advice: RetryAdvice,
    /// What the guest gave beside the message.
    pub(crate) detail: Option<Value>,
}

impl Wrong {
    pub(crate) fn new(class: ErrorClass, code: &str, message: impl Into<String>) -> Self {
        let error = AttemptError { class, code: word(code, class), message: clip(readable(message.into()), MESSAGE) };
        Self { error, exit_code: None, advice: RetryAdvice::ByJobPolicy, detail: None }
    }

    /// Goes on with what it says.
    pub(crate) fn say_more(&mut self, more: &str) {
        self.error.message = clip(format!("{}{more}", self.error.message), MESSAGE);
    }

    /// Trying again would end the same way.
    pub(crate) fn never(mut self) -> Self {
        self.advice = RetryAdvice::Never;
        self
    }
}

/// An attempt that cannot be given what its job names.
pub(crate) fn not_filled(error: NotFilled) -> Wrong {
    match error {
        NotFilled::Template(message) => Wrong::new(ErrorClass::Guest, "template", message).never(),
        NotFilled::Denied(denial) => denied(&denial),
        NotFilled::Secret(message) => Wrong::new(ErrorClass::Guest, "secret", message).never(),
    }
}

/// A guest that used up its fuel, overflowed, trapped or exited.
pub(crate) fn ended_by_engine(attempt: &Attempt, limiter: &Limiter, error: &wasmtime::Error) -> Wrong {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        let message = format!("the plugin ended itself with exit code {} instead of returning", exit.0);
        return Wrong { exit_code: Some(exit.0), ..Wrong::new(ErrorClass::Exit, "exit", message) };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            let fuel = attempt.work.limits.fuel;
            let message = format!("the plugin used up its {fuel} fuel; raise limits.fuel if it needs more");
            Wrong::new(ErrorClass::Fuel, "fuel", message)
        }
        Some(Trap::StackOverflow) => {
            let message = format!("the plugin's calls are nested too deeply{}", backtrace(error));
            Wrong::new(ErrorClass::Stack, "stack", message)
        }
        trap => match (limiter.refused(), attempt.last_denial()) {
            (Some(refused), _) => out_of_memory(limiter, refused),
            (None, Some(denial)) => denied(&denial),
            (None, None) => trapped(attempt, trap.copied(), error),
        },
    }
}

fn out_of_memory(limiter: &Limiter, refused: Refused) -> Wrong {
    let message = match refused {
        Refused::Memory(wanted) => format!(
            "the plugin wanted {wanted} bytes of memory and may have {}; raise limits.memory if it needs more",
            limiter.memory_limit()
        ),
        Refused::Table => "the plugin wanted larger tables than a guest may have".to_owned(),
    };
    Wrong::new(ErrorClass::Memory, "memory", message)
}

fn trapped(attempt: &Attempt, trap: Option<Trap>, error: &wasmtime::Error) -> Wrong {
    let what = match trap {
        Some(Trap::UnreachableCodeReached) => "the plugin panicked or aborted".to_owned(),
        Some(trap) => format!("the plugin trapped: {trap}"),
        None if error.root_cause().to_string().starts_with(TOO_MUCH) => {
            "the plugin handed over more at once than may be, such as a result of some megabytes: put it into a file"
                .to_owned()
        }
        None => format!("the plugin broke a rule of the host: {}", error.root_cause()),
    };
    let said = attempt.stderr_tail();
    let said = if said.is_empty() { said } else { format!("\nits last words:\n{said}") };
    Wrong::new(ErrorClass::Trap, "trap", format!("{what}{said}{}", backtrace(error)))
}

/// A code that programs can rely on: the guest's own, or the class where the guest's is no word.
fn word(code: &str, class: ErrorClass) -> String {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let good = !code.is_empty() && code.len() <= CODE && code.bytes().all(fits);
    if good { code.to_owned() } else { class.as_str().to_owned() }
}

/// Without what could play tricks on a terminal or turn the reading direction round.
fn readable(text: String) -> String {
    let tricky = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(tricky) { text.chars().filter(|c| !tricky(*c)).collect() } else { text }
}

/// Where it happened, as far as the component still knows its functions' names.
fn backtrace(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let mut text = String::from("\nwhere it happened, the innermost call first:");
    let shown = backtrace.to_string();
    for line in shown.lines().filter(|line| line.starts_with(' ')).take(FRAMES) {
        text.push('\n');
        text.push_str(&clip(line.trim_end().to_owned(), 200));
    }
    text
}

/// A guest that reported a failure of its own.
pub(crate) fn failed_by_guest(attempt: &Attempt, limiter: &Limiter, failure: action::Failure) -> Wrong {
    let advice = match failure.retry {
        action::RetryAdvice::ByJobPolicy => RetryAdvice::ByJobPolicy,
        action::RetryAdvice::Never => RetryAdvice::Never,
        action::RetryAdvice::After(nanos) => RetryAdvice::After(std::time::Duration::from_nanos(nanos)),
    };
    let too_long = failure.detail.as_ref().map(String::len).filter(|length| *length > DETAIL);
    let detail = failure.detail.filter(|_| too_long.is_none());
    let detail = detail.and_then(|detail| serde_json::from_str::<Value>(&detail).ok());
    let exit_code = detail.as_ref().and_then(exit_code);
    let denial = attempt.last_denial();
    let class = if failure.code == "denied" || denial.is_some() {
        ErrorClass::Denied
    } else if exit_code.is_some() || failure.code == "exit" {
        ErrorClass::Exit
    } else if limiter.refused().is_some() && failure.code.contains("memory") {
        ErrorClass::Memory
    } else {
        ErrorClass::Guest
    };
    let mut message = failure.message;
    if let Some(denial) = denial.map(|denial| denial.to_string()).filter(|denial| !message.contains(denial)) {
        message = if message.is_empty() { denial } else { format!("{message}: {denial}") };
    }
    let mut wrong = Wrong { exit_code, advice, detail, ..Wrong::new(class, &failure.code, message) };
    if let Some(length) = too_long {
        wrong.say_more(&format!(" (its detail has {length} bytes and is left out: at most {DETAIL} are kept)"));
    }
    wrong
}

/// The whole number `exit_code` in a failure's detail or a success's output.
pub(crate) fn exit_code(value: &Value) -> Option<i32> {
    i32::try_from(value.get("exit_code")?.as_i64()?).ok()
}

/// A guest that was refused what it needs.
pub(crate) fn denied(denial: &Denial) -> Wrong {
    Wrong::new(ErrorClass::Denied, "denied", denial.to_string()).never()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_guests_say_is_made_readable() {
        let wrong = Wrong::new(ErrorClass::Guest, "\u{0}\u{1b}[31m", "a\u{202e}\u{7}b\nc");
        assert_eq!((wrong.error.code.as_str(), wrong.error.message.as_str()), ("guest", "ab\nc"));
        assert_eq!(Wrong::new(ErrorClass::Guest, "too-short", "").error.code, "too-short");
    }

    #[test]
    fn only_whole_exit_codes_count() {
        let of = |value| exit_code(&value);
        assert_eq!(of(serde_json::json!({ "exit_code": 3 })), Some(3));
        assert_eq!(of(serde_json::json!({ "exit_code": "3" })), None);
        assert_eq!(of(serde_json::json!({ "exit_code": 99_999_999_999_u64 })), None);
        assert_eq!(of(serde_json::json!("exit_code")), None);
    }
}
