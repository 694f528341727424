//! What was counted, by crate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::product::Tests;
use crate::{Result, root};

/// A crate of the workspace.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    /// Whether its lines count.
    pub(super) counts: bool,
}

/// The lines of one crate that are code: by file, each with whether it was run.
#[derive(Default)]
struct Crate {
    files: BTreeMap<PathBuf, BTreeMap<usize, bool>>,
}

/// The lines of all crates.
pub(super) struct Report {
    crates: BTreeMap<String, Crate>,
}

impl Report {
    /// What `lcov`, in the format of that name, says of the lines of `packages` that are not for tests.
    pub(super) fn of(lcov: &str, packages: &[Package]) -> Result<Self> {
        let tests = packages.iter().map(|package| Ok((package, Tests::of(&package.folder)?)));
        let packages = tests.collect::<Result<Vec<_>>>()?;
        let mut report = Self { crates: BTreeMap::new() };
        for (file, lines) in files(lcov) {
            // The innermost, as a package may lie in the folder of another.
            let owner = packages.iter().filter(|(package, _)| file.starts_with(&package.folder));
            let owner = owner.max_by_key(|(package, _)| package.folder.components().count());
            let Some((package, tests)) = owner.filter(|(package, _)| package.counts) else { continue };
            let lines: BTreeMap<_, _> = lines.into_iter().filter(|(line, _)| !tests.have(&file, *line)).collect();
            if !lines.is_empty() {
                report.crates.entry(package.name.clone()).or_default().files.insert(file, lines);
            }
        }
        Ok(report)
    }

    /// How many of a hundred lines of a crate were run.
    pub(super) fn share_of(&self, name: &str) -> f64 {
        self.crates.get(name).map_or(0.0, |of| share(of.lines()))
    }

    /// How many of a hundred lines were run.
    pub(super) fn share(&self) -> f64 {
        share(self.crates.values().flat_map(Crate::lines))
    }

    pub(super) fn print(&self) {
        println!("{:<26} {:>7} {:>7} {:>7}", "crate", "lines", "run", "%");
        let row = |name: &str, lines: Vec<bool>| {
            let run = lines.iter().filter(|run| **run).count();
            println!("{name:<26} {:>7} {run:>7} {:>7.1}", lines.len(), share(lines.iter().copied()));
        };
        for (name, of) in &self.crates {
            row(name, of.lines().collect());
        }
        row("all together", self.crates.values().flat_map(Crate::lines).collect());
    }

    /// Names the lines that were not run, of files below `path`.
    pub(super) fn tell_missed(&self, path: &str) {
        let root = root();
        for (file, lines) in self.crates.values().flat_map(|of| &of.files) {
            let place = file.strip_prefix(&root).unwrap_or(file);
            let missed = stretches(lines);
            if place.starts_with(Path::new(path)) && !missed.is_empty() {
                println!("{}: {}", place.display(), missed.join(", "));
            }
        }
    }
}

impl Crate {
    fn lines(&self) -> impl Iterator<Item = bool> {
        self.files.values().flat_map(|lines| lines.values().copied())
    }
}

fn share(lines: impl Iterator<Item = bool>) -> f64 {
    let (all, run) = lines.fold((0_u32, 0_u32), |(all, run), line| (all + 1, run + u32::from(line)));
    100.0 * f64::from(run) / f64::from(all.max(1))
}

/// Each file with its lines. A file may come more than once; a line was run if any says so.
fn files(lcov: &str) -> BTreeMap<PathBuf, BTreeMap<usize, bool>> {
    let mut files: BTreeMap<PathBuf, BTreeMap<usize, bool>> = BTreeMap::new();
    let mut lines = None;
    for row in lcov.lines() {
        if let Some(file) = row.strip_prefix("SF:") {
            lines = Some(files.entry(file.into()).or_default());
        } else if let Some((line, count)) = row.strip_prefix("DA:").and_then(|row| row.split_once(','))
            && let (Some(lines), Ok(line)) = (&mut lines, line.parse())
        {
            *lines.entry(line).or_default() |= count != "0";
        }
    }
    files
}

/// The lines that were not run, as stretches of code without one that was.
fn stretches(lines: &BTreeMap<usize, bool>) -> Vec<String> {
    let all: Vec<_> = lines.iter().collect();
    let missed = all.chunk_by(|one, next| one.1 == next.1).filter(|chunk| !chunk[0].1);
    let ends = missed.map(|chunk| (chunk[0].0, chunk[chunk.len() - 1].0));
    ends.map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::{files, share, stretches};

    #[test]
    fn reads_what_was_counted() {
        let files = files(
            "SF:/a.rs\nFN:1,f\nDA:1,3\nDA:2,0\nDA:4,0\nDA:5,1\nend_of_record\nSF:/a.rs\nDA:2,0\nDA:5,0\nDA:9,0\n",
        );
        let lines = &files[std::path::Path::new("/a.rs")];
        assert_eq!(stretches(lines), ["2-4", "9"]);
        assert!((share(lines.values().copied()) - 40.0).abs() < 1e-9);
    }
}
