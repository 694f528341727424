//! A run's output as it comes, with a progress line on a terminal while nothing comes.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use sandglass_api::client::LogItem;
use sandglass_api::wire::{LogsQuery, ProgressEvent, Run};
use sandglass_core::id::RunId;

use crate::context::Context;
use crate::failure::Failure;
use crate::render::output::OutputRenderer;
use crate::render::paint::Paint;
use crate::render::{amount, ansi};

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_TIME: Duration = Duration::from_millis(100);
const CLEAR_LINE: &str = "\r\u{1b}[2K";

/// Shows the run's output on standard error until the run is over, and gives it as it is then.
pub(crate) async fn until_over(run: &Run, context: &Context) -> Result<Run, Failure> {
    let query = LogsQuery { follow: Some(true), ..LogsQuery::default() };
    let mut stream = context.client.logs(run.id, query).await?;
    let terminal = io::stderr().is_terminal();
    let mut renderer = OutputRenderer::new(terminal, context.error_paint);
    let mut progress = Progress::new(terminal, run, context.error_paint);
    let finished = loop {
        let next = stream.next();
        tokio::pin!(next);
        let item = loop {
            tokio::select! {
                item = &mut next => break item?,
                () = tokio::time::sleep(FRAME_TIME), if terminal => {
                    if renderer.at_line_start() {
                        progress.draw();
                    }
                }
            }
        };
        progress.clear();
        match item {
            Some(LogItem::Output(event)) => {
                let shown = renderer.render(&event);
                // Whether anybody reads the output does not change how the run ends.
                let _ = io::stderr().lock().write_all(&shown);
            }
            Some(LogItem::Progress(event)) => progress.tell(&event),
            Some(LogItem::End(run)) => break *run,
            None => break wait(run.id, context).await?,
        }
    };
    if !renderer.at_line_start() {
        let _ = io::stderr().lock().write_all(b"\n");
    }
    Ok(finished)
}

/// Waits until the run is over, with a progress line on a terminal.
pub(crate) async fn wait(id: RunId, context: &Context) -> Result<Run, Failure> {
    let terminal = io::stderr().is_terminal();
    let run = context.client.run(id, None).await?;
    if run.state.is_terminal() {
        return Ok(run);
    }
    let mut progress = Progress::new(terminal, &run, context.error_paint);
    let finished = context.client.wait(id);
    tokio::pin!(finished);
    let finished = loop {
        tokio::select! {
            run = &mut finished => break run,
            () = tokio::time::sleep(FRAME_TIME), if terminal => progress.draw(),
        }
    };
    progress.clear();
    Ok(finished?)
}

/// A line at the bottom of a terminal that shows that something is going.
struct Progress {
    terminal: bool,
    drawn: bool,
    ticks: u32,
    label: String,
    /// How far the run has come, if its plugin tells.
    done: String,
    paint: Paint,
}

impl Progress {
    fn new(terminal: bool, run: &Run, paint: Paint) -> Self {
        Self { terminal, drawn: false, ticks: 0, label: run.job.to_string(), done: String::new(), paint }
    }

    fn tell(&mut self, event: &ProgressEvent) {
        self.done = progress_text(event);
        self.draw();
    }

    fn draw(&mut self) {
        if !self.terminal {
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

    fn clear(&mut self) {
        if self.drawn {
            let mut stderr = io::stderr().lock();
            let _ = stderr.write_all(CLEAR_LINE.as_bytes()).and_then(|()| stderr.flush());
            self.drawn = false;
        }
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
