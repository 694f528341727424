//! A notice in one plain line.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::{Notice, NoticeEvent, NoticeKind, NoticeOwner, to_the_second};

/// What the notice says, on one line, with local times in `zone`: `job 'nightly-backup' failed: exit code 3 (run 01K…)`, or
/// `12 runs of 3 jobs failed since 02:00`.
#[must_use]
pub fn summary(notice: &Notice, zone: Tz) -> String {
    match notice.events.as_slice() {
        [] => "nothing happened".to_owned(),
        [only] => of_one(only),
        [first, ..] => of_many(notice, first, zone),
    }
}

fn of_one(event: &NoticeEvent) -> String {
    let job = &event.job;
    let run = event.run.map(|run| format!(" (run {run})")).unwrap_or_default();
    let why = why(event).map(|why| format!(": {why}")).unwrap_or_default();
    match event.kind {
        NoticeKind::NoSuccessWithin => format!("job '{job}'{why}{run}"),
        NoticeKind::Late => {
            let due = event.scheduled_at.map(|at| format!(": it was due at {}", to_the_second(at))).unwrap_or_default();
            format!("job '{job}' is late{due}{run}")
        }
        kind => format!("job '{job}' {}{why}{run}", verb(kind)),
    }
}

/// Why it was so, in a few words.
fn why(event: &NoticeEvent) -> Option<String> {
    let code = event.exit_code.filter(|code| *code != 0).map(|code| format!("exit code {code}"));
    let reason = event.reason.as_ref().map(|reason| reason.replace('_', " "));
    let has_failed = !matches!(event.kind, NoticeKind::Succeeded | NoticeKind::Recovered);
    code.or(reason).or_else(|| event.message.clone().filter(|_| has_failed))
}

const fn verb(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Succeeded => "succeeded",
        NoticeKind::Failed => "failed",
        NoticeKind::TimedOut => "timed out",
        NoticeKind::Cancelled => "was cancelled",
        NoticeKind::Interrupted => "was interrupted",
        NoticeKind::Expired => "expired",
        NoticeKind::Skipped => "was skipped",
        NoticeKind::Recovered => "recovered",
        NoticeKind::Late => "is late",
        NoticeKind::NoSuccessWithin => "has had no success",
    }
}

/// The same of several runs.
const fn verb_of_many(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Cancelled => "were cancelled",
        NoticeKind::Interrupted => "were interrupted",
        NoticeKind::Skipped => "were skipped",
        NoticeKind::Late => "were late",
        NoticeKind::NoSuccessWithin => "had no success",
        other => verb(other),
    }
}

fn of_many(notice: &Notice, first: &NoticeEvent, zone: Tz) -> String {
    let jobs: BTreeSet<&str> = notice.events.iter().map(|event| event.job.as_str()).collect();
    // What is not held one by one may be of other jobs, unless there are none.
    let is_known = notice.count == notice.events.len() as u64 || matches!(notice.owner, NoticeOwner::Job(_));
    let of = match (jobs.first(), jobs.len(), is_known) {
        (Some(job), 1, true) => format!("job '{job}'"),
        (_, 1, false) => "several jobs".to_owned(),
        (_, count, true) => format!("{count} jobs"),
        (_, count, false) => format!("{count} or more jobs"),
    };
    let begin = first.at.to_chrono().with_timezone(&zone);
    let newest = notice.newest().map_or(begin, |event| event.at.to_chrono().with_timezone(&zone));
    // The day is said where it is another one.
    let format = if begin.date_naive() == newest.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    let since = begin.format(format);
    let mut kinds: Vec<NoticeKind> = Vec::new();
    for event in &notice.events {
        if !kinds.contains(&event.kind) {
            kinds.push(event.kind);
        }
    }
    let did = kinds.iter().map(|kind| verb_of_many(*kind)).collect::<Vec<_>>().join(" or ");
    let count = notice.count;
    if kinds == [NoticeKind::NoSuccessWithin] {
        return format!("{of} had no success in time since {since}");
    }
    format!("{count} runs of {of} {did} since {since}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;
    use NoticeKind::{Cancelled, Expired, Failed, Late, NoSuccessWithin, Recovered, Skipped, TimedOut};

    fn told(events: Vec<NoticeEvent>, count: u64) -> String {
        let owner = NoticeOwner::Namespace;
        summary(&Notice { owner, entry: 0, events, count, not_before: None }, Tz::Europe__Berlin)
    }

    #[test]
    fn one_run_is_told_with_its_reason() {
        let run = "(run 00000000000000000000000007)";
        let one = |kind| event(kind, "nightly", 0);
        for (event, expected) in [
            (NoticeEvent { exit_code: Some(3), ..one(Failed) }, format!("job 'nightly' failed: exit code 3 {run}")),
            (
                NoticeEvent { message: Some("it broke".to_owned()), ..one(TimedOut) },
                format!("job 'nightly' timed out: it broke {run}"),
            ),
            (
                NoticeEvent { reason: Some("start_deadline".to_owned()), ..one(Expired) },
                format!("job 'nightly' expired: start deadline {run}"),
            ),
            (NoticeEvent { exit_code: Some(0), ..one(Recovered) }, format!("job 'nightly' recovered {run}")),
            (one(Cancelled), format!("job 'nightly' was cancelled {run}")),
            (
                NoticeEvent { scheduled_at: Some(one(Late).at), ..one(Late) },
                format!("job 'nightly' is late: it was due at 2027-01-15T08:00:00Z {run}"),
            ),
            (
                NoticeEvent::of_silence("nightly".parse().unwrap(), one(Late).at, one(Late).at),
                "job 'nightly': no run has succeeded since 2027-01-15T08:00:00Z".to_owned(),
            ),
        ] {
            assert_eq!(told(vec![event], 1), expected);
        }
    }

    #[test]
    fn many_runs_are_counted() {
        let two = |one, other| vec![event(one, "a", 0), event(other, "b", 60)];
        let same = || vec![event(Failed, "a", 0), event(Failed, "a", 60)];
        for (events, count, expected) in [
            (two(Failed, Failed), 2, "2 runs of 2 jobs failed since 09:00"),
            (two(Failed, TimedOut), 2, "2 runs of 2 jobs failed or timed out since 09:00"),
            (same(), 2, "2 runs of job 'a' failed since 09:00"),
            (same(), 30, "30 runs of several jobs failed since 09:00"),
            (two(Skipped, Skipped), 30, "30 runs of 2 or more jobs were skipped since 09:00"),
            (
                vec![event(Failed, "a", 0), event(Failed, "a", 86_400)],
                2,
                "2 runs of job 'a' failed since 2027-01-15 09:00",
            ),
            (two(NoSuccessWithin, NoSuccessWithin), 2, "2 jobs had no success in time since 09:00"),
        ] {
            assert_eq!(told(events, count), expected);
        }
        let of_job = NoticeOwner::Job(crate::id::JobId::from_bits(1));
        let notice = Notice { owner: of_job, entry: 0, events: same(), count: 30, not_before: None };
        assert_eq!(summary(&notice, Tz::UTC), "30 runs of job 'a' failed since 08:00");
    }
}
