//! What programs hand over for the run's result: lines `key=value`, and a JSON document.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use sandglass_plugin::process::{Command, locate};
use sandglass_plugin::serde_json::{self, Value};
use sandglass_plugin::{Failure, files};

/// The file for lines, in the run's own folder.
const LINES: &str = ".sandglass-output";
/// The file for JSON.
const JSON: &str = ".sandglass-result.json";
/// The most that either may have, in bytes.
const SIZE: u64 = 1 << 20;

/// Where programs are told to write.
pub(crate) struct Capture {
    lines: String,
    json: String,
}

/// What they wrote.
#[derive(Default)]
pub(crate) struct Captured {
    pub(crate) values: Option<BTreeMap<String, String>>,
    pub(crate) data: Option<Value>,
}

impl Capture {
    pub(crate) fn prepare() -> Result<Self, Failure> {
        Ok(Self { lines: locate(&files::in_work(LINES))?, json: locate(&files::in_work(JSON))? })
    }

    /// Tells a program of the files.
    pub(crate) fn tell(&self, command: Command) -> Command {
        command.env("SANDGLASS_OUTPUT", &self.lines).env("SANDGLASS_RESULT", &self.json)
    }

    /// Reads what was written, after the last program has ended.
    pub(crate) fn read(&self) -> Result<Captured, Failure> {
        let values = match read(LINES, "SANDGLASS_OUTPUT")? {
            Some(text) => Some(parse(&text).map_err(|why| invalid("SANDGLASS_OUTPUT", &why))?),
            None => None,
        };
        let data = match read(JSON, "SANDGLASS_RESULT")? {
            Some(text) if !text.trim().is_empty() => {
                let parsed = serde_json::from_str(&text);
                Some(parsed.map_err(|error| invalid("SANDGLASS_RESULT", &format!("it is no JSON: {error}")))?)
            }
            _ => None,
        };
        Ok(Captured { values, data })
    }
}

fn invalid(variable: &str, why: &str) -> Failure {
    Failure::new("invalid-output", format!("what was written to the file of {variable} cannot be used: {why}"))
}

/// Why a file cannot be opened. Programs may have put something else in its place: the host opens no link that leads out.
fn not_opened(path: &Path, error: &io::Error) -> String {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => "there is a link, a pipe or the like in its place".to_owned(),
        _ => error.to_string(),
    }
}

/// The file's text; none if nobody wrote it.
fn read(name: &str, variable: &str) -> Result<Option<String>, Failure> {
    let path = files::work().join(name);
    let file = match fs::File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| invalid(variable, &not_opened(&path, &error)))?,
    };
    let mut bytes = Vec::new();
    // One more than it may have, to notice that there is more.
    file.take(SIZE + 1).read_to_end(&mut bytes).map_err(|error| invalid(variable, &error.to_string()))?;
    if bytes.len() as u64 > SIZE {
        return Err(invalid(variable, "it has more than 1 MiB"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| invalid(variable, "it is not UTF-8"))
}

/// Reads lines `key=value`. A value of several lines stands between `key<<END` and a line that is `END`, whatever word that
/// is. A key that comes again has its last value.
fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((place, line)) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let number = place + 1;
        let (equals, opening) = (line.find('='), line.find("<<"));
        let (key, value) = match (equals, opening) {
            (equals, Some(at)) if equals.is_none_or(|equals| at < equals) => {
                (&line[..at], until(&mut lines, line[at + 2..].trim(), number)?)
            }
            (Some(at), _) => (&line[..at], line[at + 1..].to_owned()),
            _ => return Err(format!("line {number} is neither key=value nor key<<END")),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if key.is_empty() || !key.chars().all(fits) {
            return Err(format!("the key of line {number} is no word of letters, digits, '_', '-' and '.'"));
        }
        values.insert(key.to_owned(), value);
    }
    Ok(values)
}

fn until<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>, end: &str, opened: usize) -> Result<String, String> {
    if end.is_empty() {
        return Err(format!("line {opened} says with '<<' that a value follows, and not what ends it"));
    }
    let mut value = Vec::new();
    for (_, line) in lines {
        if line == end {
            return Ok(value.join("\n"));
        }
        value.push(line);
    }
    Err(format!("the value that begins in line {opened} has no end: a line {end:?} is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_values() {
        let values = parse("a=1\n\nb.c=x=y<<z\r\ntext<<EOF\none\n\n two=2\nEOF\na=2\nempty=\n").expect("good lines");
        let expected = [("a", "2"), ("b.c", "x=y<<z"), ("empty", ""), ("text", "one\n\n two=2")];
        assert_eq!(values, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn bad_lines_are_told_by_number() {
        for (text, reason) in [
            ("a=1\nb", "line 2 is neither"),
            ("=1", "the key of line 1"),
            ("a b=1", "the key of line 1"),
            ("a<<\nx", "not what ends it"),
            ("\na<<EOF\nx", "begins in line 2"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
