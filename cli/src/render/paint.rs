//! How what is printed may look: in colours or none, and how wide.

use sandglass_core::run::StateName;

/// Colours texts if it is to, and knows how wide a line may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
    /// In columns of the terminal; none if a line may be as long as it likes.
    width: Option<usize>,
}

impl Paint {
    pub(crate) const fn new(on: bool) -> Self {
        Self { on, width: None }
    }

    /// For lines of at most `width` columns.
    pub(crate) const fn with_width(self, width: Option<usize>) -> Self {
        Self { width, ..self }
    }

    /// How wide a line may be, in columns of the terminal.
    pub(crate) const fn width(self) -> Option<usize> {
        self.width
    }

    /// Whether there are colours, and so a terminal that understands escape sequences.
    pub(crate) const fn is_on(self) -> bool {
        self.on
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
