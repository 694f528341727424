//! Figures, as a table for people and as JSON for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::machine::Machine;

/// When other processes use more cores than this, figures are not to be trusted.
const DISTURBED: f64 = 0.1;

/// What a figure is to reach.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Reach {
    AtMost(f64),
    AtLeast(f64),
}

/// One measured figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    reach: Option<Reach>,
}

/// What one benchmark found.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    name: &'static str,
    figures: Vec<Figure>,
    notes: Vec<String>,
    took: Duration,
    /// How many cores other processes used meanwhile.
    others: f64,
}

/// What all benchmarks found.
pub(crate) struct Suite {
    machine: Machine,
    pub(crate) reports: Vec<Report>,
}

impl Reach {
    fn is_reached_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "≤ {}", number(*limit)),
            Self::AtLeast(limit) => write!(f, "≥ {}", number(*limit)),
        }
    }
}

impl Figure {
    fn verdict(&self) -> Option<bool> {
        self.reach.map(|reach| reach.is_reached_by(self.value))
    }

    fn to_json(&self) -> Value {
        let (at_most, at_least) = match self.reach {
            None => (None, None),
            Some(Reach::AtMost(limit)) => (Some(limit), None),
            Some(Reach::AtLeast(limit)) => (None, Some(limit)),
        };
        json!({
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "at_most": at_most,
            "at_least": at_least,
            "reached": self.verdict(),
        })
    }
}

impl Report {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, figures: Vec::new(), notes: Vec::new(), took: Duration::ZERO, others: 0.0 }
    }

    /// Adds a figure that is only told.
    pub(crate) fn tell(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { what: what.into(), value, unit, reach: None });
    }

    /// Adds a figure that is to reach something.
    pub(crate) fn hold(&mut self, what: impl Into<String>, value: f64, unit: &'static str, reach: Reach) {
        self.figures.push(Figure { what: what.into(), value, unit, reach: Some(reach) });
    }

    /// Adds a sentence.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Notes how long it took, and how many cores other processes used meanwhile.
    pub(crate) fn took(&mut self, duration: Duration, others: f64) {
        self.took = duration;
        self.others = others;
    }

    fn to_json(&self) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(Figure::to_json).collect();
        json!({
            "name": self.name,
            "seconds": self.took.as_secs_f64(),
            "cores_used_by_others": self.others,
            "figures": figures,
            "notes": self.notes,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{} ({:.0} s)", self.name, self.took.as_secs_f64())?;
        let rows: Vec<[String; 4]> = self
            .figures
            .iter()
            .map(|figure| {
                let verdict = match figure.verdict() {
                    None => "",
                    Some(true) => "reached",
                    Some(false) => "MISSED",
                };
                let reach = figure.reach.map(|reach| reach.to_string()).unwrap_or_default();
                [figure.what.clone(), format!("{} {}", number(figure.value), figure.unit), reach, verdict.to_owned()]
            })
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths = [width(0), width(1), width(2)];
        for [what, value, reach, verdict] in &rows {
            let line = format!("  {what:<0$}  {value:>1$}  {reach:<2$}  {verdict}", widths[0], widths[1], widths[2]);
            writeln!(f, "{}", line.trim_end())?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  - {note}"))?;
        if self.others > DISTURBED {
            let cores = number(self.others);
            writeln!(f, "  - other processes used {cores} cores meanwhile: these figures suffer, measure again")?;
        }
        Ok(())
    }
}

impl Suite {
    pub(crate) fn new(machine: Machine) -> Self {
        Self { machine, reports: Vec::new() }
    }

    /// How many figures were reached, and which were not.
    pub(crate) fn summary(&self) -> String {
        let judged = || self.reports.iter().flat_map(|report| report.figures.iter().map(move |f| (report.name, f)));
        let all = judged().filter(|(_, figure)| figure.verdict().is_some()).count();
        let missed: Vec<String> = judged()
            .filter(|(_, figure)| figure.verdict() == Some(false))
            .map(|(name, figure)| format!("\n  {name}: {}", figure.what))
            .collect();
        format!(
            "{} of {all} figures reached{}{}",
            all - missed.len(),
            if missed.is_empty() { "" } else { "; missed:" },
            missed.concat()
        )
    }

    pub(crate) fn to_json(&self) -> Value {
        let reports: Vec<Value> = self.reports.iter().map(Report::to_json).collect();
        json!({ "machine": self.machine.to_json(), "benchmarks": reports })
    }
}

/// A number with about three digits that matter, and its thousands apart.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        if place > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in
            [(0.0, "0"), (0.0123, "0.012"), (1.5, "1.5"), (12.34, "12.3"), (123.4, "123"), (1_234_567.0, "1,234,567")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(-123.0), "-123");
    }

    #[test]
    fn what_is_missed_is_marked() {
        let mut report = Report::new("example");
        report.tell("told", 1.0, "ms");
        report.hold("kept", 1.0, "ms", Reach::AtMost(2.0));
        report.hold("slow", 1.0, "runs/s", Reach::AtLeast(2.0));
        let text = report.to_string();
        assert!(text.contains("≤ 2") && text.contains("reached") && text.contains("MISSED"), "{text}");
        assert_eq!(report.to_json()["figures"][2]["reached"], false);
        assert_eq!(report.to_json()["figures"][0]["reached"], Value::Null);
    }
}
