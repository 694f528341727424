//! Slips in what several triggers come to, and in what is said for all of them.

use std::collections::HashMap;

use super::{STORM, Warning, WarningCode};
use crate::schedule::{JobSchedule, Planning, Schedule};
use crate::spec::JobSpec;
use crate::time::Timestamp;

/// How many fires two triggers must share to count as the same.
const SHARED: usize = 10;
/// How many fires of all triggers are looked at to tell how far apart they are.
const LOOKED_AT: usize = 20;

/// Names of zones that people take for the zone of a country, although its clocks change and these never do.
const FIXED: [(&str, &str); 3] = [("EST", "America/New_York"), ("MST", "America/Denver"), ("HST", "Pacific/Honolulu")];

/// Looks at the job as a whole. `planning` has the job's zone.
pub(super) fn look(job: &JobSpec, planning: &Planning<'_>, now: Timestamp, warnings: &mut Vec<Warning>) {
    if job.window.as_ref().is_some_and(|window| window.from == window.to) {
        warnings.push(Warning {
            code: WarningCode::WholeDayWindow,
            pointer: "/window".to_owned(),
            message: "it closes when it opens, which means a whole day: on its days it is always open".to_owned(),
            hint: "give another 'to', or leave the window out".to_owned(),
        });
    }
    let zone = job.timezone.map(|zone| zone.0.name());
    if let Some((name, place)) = FIXED.into_iter().find(|(name, _)| zone == Some(name)) {
        warnings.push(Warning {
            code: WarningCode::FixedZone,
            pointer: "/timezone".to_owned(),
            message: format!("'{name}' has no daylight saving time: its clocks never change"),
            hint: format!("for the clocks of a place name it, such as '{place}'"),
        });
    }
    duplicates(job, planning, now, warnings);
    storm(job, planning, now, warnings);
}

fn duplicates(job: &JobSpec, planning: &Planning<'_>, now: Timestamp, warnings: &mut Vec<Warning>) {
    if job.triggers.len() < 2 {
        return;
    }
    let mut seen = HashMap::new();
    for (index, trigger) in job.triggers.iter().enumerate() {
        let schedule = Schedule::new(trigger, planning);
        let fires: Vec<Timestamp> =
            std::iter::successors(schedule.next_after(now), |fire| schedule.next_after(*fire)).take(SHARED).collect();
        if fires.is_empty() {
            continue;
        }
        if let Some(first) = seen.insert((fires, trigger.end_at.map(|at| at.to_string())), index) {
            warnings.push(Warning {
                code: WarningCode::DuplicateTrigger,
                pointer: format!("/triggers/{index}"),
                message: format!("it fires when trigger {first} (counted from 0) does, and fires that meet are one"),
                hint: "leave one of them out".to_owned(),
            });
        }
    }
}

/// Many triggers that are seldom each, and often together.
fn storm(job: &JobSpec, planning: &Planning<'_>, now: Timestamp, warnings: &mut Vec<Warning>) {
    if job.triggers.len() < 2 || warnings.iter().any(|warning| warning.code == WarningCode::Storm) {
        return;
    }
    let schedule = JobSchedule::new(job, planning);
    let fires: Vec<Timestamp> =
        std::iter::successors(schedule.next_after(now), |fire| schedule.next_after(*fire)).take(LOOKED_AT).collect();
    let (Some(first), Some(last)) = (fires.first(), fires.last()) else { return };
    let distances = u32::try_from(fires.len() - 1).unwrap_or(u32::MAX);
    if fires.len() < LOOKED_AT || last.since(*first) >= STORM * distances {
        return;
    }
    let distance = last.since(*first) / distances;
    warnings.push(Warning {
        code: WarningCode::Storm,
        pointer: "/triggers".to_owned(),
        message: format!(
            "together its triggers fire about every {} s: some {} runs a day",
            distance.as_secs().max(1),
            86_400_000 / distance.as_millis().max(1)
        ),
        hint: "check that this many are meant; each is kept in the history for as long as 'retention' says".to_owned(),
    });
}
