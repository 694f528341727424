//! A line at the bottom of a terminal that shows that something is going, and how far it is.

use std::io::{self, Write as _};
use std::time::Duration;

use sandglass_api::wire::ProgressEvent;

use crate::render::paint::Paint;
use crate::render::{amount, ansi};

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// How often the line is drawn anew.
const FRAME_TIME: Duration = Duration::from_millis(100);
const CLEAR_LINE: &str = "\r\u{1b}[2K";

/// The line. Where nobody sees colours, it is not drawn either: it needs a terminal that obeys, and a person at it.
pub(crate) struct Progress {
    drawn: bool,
    ticks: u32,
    label: String,
    /// How far it has come, if somebody tells.
    done: String,
    paint: Paint,
}

impl Progress {
    /// A line that says what is going; `paint` is that of standard error.
    pub(crate) fn new(label: impl Into<String>, paint: Paint) -> Self {
        Self { drawn: false, ticks: 0, label: label.into(), done: String::new(), paint }
    }

    /// Waits for `future` with the line drawn meanwhile, as long as `may_draw`.
    pub(crate) async fn during<F: Future>(&mut self, future: F, may_draw: bool) -> F::Output {
        tokio::pin!(future);
        let output = loop {
            tokio::select! {
                output = &mut future => break output,
                () = tokio::time::sleep(FRAME_TIME), if self.paint.is_on() && may_draw => self.draw(),
            }
        };
        self.clear();
        output
    }

    /// Takes note of how far a run has come.
    pub(crate) fn tell(&mut self, event: &ProgressEvent) {
        self.done = progress_text(event);
        self.draw();
    }

    fn draw(&mut self) {
        if !self.paint.is_on() {
            return;
        }
        self.ticks += 1;
        let frame = FRAMES[self.ticks as usize % FRAMES.len()];
        let since = amount::duration(Duration::from_secs(u64::from(self.ticks) * 100 / 1000));
        let since = if self.ticks < 10 { String::new() } else { format!(" {since}") };
        let line =
            format!("{CLEAR_LINE}{} {}{}{}", self.paint.cyan(frame), self.label, self.paint.dim(&since), self.done);
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(line.as_bytes()).and_then(|()| stderr.flush());
        self.drawn = true;
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.drawn {
            let mut stderr = io::stderr().lock();
            let _ = stderr.write_all(CLEAR_LINE.as_bytes()).and_then(|()| stderr.flush());
            self.drawn = false;
        }
    }
}

/// Whatever ends the wait, such as a failure, leaves no piece of the line behind.
impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// How far a run has come, such as ` 30% (3 of 10 files) packing`.
fn progress_text(event: &ProgressEvent) -> String {
    let unit = event.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
    let message = event.message.as_deref().map(|message| format!(" {message}")).unwrap_or_default();
    let text = match event.total {
        Some(total) if total > 0 => {
            let percent = u128::from(event.completed) * 100 / u128::from(total);
            format!(" {percent}% ({} of {total}{unit}){message}", event.completed)
        }
        _ => format!(" {}{unit}{message}", event.completed),
    };
    // One line of a terminal: what a guest says must not break it.
    ansi::strip(&text).replace(['\n', '\r', '\t'], " ").chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_fits_a_line() {
        let event = |completed, total: Option<u64>, message: &str| ProgressEvent {
            completed,
            total,
            unit: Some("files".to_owned()),
            message: Some(message.to_owned()),
        };
        assert_eq!(progress_text(&event(3, Some(10), "packing")), " 30% (3 of 10 files) packing");
        assert_eq!(progress_text(&event(3, None, "a\nb\u{1b}[2J")), " 3 files a b");
        assert!(progress_text(&event(u64::MAX, Some(1), &"x".repeat(500))).chars().count() <= 60);
    }
}
