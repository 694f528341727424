//! The jobs of a crontab as a job file.

use sandglass_api::crontab::CronJob;
use serde_json::json;

use super::yaml;

/// The keys of a job, in the order in which people read them. Others come last.
const KEYS: [&str; 12] = [
    "name",
    "timezone",
    "schedule",
    "triggers",
    "command",
    "interpreter",
    "action",
    "working_dir",
    "env",
    "overlap",
    "catch_up",
    "timeout",
];

/// A document for each job, with the line it is from above it.
pub(crate) fn file(jobs: &[CronJob], source: &str) -> String {
    let mut text = format!(
        "# What cron starts by {}. As with cron, runs may overlap and nothing that was missed is made up for;\n\
         # without the lines `overlap` and `catch_up`, no two runs of a job overlap and the latest missed fire is made up for.\n\
         # Cron lets a run go on for ever; `timeout` ends it here.\n",
        source.replace(char::is_control, " ")
    );
    for (place, CronJob { line, text: cron, job, notes }) in jobs.iter().enumerate() {
        text.push_str(if place == 0 { "\n" } else { "---\n" });
        text.push_str(&format!("# line {line}: {cron}\n"));
        notes.iter().for_each(|note| text.push_str(&format!("# note: {note}\n")));
        let mut keys: Vec<_> = job.iter().collect();
        keys.sort_by_key(|(key, _)| KEYS.iter().position(|known| known == key).unwrap_or(KEYS.len()));
        keys.iter().for_each(|(key, value)| text.push_str(&yaml::document(&json!({ *key: value }))));
    }
    text
}
