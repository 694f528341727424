//! The heat map as a drawing, readable on light and dark ground.

use std::fmt::Write as _;

use sandglass_core::schedule::Simulation;

use super::{WEEKDAYS, hourly, most, per_hour};

const CELL: usize = 26;
const LEFT: usize = 48;
const TOP: usize = 64;
const WIDTH: usize = LEFT + 24 * CELL + 16;
const HEIGHT: usize = TOP + 7 * CELL + 44;

/// The load by day of the week and hour as an SVG document of its own.
pub(crate) fn svg(simulation: &Simulation) -> String {
    let load = hourly(simulation);
    let most = most(&load);
    let zone = simulation.timezone.0;
    let day = |at: sandglass_core::time::Timestamp| at.to_chrono().with_timezone(&zone).format("%Y-%m-%d").to_string();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>Fires by day of the week and hour</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let skipped = match simulation.skipped {
        0 => String::new(),
        skipped => format!(" ({skipped} skipped)"),
    };
    let heading = format!(
        "{} jobs, {} fires{skipped}, {} to {}, {zone}",
        simulation.jobs.len(),
        simulation.fires,
        day(simulation.from),
        day(simulation.to)
    );
    label(&mut text, 16, 26, "start", 15, &heading);
    for hour in (0..24).step_by(3) {
        label(&mut text, LEFT + hour * CELL, TOP - 8, "start", 12, &format!("{hour:02}:00"));
    }
    for (row, (name, hours)) in WEEKDAYS.iter().zip(&simulation.load).enumerate() {
        label(&mut text, LEFT - 8, TOP + row * CELL + 17, "end", 12, name);
        for (hour, fires) in hours.iter().enumerate() {
            let average = load[row][hour];
            let _ = writeln!(
                text,
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"3\" fill=\"{}\"><title>{name} {hour:02}:00: {fires}</title></rect>",
                LEFT + hour * CELL,
                TOP + row * CELL,
                CELL - 2,
                CELL - 2,
                colour(average, most)
            );
        }
    }
    let legend = format!("darkest: {} on average", per_hour(most));
    label(&mut text, LEFT, HEIGHT - 16, "start", 12, &legend);
    text + "</svg>\n"
}

fn label(text: &mut String, x: usize, y: usize, anchor: &str, size: usize, words: &str) {
    // Names of zones and numbers alone: nothing that would have to be escaped.
    let _ = writeln!(
        text,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"#1f2937\">{words}</text>"
    );
}

/// From a light grey for nothing over a light to a dark blue.
fn colour(fires: u64, most: u64) -> String {
    if fires == 0 {
        return "#f1f3f5".to_owned();
    }
    let mix = |light: u64, dark: u64| {
        let share = u128::from(fires) * u128::from(light.abs_diff(dark)) / u128::from(most.max(1));
        let share = u64::try_from(share).unwrap_or(0);
        if light > dark { light - share } else { light + share }
    };
    format!("#{:02x}{:02x}{:02x}", mix(0xc7, 0x0b), mix(0xdd, 0x3c), mix(0xf5, 0x8c))
}
