//! How the demonstration looks.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use sandglass_api::wire::Run;
use sandglass_core::id::JobName;
use sandglass_core::spec::JobSpec;

use crate::context::Context;
use crate::render::amount::{bytes, count, duration};
use crate::render::ansi;
use crate::render::paint::Paint;
use crate::render::table::Table;

/// Something to show while runs go.
pub(super) enum Line {
    /// A run printed something.
    Output(JobName, Vec<u8>),
    /// A run is over.
    Over(Box<Run>),
}

pub(super) fn registered(spec: &JobSpec, words: &str, paint: Paint) -> String {
    format!("  {} job {:8} {}\n", paint.green("+"), spec.name, paint.dim(words))
}

/// What a line looks like: the job's name, then what it printed or how it ended.
pub(super) fn line(line: &Line, names: &[&str], paint: Paint) -> String {
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    match line {
        Line::Output(job, bytes) => {
            let text = ansi::strip(&String::from_utf8_lossy(bytes)).to_string();
            text.lines().fold(String::new(), |mut lines, text| {
                let _ = writeln!(lines, "{} {text}", paint.cyan(&format!("{:width$} │", job.as_str())));
                lines
            })
        }
        Line::Over(run) => {
            let name = format!("{:width$} │", run.job.as_str());
            let mut text =
                format!("{} {} run {}\n", paint.cyan(&name), paint.state(run.state), paint.dim(&run.id.to_string()));
            for error in run.attempts.iter().filter_map(|attempt| attempt.error.as_ref()) {
                let _ = writeln!(text, "{} {}", paint.cyan(&name), paint.red(&error.message));
            }
            text
        }
    }
}

/// What each run cost, and what came of them.
pub(super) fn summary(runs: &[Run], received: &[String], folder: &Path, context: &Context) -> String {
    let headings = ["JOB", "RUN", "STATE", "LATE", "TOOK", "FUEL", "MEMORY", "OUTPUT"];
    let mut table = Table::new(&headings).right(3).right(4).right(5).right(6).right(7);
    for run in runs {
        let usage = run.attempts.last().and_then(|attempt| attempt.usage).unwrap_or_default();
        let late = run.started_at.map_or_else(|| "-".to_owned(), |at| duration(at.since(run.scheduled_at)));
        table.row(vec![
            run.job.to_string(),
            run.id.to_string(),
            context.paint.state(run.state),
            late,
            duration(Duration::from_micros(usage.wall_ms.micros)),
            count(usage.fuel),
            bytes(usage.peak_memory_bytes),
            bytes(usage.output_bytes),
        ]);
    }
    let mut text = format!("\n{}\n", table.render(context.paint));
    let archive = folder.join("backup.tar.gz");
    if let Ok(metadata) = archive.metadata() {
        let _ = writeln!(text, "The archive:     backup.tar.gz, {}", bytes(metadata.len()));
    }
    for line in received {
        let _ = writeln!(text, "The server got:  {line}");
    }
    text
}

/// What to do next.
pub(super) fn how_to_go_on(folder: &Path, address: Option<SocketAddr>, keep: bool, paint: Paint) -> String {
    let data = folder.join("data");
    if !keep {
        return format!(
            "\nAll of it was in a temporary folder, which is gone now. To go on:\n  \
             {}      the same, left up to play with\n  \
             {}             a daemon of your own\n  \
             {}    then: save jobs from a file\n",
            paint.bold("sandglass demo --keep"),
            paint.bold("sandglass serve"),
            paint.bold("sandglass apply job.yaml"),
        );
    }
    let here = format!("--data-dir {}", data.display());
    let http = address.map_or_else(String::new, |address| {
        format!("The API is on http://{address}, its token in {}.\n", data.join("admin.token").display())
    });
    format!(
        "\nThe daemon stays up until Ctrl-C. {http}In another terminal:\n  \
         {}\n  {}\n  {}\n  {}\n",
        paint.bold(&format!("sandglass {here} job list")),
        paint.bold(&format!("sandglass {here} job run tick --wait")),
        paint.bold(&format!("sandglass {here} run list --output wide")),
        paint.bold(&format!("sandglass {here} status")),
    )
}
