//! A forecast: as text with a heat map for terminals, and the heat map as a drawing.

mod svg;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use chrono::Datelike as _;
use sandglass_core::schedule::Simulation;
use sandglass_core::time::Timestamp;

pub(crate) use svg::svg;

use super::amount::{count, counted};
use super::paint::Paint;
use super::table::Table;

/// How many lines each list has at most.
const MOST_LINES: usize = 10;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// From no load to the most.
const SHADES: [char; 5] = ['·', '░', '▒', '▓', '█'];

/// The forecast for people.
pub(crate) fn text(simulation: &Simulation, paint: Paint) -> String {
    let mut text = summary(simulation);
    if simulation.fires > 0 {
        text.push_str(&section("Load by hour", &heat_map(simulation), paint));
        text.push_str(&section("Most fires", &jobs(simulation, paint), paint));
        if simulation.busiest.iter().any(|busy| busy.fires > 1) {
            text.push_str(&section("Busiest minutes", &busiest(simulation, paint), paint));
        }
    }
    if simulation.collisions.instants > 0 {
        text.push_str(&section("Jobs at the same instant", &collisions(simulation, paint), paint));
    }
    if !simulation.clock_changes.is_empty() {
        text.push_str(&section("Changes of the clocks", &clock_changes(simulation), paint));
    }
    text
}

fn section(title: &str, body: &str, paint: Paint) -> String {
    format!("\n{}\n{body}", paint.bold(title))
}

fn summary(simulation: &Simulation) -> String {
    let zone = simulation.timezone.0;
    let day = |at: Timestamp| at.to_chrono().with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
    let fires = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut line = format!(
        "{}, {} from {} to {} ({zone})",
        counted(simulation.jobs.len(), "job"),
        fires(simulation.fires, "fire"),
        day(simulation.from),
        day(simulation.to)
    );
    if simulation.skipped > 0 {
        let _ = write!(line, "; {} skipped", simulation.skipped);
    }
    line + "\n"
}

/// A row for every day of the week, a column for every hour, and what the shades mean.
fn heat_map(simulation: &Simulation) -> String {
    let load = hourly(simulation);
    let most = most(&load);
    let mut text = "     00    03    06    09    12    15    18    21\n".to_owned();
    for (name, hours) in WEEKDAYS.iter().zip(&load) {
        let cells: String = hours.iter().flat_map(|fires| [shade(*fires, most); 2]).collect();
        let _ = writeln!(text, "{name}  {cells}");
    }
    let _ = writeln!(text, "     {} none to {} {}", SHADES[0], SHADES[SHADES.len() - 1], per_hour(most));
    text
}

/// How finely loads are told: a load of 1 an hour is this much.
const UNIT: u64 = 1000;

/// The load as an average: in thousandths of a fire for every hour of every day of the week. Sums would make the days that
/// the forecast has more often look busier.
fn hourly(simulation: &Simulation) -> [[u64; 24]; 7] {
    let zone = simulation.timezone.0;
    let date = |at: Timestamp| at.to_chrono().with_timezone(&zone).date_naive();
    let last = Timestamp::from_micros(simulation.to.as_micros() - 1);
    let (first, last) = (date(simulation.from), date(last));
    let days = u64::try_from((last - first).num_days() + 1).unwrap_or(1);
    let begins = u64::from(first.weekday().num_days_from_monday());
    let mut load = simulation.load;
    for (weekday, hours) in (0u64..).zip(&mut load) {
        // How many days of the forecast are such days.
        let until = (weekday + 7 - begins) % 7;
        let count = if until < days { (days - until).div_ceil(7) } else { 1 };
        hours.iter_mut().for_each(|fires| *fires = fires.saturating_mul(UNIT) / count);
    }
    load
}

/// The most that an hour has.
fn most(load: &[[u64; 24]; 7]) -> u64 {
    load.iter().flatten().copied().max().unwrap_or(0)
}

/// A load in words: `3 fires an hour`, `0.2 fires an hour`.
fn per_hour(load: u64) -> String {
    let (whole, tenths) = (load / UNIT, load % UNIT * 10 / UNIT);
    let number = match (whole, tenths) {
        (0..10, 1..) => format!("{whole}.{tenths}"),
        _ => count(whole),
    };
    format!("{number} {} an hour", if load == UNIT { "fire" } else { "fires" })
}

fn shade(fires: u64, most: u64) -> char {
    SHADES[step(fires, most)]
}

/// 0 for no fires, else 1 to 4 by quarters of the most.
fn step(fires: u64, most: u64) -> usize {
    let quarter = u128::from(fires) * 4;
    usize::try_from(quarter.div_ceil(u128::from(most.max(1)))).unwrap_or(4).min(4)
}

fn jobs(simulation: &Simulation, paint: Paint) -> String {
    let mut jobs: Vec<_> = simulation.jobs.iter().collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.fires));
    let mut table =
        Table::new(&["JOB", "FIRES", "SKIPPED", "FIRST", "LAST"]).right(1).right(2).whole(3).whole(4).spare(4).spare(2);
    for job in jobs.iter().take(MOST_LINES) {
        let instant = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| local(simulation, at));
        table.row(vec![
            job.job.to_string(),
            job.fires.to_string(),
            job.skipped.to_string(),
            instant(job.first_at),
            instant(job.last_at),
        ]);
    }
    table.render(paint) + &more(jobs.len() as u64)
}

fn busiest(simulation: &Simulation, paint: Paint) -> String {
    let mut table = Table::new(&["MINUTE", "FIRES"]).right(1);
    // A minute with a single fire is not busy.
    for busy in simulation.busiest.iter().filter(|busy| busy.fires > 1).take(MOST_LINES) {
        table.row(vec![local(simulation, busy.at), busy.fires.to_string()]);
    }
    table.render(paint)
}

fn collisions(simulation: &Simulation, paint: Paint) -> String {
    let mut table = Table::new(&["INSTANT", "JOBS", ""]).right(1);
    for collision in simulation.collisions.fullest.iter().take(MOST_LINES) {
        let mut names = collision.jobs.iter().map(|job| job.as_str()).collect::<Vec<_>>().join(", ");
        if collision.count > collision.jobs.len() as u64 {
            let _ = write!(names, ", …");
        }
        table.row(vec![local(simulation, collision.at), collision.count.to_string(), names]);
    }
    table.render(paint) + &more(simulation.collisions.instants)
}

fn clock_changes(simulation: &Simulation) -> String {
    let mut text = String::new();
    for effect in simulation.clock_changes.iter().take(MOST_LINES) {
        let _ = writeln!(text, "{}: {} ({})", effect.job, effect.effect, effect.effect.timezone);
    }
    text + &more(simulation.clock_changes.len() as u64 + simulation.more_clock_changes)
}

fn more(count: u64) -> String {
    match count.saturating_sub(MOST_LINES as u64) {
        0 => String::new(),
        more => format!("and {more} more\n"),
    }
}

fn local(simulation: &Simulation, at: Timestamp) -> String {
    let zone = simulation.timezone.0;
    let format = if at.as_micros() % 60_000_000 == 0 { "%a %Y-%m-%d %H:%M" } else { "%a %Y-%m-%d %H:%M:%S" };
    at.to_chrono().with_timezone(&zone).format(format).to_string()
}
