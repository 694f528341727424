//! A forecast: as text with a heat map for terminals, and the heat map as a drawing.

mod svg;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use sandglass_core::schedule::Simulation;

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
        text.push_str(&section("Busiest minutes", &busiest(simulation, paint), paint));
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
    let day =
        |at: sandglass_core::time::Timestamp| at.to_chrono().with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
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
    let most = most(simulation);
    let mut text = "     00    03    06    09    12    15    18    21\n".to_owned();
    for (name, hours) in WEEKDAYS.iter().zip(&simulation.load) {
        let cells: String = hours.iter().flat_map(|fires| [shade(*fires, most); 2]).collect();
        let _ = writeln!(text, "{name}  {cells}");
    }
    let _ = writeln!(text, "     {} none to {} {} fires", SHADES[0], SHADES[SHADES.len() - 1], count(most));
    text
}

/// The most fires that an hour has.
fn most(simulation: &Simulation) -> u64 {
    simulation.load.iter().flatten().copied().max().unwrap_or(0)
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
    let mut table = Table::new(&["JOB", "FIRES", "SKIPPED", "FIRST", "LAST"]).right(1).right(2);
    for job in jobs.iter().take(MOST_LINES) {
        let instant =
            |at: Option<sandglass_core::time::Timestamp>| at.map_or_else(|| "-".to_owned(), |at| local(simulation, at));
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
    for busy in simulation.busiest.iter().take(MOST_LINES) {
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

fn local(simulation: &Simulation, at: sandglass_core::time::Timestamp) -> String {
    let zone = simulation.timezone.0;
    let format = if at.as_micros() % 60_000_000 == 0 { "%a %Y-%m-%d %H:%M" } else { "%a %Y-%m-%d %H:%M:%S" };
    at.to_chrono().with_timezone(&zone).format(format).to_string()
}
