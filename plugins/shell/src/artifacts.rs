//! Files that are published when all has gone well.

use std::fs;
use std::path::Path;

use sandglass_plugin::{Failure, FileRef, artifacts, files, output};

/// The most files that a run publishes.
const MOST: usize = 1000;
/// The most folders and files that are looked at.
const LOOKED_AT: usize = 100_000;
/// The deepest folder that is looked into.
const DEPTH: usize = 32;

/// A file that the run left to others.
#[output]
pub(crate) struct Published {
    /// What it is called.
    name: String,
    /// How long it is, in bytes.
    size: u64,
    /// The SHA-256 of its content.
    sha256: String,
}

/// What is wrong with a pattern, if anything.
pub(crate) fn issue(pattern: &str) -> Option<&'static str> {
    let relative = !pattern.is_empty() && !pattern.split('/').any(|part| matches!(part, "" | "." | ".."));
    // Each further one multiplies the ways in which a path can match.
    let many = pattern.split('/').filter(|part| *part == "**").count() > 2;
    let rule = (!relative).then_some("write the path of a file in the run's folder, or a pattern such as out/*.tar");
    rule.or(many.then_some("a pattern has at most two `**`"))
}

/// Publishes what the patterns stand for; with warnings for those that stand for nothing.
pub(crate) fn publish(patterns: &[String]) -> Result<(Vec<Published>, Vec<String>), Failure> {
    let (mut names, mut warnings) = (Vec::new(), Vec::new());
    for pattern in patterns {
        if !pattern.contains(['*', '?']) {
            names.push(pattern.clone());
            continue;
        }
        let before = names.len();
        let parts: Vec<&str> = pattern.split('/').collect();
        walk(&files::work(), "", &parts, &mut 0, &mut names)?;
        if names.len() == before {
            warnings.push(format!("no file matches '{pattern}' under 'artifacts'"));
        }
    }
    names.sort();
    names.dedup();
    if names.len() > MOST {
        return Err(Failure::new("artifacts", format!("{} files are too many artifacts: pack them", names.len())));
    }
    let published = names.iter().map(|name| {
        let source: FileRef = files::in_work(name.as_str());
        let artifact = artifacts::publish(&source, name, "")?;
        Ok(Published { name: artifact.name, size: artifact.size, sha256: artifact.sha256 })
    });
    Ok((published.collect::<Result<_, Failure>>()?, warnings))
}

/// Collects the files below a folder whose paths match. Links are not followed.
fn walk(
    folder: &Path,
    at: &str,
    pattern: &[&str],
    looked_at: &mut usize,
    names: &mut Vec<String>,
) -> Result<(), Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new("artifacts", format!("the folder '{at}' of the run cannot be looked through: {why}"))
    };
    for entry in fs::read_dir(folder).map_err(|error| failed(&error))? {
        *looked_at += 1;
        if *looked_at > LOOKED_AT || at.matches('/').count() > DEPTH {
            return Err(failed(&"there is too much in it; name the files or their folder"));
        }
        let entry = entry.map_err(|error| failed(&error))?;
        let kind = entry.file_type().map_err(|error| failed(&error))?;
        let name = entry.file_name();
        // A name that is no text cannot be an artifact's.
        let Some(name) = name.to_str() else { continue };
        let path = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
        let parts: Vec<&str> = path.split('/').collect();
        if kind.is_dir() && fits(pattern, &parts, true) {
            walk(&entry.path(), &path, pattern, looked_at, names)?;
        } else if kind.is_file() && fits(pattern, &parts, false) {
            names.push(path);
        }
    }
    Ok(())
}

/// Whether a path matches, or with `begins` whether one below it may. `**` stands for any folders, also none; what begins with
/// a dot is meant only where the pattern says so.
fn fits(pattern: &[&str], path: &[&str], begins: bool) -> bool {
    match (pattern, path) {
        ([], []) => !begins,
        (_, []) => begins,
        ([], _) => false,
        // At the end, whatever is below.
        (["**"], _) => path.iter().all(|part| !part.starts_with('.')),
        (["**", rest @ ..], [first, below @ ..]) => {
            fits(rest, path, begins) || (!first.starts_with('.') && fits(pattern, below, begins))
        }
        ([part, rest @ ..], [first, below @ ..]) => {
            (!first.starts_with('.') || part.starts_with('.'))
                && part_fits(part.as_bytes(), first.as_bytes())
                && fits(rest, below, begins)
        }
    }
}

/// `*` stands for any characters, `?` for one byte.
fn part_fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and how much of the text it stands for so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, stands)) => {
                    star = Some((at, stands + 1));
                    p = at + 1;
                    t = stands + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        let matches = |pattern: &str, path: &str| {
            fits(&pattern.split('/').collect::<Vec<_>>(), &path.split('/').collect::<Vec<_>>(), false)
        };
        for (pattern, path) in [
            ("*.tar", "a.tar"),
            ("out/*.tar", "out/a.b.tar"),
            ("**/*.xml", "a.xml"),
            ("**/*.xml", "a/b/c.xml"),
            ("out/**", "out/a/b"),
            ("?a*b*c", "xabbc"),
            (".hid*", ".hidden"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("*.tar", "out/a.tar"),
            ("out/*.tar", "out/a/b.tar"),
            ("*", ".sandglass-script"),
            ("**", ".git/config"),
            ("a?", "a"),
            ("*a", "b"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }
}
