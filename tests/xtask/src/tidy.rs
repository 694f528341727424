//! What no compiler checks: how long files are, which words they use, which crate imports which.

mod imports;
mod sources;

use std::path::Path;

use crate::Result;

/// One thing that is not as it should be, and where.
struct Finding {
    place: String,
    problem: String,
}

/// Checks everything and names everything that it finds.
pub(crate) fn check(root: &Path) -> Result {
    let mut findings = sources::check(root)?;
    findings.extend(imports::check(root)?);
    for finding in &findings {
        eprintln!("{}: {}", finding.place, finding.problem);
    }
    match findings.len() {
        0 => {
            eprintln!("tidy: nothing found");
            Ok(())
        }
        count => Err(format!("tidy: {count} found").into()),
    }
}
