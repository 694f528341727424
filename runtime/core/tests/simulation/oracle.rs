//! The oracle: what must become of every fire, found by looking at every minute of every job. It shares no code with the
//! scheduler and knows local time only from the zone database.

use chrono::{DateTime, Datelike, Offset, TimeZone, Timelike};
use chrono_tz::Tz;

use crate::jobs::{Job, Overlap, Policy, When};

/// The most runs that wait by `buffer_all`.
const LONGEST_LINE: u32 = 1000;

/// What became of a fire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Outcome {
    Ran,
    Missed,
    Overlap,
    OutsideWindow,
    Calendar,
}

/// A fire and what became of it: the job's place, and the minute since 1970.
pub(crate) type Record = (usize, i64, Outcome);

/// What is known of a job while the minutes go by.
#[derive(Clone, Default)]
struct State {
    /// The minutes at which its runs end.
    ends: Vec<i64>,
    /// How many runs wait for their turn.
    line: u32,
    fired: u64,
    /// Fires of the time in which the daemon was down.
    due: Vec<i64>,
}

pub(crate) struct Oracle<'a> {
    jobs: &'a [Job],
    states: Vec<State>,
    /// The minute in which all jobs were saved.
    since: i64,
    down: bool,
    pub(crate) records: Vec<Record>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn new(jobs: &'a [Job], since: i64) -> Self {
        Self { jobs, states: vec![State::default(); jobs.len()], since, down: false, records: Vec::new() }
    }

    /// The daemon ends after what it did in this minute.
    pub(crate) fn crash(&mut self) {
        self.down = true;
    }

    /// Looks at one minute; `restarts` if the daemon comes back in it.
    pub(crate) fn minute(&mut self, minute: i64, restarts: bool) {
        let clocks: Vec<Clock> = crate::jobs::ZONES.iter().map(|zone| Clock::at(*zone, minute)).collect();
        for place in 0..self.jobs.len() {
            let job = &self.jobs[place];
            let clock = &clocks[job.zone];
            let fires = minute > self.since && !self.exhausted(place) && fires(job, clock, minute, self.since);
            if self.down && !restarts {
                if fires {
                    self.states[place].due.push(minute);
                }
                continue;
            }
            let state = &mut self.states[place];
            if restarts {
                state.ends.clear();
            }
            state.ends.retain(|end| *end > minute);
            if state.ends.is_empty() && state.line > 0 {
                if job.is_open(clock) {
                    state.line -= 1;
                    state.ends.push(minute + job.takes);
                } else {
                    // Their turn has come, but the window has closed: they expire, one after another.
                    state.line = 0;
                }
            }
            if !state.due.is_empty() {
                let mut due = std::mem::take(&mut state.due);
                due.extend(fires.then_some(minute));
                self.catch_up(place, &due, minute);
            } else if fires {
                self.fire(place, minute, minute, clock);
            }
        }
        self.down &= !restarts;
    }

    fn exhausted(&self, place: usize) -> bool {
        self.jobs[place].max_runs.is_some_and(|most| self.states[place].fired >= most)
    }

    /// The fires that came due while the daemon was down, and perhaps one in the minute in which it came back.
    fn catch_up(&mut self, place: usize, due: &[i64], now: i64) {
        let job = &self.jobs[place];
        let zone = crate::jobs::ZONES[job.zone];
        let mut eligible = Vec::new();
        let mut stood_for = false;
        for at in due {
            let clock = Clock::at(zone, *at);
            let late = now - at;
            let backlog = !eligible.is_empty();
            // Until a run has come of its fires, one may be as old as it likes.
            let first = self.states[place].fired == 0 && !backlog;
            let in_window = late * 60 <= job.catch_up_secs || first;
            if job.excludes(&clock) {
                self.records.push((place, *at, Outcome::Calendar));
            } else if !job.is_open(&clock) {
                self.records.push((place, *at, Outcome::OutsideWindow));
            } else if stood_for {
                self.records.push((place, *at, Outcome::Missed));
            } else if late == 0 && !backlog {
                self.fire(place, *at, now, &clock);
            } else if late > 0 && (job.policy == Policy::None || !in_window) {
                self.records.push((place, *at, Outcome::Missed));
            } else if job.policy == Policy::Earliest {
                self.fire(place, *at, now, &Clock::at(zone, now));
                stood_for = true;
            } else {
                eligible.push(*at);
            }
        }
        let most = if job.policy == Policy::All { job.limit } else { 1 };
        let missed = eligible.len().saturating_sub(most);
        for at in &eligible[..missed] {
            self.records.push((place, *at, Outcome::Missed));
        }
        let clock = Clock::at(zone, now);
        for at in &eligible[missed..] {
            if self.exhausted(place) {
                self.records.push((place, *at, Outcome::Missed));
            } else if job.policy == Policy::All && job.overlap != Overlap::AllowAll {
                self.in_turn(place, *at, now, &clock);
            } else {
                self.fire(place, *at, now, &clock);
            }
        }
    }

    /// A fire of `at` is dealt with now, and may start now.
    fn fire(&mut self, place: usize, at: i64, now: i64, clock: &Clock) {
        let job = &self.jobs[place];
        if job.excludes(clock) && at == now {
            self.records.push((place, at, Outcome::Calendar));
            return;
        }
        let state = &self.states[place];
        let busy = !state.ends.is_empty() || state.line > 0;
        match job.overlap {
            _ if !job.is_open(clock) => self.records.push((place, at, Outcome::OutsideWindow)),
            Overlap::Skip if busy => self.records.push((place, at, Outcome::Overlap)),
            Overlap::BufferAll if state.line >= LONGEST_LINE => self.records.push((place, at, Outcome::Overlap)),
            Overlap::BufferOne if state.line > 0 => self.records.push((place, at, Outcome::Overlap)),
            Overlap::BufferOne | Overlap::BufferAll => self.in_turn(place, at, now, clock),
            Overlap::Skip | Overlap::AllowAll => self.run(place, at, now),
        }
    }

    fn in_turn(&mut self, place: usize, at: i64, now: i64, clock: &Clock) {
        if !self.jobs[place].is_open(clock) {
            self.records.push((place, at, Outcome::OutsideWindow));
            return;
        }
        let state = &mut self.states[place];
        if state.ends.is_empty() && state.line == 0 {
            self.run(place, at, now);
        } else {
            state.line += 1;
            state.fired += 1;
            self.records.push((place, at, Outcome::Ran));
        }
    }

    fn run(&mut self, place: usize, at: i64, now: i64) {
        let state = &mut self.states[place];
        state.fired += 1;
        state.ends.push(now + self.jobs[place].takes);
        self.records.push((place, at, Outcome::Ran));
    }
}

/// What the clocks of a zone show in a minute.
pub(crate) struct Clock {
    zone: Tz,
    minute: i64,
    pub(crate) hour: u32,
    pub(crate) minute_of_hour: u32,
    /// 0 is Sunday.
    pub(crate) weekday: u32,
    offset: i64,
    /// The clocks show this for the second time.
    again: bool,
    /// The minutes of the day, and the weekday, that the clocks would show had they not just been put forward.
    skipped: Option<(u32, u32)>,
}

impl Clock {
    fn at(zone: Tz, minute: i64) -> Self {
        let local = local(zone, minute);
        let offset = i64::from(local.offset().fix().local_minus_utc()) / 60;
        let before =
            |minutes: i64| i64::from(self::local(zone, minute - minutes).offset().fix().local_minus_utc()) / 60;
        // Clocks change by an hour or by half of one here.
        let again = [30, 60].into_iter().any(|back| before(back) - offset == back);
        let mut skipped = None;
        let older = before(120);
        if older < offset {
            let since = (0..=120).take_while(|back| before(*back) == offset).count() as i64 - 1;
            if since < offset - older {
                let would_be = (minute + older).rem_euclid(7 * 1440);
                // 1970-01-01 was a Thursday.
                skipped = Some((small(would_be % 1440), small((would_be / 1440 + 4) % 7)));
            }
        }
        Self {
            zone,
            minute,
            hour: local.hour(),
            minute_of_hour: local.minute(),
            weekday: local.weekday().num_days_from_sunday(),
            offset,
            again,
            skipped,
        }
    }

    pub(crate) fn minute_of_day(&self) -> u32 {
        self.hour * 60 + self.minute_of_hour
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} (offset {} min)", local(self.zone, self.minute), self.zone, self.offset)
    }
}

fn small(number: i64) -> u32 {
    u32::try_from(number).expect("a remainder is small")
}

fn local(zone: Tz, minute: i64) -> DateTime<Tz> {
    zone.timestamp_opt(minute * 60, 0).single().expect("an instant has one local time")
}

/// Whether the job's trigger names this minute.
fn fires(job: &Job, clock: &Clock, minute: i64, since: i64) -> bool {
    match &job.when {
        When::Every(minutes) => (minute - since) % minutes == 0,
        When::EveryMinutes(step) => clock.minute_of_hour.is_multiple_of(*step),
        When::Fixed { times, weekdays } => {
            let named = |time: u32, day: u32| times.contains(&time) && (weekdays >> day) & 1 == 1;
            let regular = !clock.again && named(clock.minute_of_day(), clock.weekday);
            regular || clock.skipped.is_some_and(|(time, day)| named(time, day))
        }
    }
}
