//! What no compiler checks: how long files are, which words they use, which crate imports which.

mod imports;
mod sources;

use std::path::Path;

use crate::{Result, plugin_pages};

/// One thing that is not as it should be, and where.
pub(crate) struct Finding {
    pub(crate) place: String,
    pub(crate) problem: String,
}

/// Checks everything and names everything that it finds.
pub(crate) fn check(root: &Path) -> Result {
    let mut findings = sources::check(root)?;
    findings.extend(imports::check(root)?);
    findings.extend(plugin_pages::check(root)?);
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
