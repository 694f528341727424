//! The XML of a task. Elements stand in the order in which Task Scheduler itself exports them.

use std::fmt::Write as _;

use chrono::NaiveDateTime;
use sandglass_core::quantity::Period;
use sandglass_core::spec::{CatchUpPolicy, JobSpec, Overlap};

use super::super::{Caller, Source, values, word_of};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const WEEKS: [&str; 5] = ["1", "2", "3", "4", "Last"];

/// A trigger of a task.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Event {
    pub(super) schedule: Schedule,
    pub(super) begins: Option<Boundary>,
    pub(super) ends: Option<Boundary>,
    /// After how many seconds it repeats, and for how many; without end if for none.
    pub(super) repeat: Option<(i64, Option<i64>)>,
    /// How much later it may be by chance.
    pub(super) delay: Option<Period>,
}

/// The days of a trigger. Bit `n` of a set stands for the value `n`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Schedule {
    Boot,
    Once,
    Daily,
    Weekly {
        weekdays: u8,
    },
    Monthly {
        months: u16,
        month_days: u32,
        last: bool,
    },
    /// Bits 0 to 3 are the first four weeks, bit 4 is the last.
    ByWeek {
        months: u16,
        weeks: u8,
        weekdays: u8,
    },
}

/// When a trigger begins or ends to hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Boundary {
    pub(super) at: NaiveDateTime,
    /// By the clock of UTC rather than the machine's.
    pub(super) in_utc: bool,
}

/// The task, with `description` line by line.
pub(super) fn task(source: &Source<'_>, caller: &Caller, description: &[String], events: &[Event]) -> String {
    let triggers: String = events.iter().map(trigger).collect();
    let words = source.command(caller);
    let (program, arguments) = words.split_first().expect("the first word is the program");
    let arguments = arguments.iter().map(|word| argument(word)).collect::<Vec<_>>().join(" ");
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Task version="1.4" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>{}</Description>
  </RegistrationInfo>
  <Triggers>
{triggers}  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>{}</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>{}</StartWhenAvailable>
    <ExecutionTimeLimit>{}</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{}</Command>
      <Arguments>{}</Arguments>
    </Exec>
  </Actions>
</Task>
"#,
        escaped(&description.join("\n")),
        instances(source.spec.overlap),
        source.spec.catch_up.policy != CatchUpPolicy::None,
        time_limit(source.spec),
        escaped(program),
        escaped(&arguments),
    )
}

/// What the settings of a task do otherwise than the daemon.
pub(super) fn of_settings(spec: &JobSpec) -> Option<String> {
    let catch_up = &spec.catch_up;
    (catch_up.policy != CatchUpPolicy::None).then(|| {
        format!(
            "Task Scheduler makes up for a missed start as soon as it can, however long ago it was; the daemon goes by \
             `catch_up: {}` and looks back {}",
            word_of(catch_up.policy),
            catch_up.window
        )
    })
}

fn instances(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Skip => "IgnoreNew",
        Overlap::BufferOne | Overlap::BufferAll => "Queue",
        Overlap::CancelOther | Overlap::TerminateOther => "StopExisting",
        Overlap::AllowAll => "Parallel",
    }
}

/// How long the program may wait for the run. Without a deadline a run that is tried again has no end that is known.
fn time_limit(spec: &JobSpec) -> String {
    let limit = match spec.deadline {
        Some(deadline) => Some(deadline.get()),
        None => (spec.retry.max_attempts == 1).then(|| spec.timeout.get()),
    };
    limit.map_or_else(|| "PT0S".to_owned(), |limit| duration(limit + spec.grace.get()))
}

fn trigger(event: &Event) -> String {
    let name = match event.schedule {
        Schedule::Boot => "BootTrigger",
        Schedule::Once => "TimeTrigger",
        Schedule::Daily | Schedule::Weekly { .. } | Schedule::Monthly { .. } | Schedule::ByWeek { .. } => {
            "CalendarTrigger"
        }
    };
    let mut text = format!("    <{name}>\n");
    if let Some((every, lasts)) = event.repeat {
        let seconds = |secs: i64| duration(std::time::Duration::from_secs(secs.unsigned_abs()));
        let lasts = lasts.map(|lasts| format!("<Duration>{}</Duration>", seconds(lasts))).unwrap_or_default();
        let _ = writeln!(text, "      <Repetition><Interval>{}</Interval>{lasts}</Repetition>", seconds(every));
    }
    let boundary = |Boundary { at, in_utc }: Boundary| {
        format!("{}{}", at.format("%Y-%m-%dT%H:%M:%S"), if in_utc { "Z" } else { "" })
    };
    if let Some(at) = event.begins {
        let _ = writeln!(text, "      <StartBoundary>{}</StartBoundary>", boundary(at));
    }
    if let Some(at) = event.ends {
        let _ = writeln!(text, "      <EndBoundary>{}</EndBoundary>", boundary(at));
    }
    text.push_str("      <Enabled>true</Enabled>\n");
    if let Some(delay) = event.delay {
        let _ = writeln!(text, "      <RandomDelay>{}</RandomDelay>", duration(delay.get()));
    }
    text + &days(&event.schedule) + &format!("    </{name}>\n")
}

fn days(schedule: &Schedule) -> String {
    let list = |around: &str, items: String| format!("        <{around}>{items}</{around}>\n");
    let weekdays = |set: u8| values(set.into(), 0, 6).map(|day| format!("<{} />", WEEKDAYS[day as usize])).collect();
    let months =
        |set: u16| values(set.into(), 1, 12).map(|month| format!("<{} />", MONTHS[month as usize - 1])).collect();
    let (name, inner) = match schedule {
        Schedule::Boot | Schedule::Once => return String::new(),
        Schedule::Daily => ("ScheduleByDay", "        <DaysInterval>1</DaysInterval>\n".to_owned()),
        Schedule::Weekly { weekdays: set } => {
            let each = "        <WeeksInterval>1</WeeksInterval>\n";
            ("ScheduleByWeek", list("DaysOfWeek", weekdays(*set)) + each)
        }
        Schedule::Monthly { months: of, month_days, last } => {
            let mut days: String = values((*month_days).into(), 1, 31).map(|day| format!("<Day>{day}</Day>")).collect();
            if *last {
                days.push_str("<Day>Last</Day>");
            }
            ("ScheduleByMonth", list("DaysOfMonth", days) + &list("Months", months(*of)))
        }
        Schedule::ByWeek { months: of, weeks, weekdays: set } => {
            let weeks =
                values((*weeks).into(), 0, 4).map(|week| format!("<Week>{}</Week>", WEEKS[week as usize])).collect();
            let inner = list("Weeks", weeks) + &list("DaysOfWeek", weekdays(*set)) + &list("Months", months(*of));
            ("ScheduleByMonthDayOfWeek", inner)
        }
    };
    format!("      <{name}>\n{inner}      </{name}>\n")
}

/// A length of time as XML Schema writes it, in days, minutes or seconds.
fn duration(length: std::time::Duration) -> String {
    match length.as_secs() {
        secs if secs > 0 && secs.is_multiple_of(86_400) => format!("P{}D", secs / 86_400),
        secs if secs > 0 && secs.is_multiple_of(60) => format!("PT{}M", secs / 60),
        secs => format!("PT{secs}S"),
    }
}

/// A text between tags. What XML 1.0 has no character for becomes a space.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' => escaped.push('\n'),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A word as programs of Windows find it among their arguments: in quotes where it needs them, and backslashes doubled that
/// stand before a quote.
pub(super) fn argument(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '"']) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    let mut backslashes = 0;
    for c in word.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                quoted.push_str(&"\\".repeat(backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        quoted.push(c);
    }
    quoted + &"\\".repeat(backslashes) + "\""
}
