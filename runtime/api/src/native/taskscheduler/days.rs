//! Days as Task Scheduler names them.

use sandglass_core::schedule::{ALL_MONTH_DAYS, ALL_MONTHS, ALL_WEEKDAYS, Days};

use super::super::Inexpressible;
use super::xml::Schedule;

/// Every week of a month: the first to the fourth, and the last.
const ALL_WEEKS: u8 = 0b1_1111;
const FIFTH: usize = 4;
const LAST: usize = 5;

/// The schedules whose days together are the ones named, none of them twice.
pub(super) fn schedules(days: &Days) -> Result<Vec<Schedule>, Inexpressible> {
    let months = days.months;
    let every_month_day = days.month_days == ALL_MONTH_DAYS;
    let every_weekday = days.weekdays == ALL_WEEKDAYS;
    let counted = days.nth_weekdays != [0; 6];
    let refused = |why: &str| Err(Inexpressible::new(format!("Task Scheduler cannot say its days: {why}")));
    if days.nearest_workdays != 0 {
        return refused("it knows no workday that is nearest to a day");
    }
    if days.either_will_do() {
        return refused("it knows no days that either the month or the week names");
    }
    if counted {
        let bare = days.weekdays == 0 && every_month_day && days.from_end == 0;
        return if bare { by_weeks(days) } else { refused("it does not go by the month and by weeks at once") };
    }
    if days.from_end > 1 {
        return refused("of days that are counted from the end of a month it knows the last alone");
    }
    let last = days.from_end == 1;
    match (every_month_day && !last, every_weekday) {
        (true, true) if months == ALL_MONTHS => Ok(vec![Schedule::Daily]),
        (true, false) if months == ALL_MONTHS => Ok(vec![Schedule::Weekly { weekdays: days.weekdays }]),
        // In a month of four such weekdays the fourth is the last too, and still one start.
        (true, false) => Ok(vec![Schedule::ByWeek { months, weeks: ALL_WEEKS, weekdays: days.weekdays }]),
        (_, true) => Ok(vec![Schedule::Monthly { months, month_days: days.month_days, last }]),
        (false, false) => refused("it knows no days that both the month and the week name"),
    }
}

/// Schedules by weeks, those that share their weekdays together.
fn by_weeks(days: &Days) -> Result<Vec<Schedule>, Inexpressible> {
    let refused = |why: &str| Err(Inexpressible::new(format!("Task Scheduler cannot say its days: {why}")));
    if days.nth_weekdays[FIFTH] != 0 {
        return refused("it knows no fifth week of a month, only the last");
    }
    let mut groups: Vec<(u8, u8)> = Vec::new();
    for (nth, weekdays) in days.nth_weekdays.into_iter().enumerate().filter(|(_, weekdays)| *weekdays != 0) {
        let week = 1 << if nth == LAST { 4 } else { nth };
        match groups.iter_mut().find(|(of, _)| *of == weekdays) {
            Some((_, weeks)) => *weeks |= week,
            None => groups.push((weekdays, week)),
        }
    }
    // A fourth Friday may be the last: then two schedules would start it twice.
    let last = groups.iter().find(|(_, weeks)| weeks >> 4 & 1 == 1);
    let fourth = groups.iter().find(|(_, weeks)| weeks >> 3 & 1 == 1);
    if let (Some(last), Some(fourth)) = (last, fourth)
        && last != fourth
        && last.0 & fourth.0 != 0
    {
        return refused("a fourth weekday may also be the last, and would start it twice");
    }
    let schedule = |(weekdays, weeks)| Schedule::ByWeek { months: days.months, weeks, weekdays };
    Ok(groups.into_iter().map(schedule).collect())
}
