//! File lengths and words.

use std::fs;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::Result;

const MOST_LINES: usize = 700;
/// Not ours to judge: what is built, what is fetched, what others wrote.
const NOT_OURS: [&str; 5] = ["target", ".git", "node_modules", "__pycache__", "wit/deps"];
const KINDS: [&str; 9] = ["rs", "toml", "md", "wit", "js", "py", "yaml", "yml", "json"];
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "manager", "managers", "helper", "helpers", "misc"];
/// What must not be committed, and why. Each needle is in two parts, so that this file does not find itself. Unfinished
/// code and its like are left to the compiler's lints.
const FORBIDDEN: [(&str, &str, &str); 7] = [
    ("/work", "/", "a folder of one machine; write a path inside the project"),
    ("../", "shared", "a folder outside of the project"),
    ("issue", " #", "a number that means nothing to a reader; say what it is about"),
    ("crates", ".io", "the name of a package registry's host"),
    ("npmjs", ".org", "the name of a package registry's host"),
    ("pypi", ".org", "the name of a package registry's host"),
    ("static.rust", "-lang.org", "the name of a package registry's host"),
];
/// How many lines above `unsafe` its reason may stand.
const REASON_WITHIN: usize = 6;

pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    files.sort();
    let mut findings = Vec::new();
    for file in files {
        let place = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        let text = fs::read_to_string(&file).map_err(|error| format!("{place} cannot be read: {error}"))?;
        findings.extend(problems(&place, &text).into_iter().map(|(line, problem)| {
            let place = if line == 0 { place.clone() } else { format!("{place}:{line}") };
            Finding { place, problem }
        }));
    }
    Ok(findings)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let relative = path.strip_prefix(root).unwrap_or(&path);
        let name = relative.file_name().unwrap_or_default().to_string_lossy();
        if NOT_OURS.iter().any(|other| relative == Path::new(other) || *name == **other) || name.starts_with("target-")
        {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|kind| KINDS.iter().any(|ours| kind == *ours)) {
            files.push(path);
        }
    }
    Ok(())
}

/// The problems of one file, each with its line, or 0 if it is about the whole file.
fn problems(place: &str, text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let code = place.ends_with(".rs");
    let lines: Vec<&str> = text.lines().collect();
    if code && lines.len() > MOST_LINES {
        found.push((0, format!("{} lines; past {MOST_LINES} a file is to be divided", lines.len())));
    }
    if let Some(name) = place.split(['/', '.']).find(|part| EMPTY_NAMES.contains(part)) {
        found.push((0, format!("the name {name:?} does not say what is inside")));
    }
    for (index, line) in lines.iter().enumerate() {
        for (first, second, why) in FORBIDDEN {
            if line.find(first).is_some_and(|at| line[at + first.len()..].starts_with(second)) {
                found.push((index + 1, format!("{first}{second}: {why}")));
            }
        }
        let reasoned = || lines[index.saturating_sub(REASON_WITHIN)..=index].iter().any(|line| has_reason(line));
        if code && uses_unsafe(line) && !reasoned() {
            found.push((index + 1, "unsafe code without its reason in a SAFETY comment above".to_owned()));
        }
    }
    found
}

fn has_reason(line: &str) -> bool {
    line.contains("SAFETY:") || line.contains("# Safety") || line.contains("reason = ")
}

/// Whether a line has the keyword in code, and not as part of an attribute, a comment or a text.
fn uses_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["unsafe {", "unsafe impl", "unsafe extern"].iter().any(|form| {
        code.find(form)
            .is_some_and(|at| !code[..at].contains('"') && !code[..at].ends_with(|c: char| c.is_alphanumeric()))
    })
}

#[cfg(test)]
mod tests {
    use super::{MOST_LINES, problems};

    fn lines(place: &str, text: &str) -> Vec<usize> {
        problems(place, text).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(lines("a/src/lib.rs", "fn main() {}\n"), Vec::<usize>::new());
        assert_eq!(lines("a/src/lib.rs", &"\n".repeat(MOST_LINES + 1)), [0]);
        assert_eq!(lines("a/src/util.rs", ""), [0]);
        assert_eq!(lines("a/common/mod.rs", ""), [0]);
        assert_eq!(lines("a/README.md", concat!("see\n/work", "/main\n")), [2]);
        assert_eq!(lines("a/src/lib.rs", concat!("// as issue", " #1 says")), [1]);
    }

    #[test]
    fn unsafe_code_needs_a_reason() {
        assert_eq!(lines("a.rs", "let x = unsafe { y };"), [1]);
        assert_eq!(lines("a.rs", "// SAFETY: y outlives x\nlet x = unsafe { y };"), Vec::<usize>::new());
        assert_eq!(lines("a.rs", "// unsafe { y }"), Vec::<usize>::new());
        assert_eq!(lines("a.rs", "let x = \"unsafe {\";"), Vec::<usize>::new());
    }
}
