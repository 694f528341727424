//! Our part of a crontab: what stands between two marks. Everything else is somebody else's, and stays byte for byte.

use std::fmt::Write as _;
use std::ops::Range;

use chrono_tz::Tz;
use sandglass_core::id::Namespace;

use super::super::printable;
use super::CronJobLines;

const BEGIN: &str = "# BEGIN sandglass";
const END: &str = "# END sandglass";

/// The marks in a crontab do not say which lines are ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line} of the crontab is {what}")]
pub struct UnclearBlock {
    /// The line of the mark, counted from 1.
    pub line: usize,
    what: &'static str,
}

/// The marks of a namespace's block: its first line up to the namespace, and its last line.
struct Marks {
    begin: String,
    end: String,
}

impl Marks {
    fn of(namespace: &Namespace) -> Self {
        Self { begin: format!("{BEGIN} (namespace {namespace})"), end: format!("{END} (namespace {namespace})") }
    }

    /// Where our lines stand in `crontab`, if there are any.
    fn find(&self, crontab: &[u8]) -> Result<Option<Range<usize>>, UnclearBlock> {
        let unclear = |line, what| Err(UnclearBlock { line, what });
        let (mut found, mut open, mut at) = (None, None, 0);
        for (number, bytes) in (1..).zip(crontab.split_inclusive(|byte| *byte == b'\n')) {
            let line = bytes.trim_ascii();
            let begins = line.starts_with(BEGIN.as_bytes());
            if begins && open.is_some() {
                return unclear(number, "the beginning of a block of ours before the one above it has ended");
            } else if line == self.begin.as_bytes() {
                if found.is_some() {
                    return unclear(number, "the beginning of a second block of this namespace");
                }
                open = Some((number, at));
            } else if line == self.end.as_bytes() {
                let Some((_, from)) = open.take() else {
                    return unclear(number, "the end of a block of ours that has no beginning");
                };
                found = Some(from..at + bytes.len());
            }
            at += bytes.len();
        }
        match open {
            Some((number, _)) => unclear(number, "the beginning of a block of ours that has no end"),
            None => Ok(found),
        }
    }
}

/// A crontab with `block` in the place of the namespace's, or behind all else if it has none yet.
///
/// # Errors
///
/// If it is unclear which lines are ours.
pub fn with_block(crontab: &[u8], namespace: &Namespace, block: &str) -> Result<Vec<u8>, UnclearBlock> {
    let place = Marks::of(namespace).find(crontab)?;
    let Range { start, end } = place.unwrap_or(crontab.len()..crontab.len());
    let mut text = crontab[..start].to_vec();
    if text.last().is_some_and(|byte| *byte != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(block.as_bytes());
    text.extend_from_slice(&crontab[end..]);
    Ok(text)
}

/// A crontab without the namespace's block.
///
/// # Errors
///
/// If it is unclear which lines are ours.
pub fn without_block(crontab: &[u8], namespace: &Namespace) -> Result<Vec<u8>, UnclearBlock> {
    Ok(match Marks::of(namespace).find(crontab)? {
        Some(Range { start, end }) => [&crontab[..start], &crontab[end..]].concat(),
        None => crontab.to_vec(),
    })
}

/// The zone that the namespace's block finds set by an earlier `CRON_TZ`, if it is a zone.
///
/// # Errors
///
/// If it is unclear which lines are ours.
pub fn zone_before(crontab: &[u8], namespace: &Namespace) -> Result<Option<Tz>, UnclearBlock> {
    let start = Marks::of(namespace).find(crontab)?.map_or(crontab.len(), |block| block.start);
    let lines = String::from_utf8_lossy(&crontab[..start]);
    let zone = |line: &str| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "CRON_TZ").then(|| value.trim().trim_matches(['"', '\'']).parse().ok()).flatten()
    };
    Ok(lines.lines().filter_map(zone).next_back())
}

/// The block of a namespace. `around` is the zone that lines without one have; it holds again after the block.
#[must_use]
pub fn block(namespace: &Namespace, jobs: &[CronJobLines], around: Tz) -> String {
    let marks = Marks::of(namespace);
    let mut text = format!(
        "{}\n# Made by `sandglass export crontab`, which replaces and removes all from BEGIN to END. Each line starts a job of \
         the\n# daemon, which must be up. Cron makes up for nothing that it misses.\n",
        marks.begin
    );
    let entries = || jobs.iter().flat_map(|job| &job.entries);
    if entries().any(|entry| entry.timezone.is_some_and(|zone| zone.0 != around)) {
        text.push_str(
            "# CRON_TZ is known to cronie and its kin; the cron of Debian and Ubuntu passes over it, and goes by the \
             machine's\n# own clock.\n",
        );
    }
    let mut zone = around;
    for job in jobs {
        let title = super::super::title(&job.job, job.revision);
        job.notes.iter().for_each(|note| comment(&mut text, &format!("{title}: note: {note}")));
        for entry in &job.entries {
            comment(&mut text, &format!("{title}: {}", entry.fires));
            entry.notes.iter().for_each(|note| comment(&mut text, &format!("note: {note}")));
            // What names no zone says the same in the zone around, and not in any that an earlier line has set.
            let needed = entry.timezone.map_or(around, |needed| needed.0);
            if needed != zone {
                let _ = writeln!(text, "CRON_TZ={needed}");
                zone = needed;
            }
            entry.lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        for left_out in &job.left_out {
            comment(&mut text, &format!("{title}: {}: has no line here", left_out.fires));
            comment(&mut text, &format!("why: {}; what to do: {}", left_out.why, left_out.instead));
        }
    }
    if zone != around {
        let _ = writeln!(text, "CRON_TZ={around}");
    }
    let _ = writeln!(text, "{}", marks.end);
    text
}

fn comment(text: &mut String, line: &str) {
    let _ = writeln!(text, "# {}", printable(line));
}
