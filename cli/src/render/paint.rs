//! Colours, or none.

use sandglass_core::run::StateName;

/// Colours texts if it is to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    pub(crate) const fn new(on: bool) -> Self {
        Self { on }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }

    /// A state in the colour that it has everywhere.
    pub(crate) fn state(self, state: StateName) -> String {
        let text = state.as_str();
        match state {
            StateName::Succeeded => self.green(text),
            StateName::Failed | StateName::TimedOut | StateName::Interrupted => self.red(text),
            StateName::Running => self.cyan(text),
            StateName::Queued | StateName::RetryWait | StateName::Cancelled => self.yellow(text),
            StateName::Expired | StateName::Skipped => self.dim(text),
        }
    }
}
