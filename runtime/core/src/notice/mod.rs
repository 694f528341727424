//! What a notification tells: of which runs, how many, and in which words.
//!
//! A notification is a run like any other, with a [`Notice`] beside what other runs have. Who is told of what is decided
//! here, without the scheduler: [`of_end`] says what the end of a run means, [`Health`] what a job must remember for that,
//! [`grouped`] when the next notification may go, and [`summary()`] puts it into words.

mod grouping;
mod health;
mod matching;
mod summary;
mod tail;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use grouping::grouped;
pub use health::Health;
pub use matching::of_end;
pub use summary::summary;
pub use tail::Tail;

use crate::id::{JobId, JobName, Namespace, RunId};
use crate::run::{Run, StateName};
use crate::spec::{NoticeOn, Notifiers};
use crate::time::Timestamp;

/// The most events that a notice holds one by one; of more, the first ones and the last.
pub const MAX_EVENTS: usize = 20;
/// The most bytes of an event's message.
const MAX_MESSAGE: usize = 500;

/// What a notification tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// Whose notifier it is.
    pub owner: NoticeOwner,
    /// Which of the owner's notifiers, counted from 0.
    pub entry: u16,
    /// What happened, the earliest first: at most [`MAX_EVENTS`].
    pub events: Vec<NoticeEvent>,
    /// How much happened in all.
    pub count: u64,
    /// Until when it waits for more to tell of; none if it goes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// Whose notifier a notification is made by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeOwner {
    /// A job's.
    Job(JobId),
    /// The namespace's.
    Namespace,
}

/// Something that a notifier tells of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NoticeEvent {
    /// What happened.
    pub kind: NoticeKind,
    /// The job's name at the time.
    pub job: JobName,
    /// The run; none if it is about the lack of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The state of the run.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "state")]
    pub state: Option<StateName>,
    /// Why it was skipped, expired, or cancelled by nobody who named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was wrong with its last attempt, shortened; or for how long something has been so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The exit code that its last attempt reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// When it was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
    /// When it happened.
    pub at: Timestamp,
}

/// What happened, without its period: the names are those under `on`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// [`NoticeOn::Succeeded`].
    Succeeded,
    /// [`NoticeOn::Failed`].
    Failed,
    /// [`NoticeOn::TimedOut`].
    TimedOut,
    /// [`NoticeOn::Cancelled`].
    Cancelled,
    /// [`NoticeOn::Interrupted`].
    Interrupted,
    /// [`NoticeOn::Expired`].
    Expired,
    /// [`NoticeOn::Skipped`].
    Skipped,
    /// [`NoticeOn::Recovered`].
    Recovered,
    /// [`NoticeOn::Late`].
    Late,
    /// [`NoticeOn::NoSuccessWithin`].
    NoSuccessWithin,
}

/// The notifiers of a namespace, which tell of all its jobs, as they are kept.
#[derive(Clone, PartialEq, Debug)]
pub struct NamespaceNotify {
    /// The namespace.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// What they are.
    pub notify: Arc<Notifiers>,
    /// When this revision was saved.
    pub updated_at: Timestamp,
}

impl NoticeKind {
    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Expired => "expired",
            Self::Skipped => "skipped",
            Self::Recovered => "recovered",
            Self::Late => "late",
            Self::NoSuccessWithin => "no_success_within",
        }
    }
}

impl From<NoticeOn> for NoticeKind {
    fn from(on: NoticeOn) -> Self {
        match on {
            NoticeOn::Succeeded => Self::Succeeded,
            NoticeOn::Failed => Self::Failed,
            NoticeOn::TimedOut => Self::TimedOut,
            NoticeOn::Cancelled => Self::Cancelled,
            NoticeOn::Interrupted => Self::Interrupted,
            NoticeOn::Expired => Self::Expired,
            NoticeOn::Skipped => Self::Skipped,
            NoticeOn::Recovered => Self::Recovered,
            NoticeOn::Late(_) => Self::Late,
            NoticeOn::NoSuccessWithin(_) => Self::NoSuccessWithin,
        }
    }
}

impl NoticeEvent {
    /// That `kind` happened to `run` at `at`.
    #[must_use]
    pub fn of_run(kind: NoticeKind, run: &Run, at: Timestamp) -> Self {
        let end = run.attempts.last().and_then(|attempt| attempt.end.as_ref());
        let error = end.and_then(|end| end.error.as_ref());
        Self {
            kind,
            job: run.job.clone(),
            run: Some(run.id),
            state: Some(run.state.name()),
            reason: run.reason().map(str::to_owned),
            message: error.map(|error| shortened(&error.message)),
            exit_code: run.exit_code(),
            scheduled_at: Some(run.scheduled_at),
            at,
        }
    }

    /// That no run of `job` has succeeded since `since`, as was noticed at `at`.
    #[must_use]
    pub fn of_silence(job: JobName, since: Timestamp, at: Timestamp) -> Self {
        Self {
            kind: NoticeKind::NoSuccessWithin,
            job,
            run: None,
            state: None,
            reason: None,
            message: Some(format!("no run has succeeded since {}", to_the_second(since))),
            exit_code: None,
            scheduled_at: None,
            at,
        }
    }
}

/// What people read of an instant.
fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.as_micros().div_euclid(1_000_000))
}

/// A message on one line, and not too long.
fn shortened(message: &str) -> String {
    let line = message.trim().replace(['\n', '\r'], " ");
    if line.len() <= MAX_MESSAGE {
        return line;
    }
    let end = line.floor_char_boundary(MAX_MESSAGE);
    format!("{}…", &line[..end])
}

impl Notice {
    /// That `event` happened, of which the notifier at `entry` of `owner` tells.
    #[must_use]
    pub fn new(owner: NoticeOwner, entry: u16, event: NoticeEvent, not_before: Option<Timestamp>) -> Self {
        Self { owner, entry, events: vec![event], count: 1, not_before }
    }

    /// Takes in another event. Of too many the first ones stay and the last.
    pub fn add(&mut self, event: NoticeEvent) {
        self.count += 1;
        if self.events.len() >= MAX_EVENTS {
            self.events.pop();
        }
        self.events.push(event);
    }

    /// The run whose last output goes with it: that of the newest event, if it went wrong.
    #[must_use]
    pub fn shows_output_of(&self) -> Option<RunId> {
        let went_wrong = |kind| matches!(kind, NoticeKind::Failed | NoticeKind::TimedOut | NoticeKind::Interrupted);
        self.newest().filter(|event| went_wrong(event.kind)).and_then(|event| event.run)
    }

    /// The event that came last.
    #[must_use]
    pub fn newest(&self) -> Option<&NoticeEvent> {
        self.events.last()
    }
}

mod state {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::StateName;

    #[expect(clippy::ref_option, reason = "serde's `with` passes a reference")]
    pub(super) fn serialize<S: Serializer>(state: &Option<StateName>, serializer: S) -> Result<S::Ok, S::Error> {
        match state {
            Some(state) => serializer.serialize_str(state.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StateName>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = StateName::parse(&text);
        found.map(Some).ok_or_else(|| serde::de::Error::custom(format!("'{text}' is no state")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn event(kind: NoticeKind, job: &str, secs: i64) -> NoticeEvent {
        let at = Timestamp::from_secs(1_800_000_000 + secs);
        NoticeEvent {
            state: None,
            run: Some(RunId::from_bits(7)),
            message: None,
            ..NoticeEvent { kind, ..NoticeEvent::of_silence(job.parse().unwrap(), at, at) }
        }
    }

    #[test]
    fn of_too_many_events_the_first_and_the_last_stay() {
        let mut notice = Notice::new(NoticeOwner::Namespace, 0, event(NoticeKind::Failed, "a", 0), None);
        for secs in 1..100 {
            notice.add(event(NoticeKind::Failed, "a", secs));
        }
        assert_eq!((notice.count, notice.events.len()), (100, MAX_EVENTS));
        let secs = |event: Option<&NoticeEvent>| event.unwrap().at.as_micros() / 1_000_000 - 1_800_000_000;
        assert_eq!((secs(notice.events.first()), secs(notice.events.get(18)), secs(notice.newest())), (0, 18, 99));
    }

    #[test]
    fn a_notice_reads_and_writes() {
        let job = NoticeOwner::Job(JobId::from_bits(5));
        let mut notice = Notice::new(job, 3, event(NoticeKind::NoSuccessWithin, "a", 0), Some(Timestamp::EPOCH));
        notice.add(NoticeEvent { state: Some(StateName::TimedOut), ..event(NoticeKind::TimedOut, "b", 1) });
        for notice in [notice.clone(), Notice { owner: NoticeOwner::Namespace, not_before: None, ..notice }] {
            let text = serde_json::to_string(&notice).unwrap();
            assert_eq!(serde_json::from_str::<Notice>(&text).unwrap(), notice, "{text}");
        }
    }

    #[test]
    fn messages_are_short_and_on_one_line() {
        assert_eq!(shortened(" a\nb \n"), "a b");
        let long = shortened(&"ä".repeat(1000));
        assert!(long.len() <= MAX_MESSAGE + 3 && long.ends_with('…'), "{long}");
    }
}
