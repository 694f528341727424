//! A run's output as it comes, until the run is over.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use axum::response::sse::Event;
use futures_util::stream::{self, Stream, StreamExt as _};
use sandglass_api::wire::{EVENT_END, EVENT_OUTPUT, EVENT_PROGRESS, ProgressEvent, Run, frames};
use sandglass_host::services::Progress;
use sandglass_store::StoreError;
use tokio::sync::watch;

use super::{Piece, Printed, to_event};

/// How often a run that waits for its start or for a retry is looked at.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How often something is sent while nothing happens.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// How much longer each follower of a run makes all of them wait before they look again, so that however many there are
/// they leave the machine to the run.
const PAUSE_PER_FOLLOWER: Duration = Duration::from_micros(250);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// What happens while a run is followed.
enum Happening {
    Printed(Vec<Piece>),
    Progress(ProgressEvent),
    /// Nothing.
    Alive,
    End(Box<Run>),
}

/// All of it and what still comes as server-sent events; the last one is the run.
pub(super) fn events(printed: Printed) -> impl Stream<Item = Result<Event, Infallible>> {
    follow(printed).flat_map(|happening| {
        let events: Vec<Event> = match happening {
            Happening::Printed(pieces) => pieces.iter().map(output_event).collect(),
            Happening::Progress(progress) => vec![json_event(EVENT_PROGRESS, &progress)],
            // The stream of events has its own way to show that it is alive.
            Happening::Alive => Vec::new(),
            Happening::End(run) => vec![json_event(EVENT_END, &run)],
        };
        stream::iter(events.into_iter().map(Ok))
    })
}

/// The same as frames.
pub(super) fn frames(printed: Printed) -> impl Stream<Item = Result<Bytes, StoreError>> {
    follow(printed).map(|happening| {
        let mut bytes = Vec::new();
        match happening {
            Happening::Printed(pieces) => {
                pieces.iter().for_each(|piece| frames::write_output(&mut bytes, &piece.chunk, piece.position));
            }
            Happening::Progress(progress) => frames::write_progress(&mut bytes, &progress),
            Happening::Alive => frames::write_alive(&mut bytes),
            Happening::End(run) => frames::write_end(&mut bytes, &run),
        }
        Ok(Bytes::from(bytes))
    })
}

fn follow(printed: Printed) -> impl Stream<Item = Happening> {
    let changed = printed.app.outputs.follow(printed.id);
    let following = Following { printed, changed, progress: None, over: false };
    stream::unfold(following, async |mut following| {
        let happening = following.next().await?;
        Some((happening, following))
    })
}

struct Following {
    printed: Printed,
    changed: watch::Receiver<()>,
    progress: Option<Progress>,
    over: bool,
}

impl Following {
    async fn next(&mut self) -> Option<Happening> {
        if self.over {
            return None;
        }
        let mut runs_over = self.printed.app.runs_over.clone();
        loop {
            // Asked before the run, so that how it ended is seen if the daemon stops.
            let last_look = *runs_over.borrow_and_update();
            // Whether the run is over is asked before the rest is read, so that nothing printed before its end is missed.
            let ended = self.printed.ended();
            match self.printed.read().await {
                Ok(Some(pieces)) if pieces.is_empty() => {
                    // Nothing of it is wanted; others get their turn before the next page.
                    tokio::task::yield_now().await;
                    continue;
                }
                Ok(Some(pieces)) => return Some(Happening::Printed(pieces)),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, run = %self.printed.id, "output could not be read"),
            }
            if let Some(run) = ended {
                let rest = self.printed.open_lines();
                if !rest.is_empty() {
                    return Some(Happening::Printed(rest));
                }
                self.over = true;
                return Some(Happening::End(Box::new(run)));
            }
            let progress = self.printed.app.outputs.progress_of(self.printed.id);
            if let Some(progress) = progress.filter(|progress| Some(progress) != self.progress.as_ref()) {
                self.progress = Some(progress.clone());
                let Progress { completed, total, unit, message } = progress;
                return Some(Happening::Progress(ProgressEvent { completed, total, unit, message }));
            }
            if last_look {
                return None;
            }
            let run_ended = self.printed.app.shared.when_ended(self.printed.id);
            if self.printed.ended().is_some() {
                continue;
            }
            tokio::select! {
                () = self.more_output() => {}
                _ = run_ended => {}
                _ = runs_over.wait_for(|over| *over) => {}
                () = tokio::time::sleep(ALIVE_EVERY) => return Some(Happening::Alive),
            }
        }
    }

    /// Resolves when more output may be readable. A run that is not going yet is looked at again every so often.
    async fn more_output(&mut self) {
        // What is printed during the pause is read at once after it, rather than piece by piece.
        let followers = self.printed.app.outputs.followers(self.printed.id);
        tokio::time::sleep((PAUSE_PER_FOLLOWER * followers).min(LONGEST_PAUSE)).await;
        if self.changed.changed().await.is_err() {
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            self.changed = self.printed.app.outputs.follow(self.printed.id);
        }
    }
}

fn output_event(piece: &Piece) -> Event {
    let event = to_event(piece);
    let sse = json_event(EVENT_OUTPUT, &event);
    match &event.position {
        Some(position) => sse.id(position.as_str()),
        None => sse,
    }
}

fn json_event<T: serde::Serialize>(name: &str, data: &T) -> Event {
    Event::default().event(name).json_data(data).expect("what is sent is plain data")
}
