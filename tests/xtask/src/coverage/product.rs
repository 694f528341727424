//! Which lines of a source file are the product's, and not its tests'.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::Result;

/// What is compiled for tests alone: under `test`, or a feature that tests of other crates switch on.
const FOR_TESTS: [&str; 4] = ["test", "\"conformance\"", "\"faults\"", "\"defects\""];
/// Folders and files of a package that are none of the product.
const ASIDE: [&str; 4] = ["tests", "benches", "examples", "build.rs"];

/// What of a package is for its tests alone.
#[derive(Default)]
pub(super) struct Tests {
    files: Vec<PathBuf>,
    lines: Vec<(PathBuf, RangeInclusive<usize>)>,
}

impl Tests {
    /// Those of the package in `folder`.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let mut tests = Self { files: ASIDE.iter().map(|name| folder.join(name)).collect(), lines: Vec::new() };
        tests.look_through(&folder.join("src"))?;
        Ok(tests)
    }

    /// Whether line `line`, from 1, of `file` is for tests alone.
    pub(super) fn have(&self, file: &Path, line: usize) -> bool {
        self.files.iter().any(|tests| file.starts_with(tests))
            || self.lines.iter().any(|(of, lines)| of == file && lines.contains(&line))
    }

    fn look_through(&mut self, folder: &Path) -> Result {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.look_through(&path)?;
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                self.look_into(&path, &fs::read_to_string(&path)?);
            }
        }
        Ok(())
    }

    fn look_into(&mut self, file: &Path, text: &str) {
        let lines: Vec<&str> = text.lines().collect();
        for (place, line) in lines.iter().enumerate() {
            if !is_for_tests(line) {
                continue;
            }
            let Some((name, begins)) =
                lines[place..].iter().find(|line| !line.trim_start().starts_with('#')).and_then(|line| module(line))
            else {
                continue;
            };
            if begins {
                let length = lines[place..].iter().position(|line| *line == "}").unwrap_or(lines.len() - place);
                self.lines.push((file.to_owned(), place + 1..=place + 1 + length));
            } else {
                let folder = folder_of_modules(file);
                self.files.extend([folder.join(name), folder.join(format!("{name}.rs"))]);
            }
        }
    }
}

/// Whether a line is an attribute that leaves out what follows unless it is for tests.
fn is_for_tests(line: &str) -> bool {
    let Some(condition) = line.strip_prefix("#[cfg(") else { return false };
    let words = condition.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '"'));
    !condition.contains("not(") && words.into_iter().any(|word| FOR_TESTS.contains(&word))
}

/// The name of the module that a line declares, and whether its contents follow there.
fn module(line: &str) -> Option<(&str, bool)> {
    let declared = line.split_once("mod ")?.1;
    declared
        .strip_suffix(';')
        .map(|name| (name, false))
        .or_else(|| declared.strip_suffix(" {").map(|name| (name, true)))
}

/// Where the modules that a file declares have theirs.
fn folder_of_modules(file: &Path) -> PathBuf {
    let is_root = file.file_name().is_some_and(|name| name == "mod.rs" || name == "lib.rs" || name == "main.rs");
    if is_root { file.with_file_name("") } else { file.with_extension("") }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Tests;

    fn of(text: &str) -> Tests {
        let mut tests = Tests::default();
        tests.look_into(Path::new("a/src/queue/mod.rs"), text);
        tests
    }

    #[test]
    fn leaves_out_modules_in_place() {
        let tests = of("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        let file = Path::new("a/src/queue/mod.rs");
        let theirs: Vec<_> = (1..=6).filter(|line| tests.have(file, *line)).collect();
        assert_eq!(theirs, [2, 3, 4, 5]);
    }

    #[test]
    fn leaves_out_modules_in_files() {
        let tests = of(
            "#[cfg(all(test, unix))]\nmod tests;\n#[cfg(feature = \"faults\")]\npub mod faults;\n#[cfg(not(test))]\nmod real;\n",
        );
        assert!(tests.have(Path::new("a/src/queue/tests.rs"), 1));
        assert!(tests.have(Path::new("a/src/queue/tests/deep.rs"), 1));
        assert!(tests.have(Path::new("a/src/queue/faults.rs"), 9));
        assert!(!tests.have(Path::new("a/src/queue/real.rs"), 1));
    }
}
