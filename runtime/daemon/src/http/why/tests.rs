use std::sync::Arc;

use sandglass_core::batch::{Batch, Write};
use sandglass_core::id::{JobId, Namespace};
use sandglass_core::job::{Cursor, Job};
use sandglass_core::run::{Attempt, AttemptEnd, AttemptOutcome, Ending, Gate, Missed, RunState, SkipReason, Usage};
use sandglass_core::schedule::Calendars;
use sandglass_core::spec::{CalendarSpec, TimeZone};
use sandglass_store::RedbStore;

use super::*;

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A job of Berlin with holidays at Easter and Christmas, saved in 2026 and asked about in 2028.
struct Kept {
    store: RedbStore,
    stored: StoredJob,
    calendars: Calendars,
}

impl Kept {
    fn new(parts: &serde_json::Value) -> Self {
        let mut spec =
            serde_json::json!({ "name": "report", "timezone": "Europe/Berlin", "action": { "use": "noop" } });
        spec.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        let saved = instant("2026-11-01T00:00:00Z");
        let job = Arc::new(Job {
            id: JobId::from_bits(7),
            namespace: Namespace::default(),
            revision: 1,
            spec: Arc::new(serde_json::from_value(spec).unwrap()),
            created_at: saved,
            updated_at: saved,
            scheduled_since: saved,
            overlay: None,
        });
        let holidays: CalendarSpec =
            serde_json::from_value(serde_json::json!({ "name": "holidays", "yearly": [{ "easter": 1 }, "12-25"] }))
                .unwrap();
        let store = RedbStore::in_memory().unwrap();
        store.load().unwrap();
        let cursor = Cursor { done_until: instant("2028-01-01T00:00:00Z"), ..Cursor::default() };
        let kept = Self {
            store,
            stored: StoredJob { job: Arc::clone(&job), cursor, standing: None },
            calendars: [&holidays].into_iter().collect(),
        };
        kept.write(Write::PutJob(job));
        kept
    }

    fn write(&self, write: Write) {
        let now = instant("2028-01-01T00:00:00Z");
        self.store.commit(&[Batch::of(write)], now).unwrap().remove(0).unwrap();
    }

    /// A run for the fire at `due`, made and started at these times; still queued if it was never started.
    fn run(&self, due: &str, queued: &str, started: Option<&str>, gate: Gate) -> String {
        let started = started.map(instant);
        let finished = |at: Timestamp| at.after(Duration::from_secs(5));
        let attempt = |started_at| Attempt {
            number: 1,
            started_at,
            end: Some(AttemptEnd {
                finished_at: finished(started_at),
                outcome: AttemptOutcome::Succeeded,
                error: None,
                exit_code: Some(0),
                usage: Usage::default(),
            }),
        };
        let ended = |at| RunState::Ended { ending: Ending::Succeeded, at: finished(at) };
        let run = KeptRun {
            gate,
            attempts: started.map(attempt).into_iter().collect(),
            ..self.record_of(due, queued, started.map_or(RunState::Queued, ended))
        };
        let id = run.id.to_string();
        self.write(Write::InsertRun(Arc::new(run)));
        id
    }

    fn skipped(&self, due: &str, reason: SkipReason) {
        let state = RunState::Ended { ending: Ending::Skipped(reason), at: instant(due) };
        self.write(Write::InsertRun(Arc::new(self.record_of(due, due, state))));
    }

    fn record_of(&self, due: &str, queued: &str, state: RunState) -> KeptRun {
        let job = &self.stored.job;
        KeptRun {
            trigger: Some(0),
            scheduled_at: instant(due),
            gate: Gate::Window,
            state,
            ..KeptRun::queued(
                RunId::of_fire(job.id, instant(due)),
                job.namespace.clone(),
                job.id,
                job.spec.name.clone(),
                instant(queued),
            )
        }
    }

    fn why(&self, at: &str, now: &str) -> Why {
        let (job, utc) = (&self.stored.job, TimeZone::UTC);
        let planning = job.spec.planning(&job.namespace, job.scheduled_since, utc, &self.calendars);
        let window = job.spec.open_window(utc);
        let asked = Asked {
            store: &self.store,
            stored: &self.stored,
            schedule: &JobSchedule::new(&job.spec, &planning),
            window: window.as_ref(),
            zone: job.spec.timezone.unwrap_or(utc).0,
            now: instant(now),
            waits: HashMap::new(),
        };
        asked.explain(instant(at)).unwrap()
    }

    fn says(&self, at: &str, now: &str) -> (Verdict, String) {
        let why = self.why(at, now);
        (why.verdict, why.summary)
    }
}

const LATER: &str = "2028-01-01T00:00:00Z";

#[test]
fn a_fire_that_calendars_moved_is_followed_to_its_date() {
    let kept = Kept::new(&serde_json::json!({ "triggers": [{
        "weekly": { "days": ["mon", "tue", "wed", "thu", "fri"], "at": "02:30" }, "calendars": { "exclude": ["holidays"], "shift": "next" }
    }] }));
    let easter_monday = "2027-03-29T00:30:00Z";
    let moved = "the fire of Mon 2027-03-29 02:30 CEST has moved to Tue 2027-03-30 02:30 CEST: calendar \
                 'holidays' has its date";
    assert_eq!(
        kept.says(easter_monday, "2027-01-01T00:00:00Z"),
        (Verdict::LeftOut, format!("{moved}; that lies ahead"))
    );
    let id = kept.run("2027-03-30T00:30:00Z", "2027-03-30T00:30:00Z", Some("2027-03-30T00:30:00Z"), Gate::Window);
    let why = kept.why(easter_monday, LATER);
    assert_eq!(why.summary, format!("{moved}; run {id} of it is succeeded"));
    assert_eq!((why.runs.len(), why.fire.map(|fire| fire.at)), (1, Some(instant("2027-03-30T00:30:00Z"))));
    // Friday's fire goes to Saturday, where there is no other.
    let saturday = kept.why("2026-12-26T01:30:00Z", "2026-12-01T00:00:00Z");
    assert_eq!(
        saturday.summary,
        "the fire of Sat 2026-12-26 02:30 CET (moved here from Fri 2026-12-25: calendar 'holidays' has its date) lies ahead"
    );
    assert_eq!(saturday.fire.and_then(|fire| fire.moved_from), Some("2026-12-25".to_owned()));
}

#[test]
fn a_run_that_waits_for_its_window_says_so_and_so_does_what_it_keeps_from_starting() {
    let window = serde_json::json!({ "from": "15:02", "to": "18:00", "outside": "defer" });
    let kept = Kept::new(&serde_json::json!({
        "timezone": "UTC", "triggers": [{ "every": "20s", "from": "2027-01-01T00:00:00Z" }], "window": window
    }));
    let (first, second) = ("2027-06-01T14:58:20Z", "2027-06-01T14:58:40Z");
    let id = kept.run(first, first, None, Gate::Window);
    kept.skipped(second, SkipReason::Overlap);
    let why = kept.why(first, "2027-06-01T14:59:00Z");
    let waits = format!(
        "run {id} of Tue 2027-06-01 14:58:20 UTC is queued; it was started by schedule, and waits for the job's window, \
         which opens at Tue 2027-06-01 15:02 UTC"
    );
    assert_eq!(why.summary, waits);
    assert_eq!(why.fire.and_then(|fire| fire.waits_until), Some(instant("2027-06-01T15:02:00Z")));
    assert_eq!(why.next_run.map(|run| run.state), Some(StateName::Skipped));
    let skipped = format!(
        "the fire of Tue 2027-06-01 14:58:40 UTC was skipped: run {id} of Tue 2027-06-01 14:58:20 UTC was waiting for the \
         job's window, which opens at Tue 2027-06-01 15:02 UTC, and the job's overlap policy lets no other start then"
    );
    assert_eq!(kept.says(second, "2027-06-01T14:59:00Z"), (Verdict::Skipped, skipped));
}

#[test]
fn a_late_start_is_told_with_its_cause() {
    let kept = Kept::new(&serde_json::json!({
        "timezone": "UTC", "triggers": [{ "cron": "0 * * * *" }],
        "window": { "from": "15:30", "to": "23:00", "outside": "defer" }
    }));
    let summary = |due: &str, queued: &str, started: &str, gate: Gate| {
        kept.run(due, queued, Some(started), gate);
        kept.says(due, LATER).1
    };
    let deferred = summary("2027-06-01T15:00:00Z", "2027-06-01T15:00:00Z", "2027-06-01T15:30:00Z", Gate::Window);
    let waited = " at Tue 2027-06-01 15:30 UTC, 30m late, as it waited for the job's window, which opened at Tue 2027-06-01 15:30 UTC";
    assert!(deferred.ends_with(&format!("started by schedule{waited}")), "{deferred}");
    let queued = summary("2027-06-01T16:00:00Z", "2027-06-01T16:00:00Z", "2027-06-01T16:00:12.5Z", Gate::Turn);
    assert!(queued.ends_with("12s late, as it waited for its turn or for a free place"), "{queued}");
    let punctual = summary("2027-06-01T17:00:00Z", "2027-06-01T17:00:00Z", "2027-06-01T17:00:00.010Z", Gate::Turn);
    assert!(punctual.ends_with("it was started by schedule"), "{punctual}");
    kept.skipped("2027-06-01T18:00:00Z", SkipReason::Overlap);
    let unknown = kept.says("2027-06-01T18:00:00Z", LATER).1;
    assert!(unknown.contains("a run of the job was going or waiting"), "{unknown}");
}

#[test]
fn a_skipped_fire_names_its_calendar() {
    let kept = Kept::new(&serde_json::json!({ "triggers": [
        { "daily": "02:30", "calendars": { "exclude": ["holidays"] } }
    ] }));
    kept.skipped("2027-12-25T01:30:00Z", SkipReason::Calendar);
    let said = kept.says("2027-12-25T01:30:00Z", LATER).1;
    assert_eq!(said, "the fire of Sat 2027-12-25 02:30 CET was skipped: calendar 'holidays' has its date");
    // The calendar has changed since.
    kept.skipped("2027-12-24T01:30:00Z", SkipReason::Calendar);
    assert!(kept.says("2027-12-24T01:30:00Z", LATER).1.contains("as the calendars and triggers are now, none does"));
}

#[test]
fn times_are_those_of_the_jobs_zone() {
    let kept = Kept::new(&serde_json::json!({ "triggers": [{ "daily": "02:30" }] }));
    let said = kept.says("2027-07-01T10:00:00Z", LATER);
    let nearest = "the nearest fires are Thu 2027-07-01 02:30 CEST and Fri 2027-07-02 02:30 CEST";
    assert_eq!(said, (Verdict::NoFire, format!("the job's triggers do not name Thu 2027-07-01 12:00 CEST: {nearest}")));
    let before = kept.says("2025-07-01T10:00:00Z", LATER).1;
    assert!(before.ends_with("(the job was first saved at Sun 2026-11-01 01:00 CET, after that time)"), "{before}");
}

#[test]
fn a_fire_that_shares_the_record_of_others_is_found_in_it() {
    let kept = Kept::new(&serde_json::json!({ "timezone": "UTC", "triggers": [{ "cron": "0 * * * *" }] }));
    let (first, until) = ("2027-06-01T10:00:00Z", "2027-06-03T12:00:00Z");
    let state = RunState::Ended { ending: Ending::Skipped(SkipReason::Missed), at: instant(until) };
    let missed = Some(Missed { until: instant(until), count: 51 });
    kept.write(Write::InsertRun(Arc::new(KeptRun { missed, ..kept.record_of(first, until, state) })));
    for at in [first, "2027-06-02T03:00:00Z", until] {
        let (verdict, said) = kept.says(at, LATER);
        assert_eq!(verdict, Verdict::Skipped, "{at}");
        let all =
            "was skipped, as were all 51 from Tue 2027-06-01 10:00 UTC to Thu 2027-06-03 12:00 UTC: it came due while";
        assert!(said.contains(all), "{said}");
    }
    let why = kept.why("2027-06-03T13:00:00Z", LATER);
    assert_eq!((why.verdict, why.previous_run.map(|run| run.state)), (Verdict::NoRecord, Some(StateName::Skipped)));
}
