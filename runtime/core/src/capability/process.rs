//! Which programs may be started.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list;

/// Which programs may be started: `any`, or a list of absolute paths and patterns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum ProcessGrant {
    /// Every program.
    Any,
    /// The programs that one of the patterns matches.
    Programs(Vec<ProgramPattern>),
}

/// An absolute path in which `*` stands for any characters but `/`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramPattern(String);

/// The text is no program pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no program: write an absolute path such as /usr/bin/tar, or a pattern such as /usr/bin/*")]
pub struct InvalidProgramPattern(String);

impl ProcessGrant {
    /// Whether the program at `path` may be started.
    #[must_use]
    pub fn allows(&self, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Programs(patterns) => patterns.iter().any(|pattern| pattern.matches(path)),
        }
    }
}

impl ProgramPattern {
    /// Whether the pattern matches `path`. A path that is not absolute, or has an empty, `.` or `..` part, never matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        is_program(path) && glob(&self.0, path)
    }
}

/// Whether `path` is an absolute path that says where it leads.
fn is_program(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|path| path.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

/// Whether `pattern` matches the whole of `text`; `*` stands for any characters but `/`.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut patterns = pattern.split('/');
    let mut texts = text.split('/');
    loop {
        match (patterns.next(), texts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(text)) if segment(pattern, text) => {}
            _ => return false,
        }
    }
}

/// Whether `pattern` matches the whole of `text`; `*` stands for any characters.
pub(crate) fn segment(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().expect("split gives at least one part");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether a process with this environment variable may run other code than its program: what the dynamic linker, shells
/// and interpreters load or evaluate because a variable says so.
pub(super) fn subverts(variable: &str) -> bool {
    const PREFIXES: [&str; 9] = ["LD_", "DYLD_", "GLIBC_", "GCONV_", "PYTHON", "PERL", "RUBY", "NODE_", "GIT_"];
    const NAMES: [&str; 8] = ["PATH", "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "PS4", "JAVA_TOOL_OPTIONS"];
    PREFIXES.iter().any(|prefix| variable.starts_with(prefix)) || NAMES.contains(&variable)
}

impl FromStr for ProgramPattern {
    type Err = InvalidProgramPattern;

    fn from_str(text: &str) -> Result<Self, InvalidProgramPattern> {
        if is_program(text) { Ok(Self(text.to_owned())) } else { Err(InvalidProgramPattern(text.to_owned())) }
    }
}

impl fmt::Display for ProgramPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<serde_json::Value> for ProcessGrant {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(text) if text == "any" => Ok(Self::Any),
            serde_json::Value::Array(items) => list::read(&items, "program pattern").map(Self::Programs),
            other => Err(format!("{other} is no process grant: write 'any' or a list of program paths")),
        }
    }
}

impl From<ProcessGrant> for serde_json::Value {
    fn from(grant: ProcessGrant) -> Self {
        match grant {
            ProcessGrant::Any => "any".into(),
            ProcessGrant::Programs(patterns) => list::write(&patterns),
        }
    }
}

impl JsonSchema for ProcessGrant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ProcessGrant".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "programs that may be started: 'any', or a list of absolute paths and patterns",
            "oneOf": [{ "const": "any" }, { "type": "array", "items": { "type": "string", "pattern": "^/." } }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_within_a_folder() {
        let pattern: ProgramPattern = "/usr/bin/py*3".parse().unwrap();
        assert!(pattern.matches("/usr/bin/python3"));
        assert!(!pattern.matches("/usr/bin/py/3"));
        assert!(!pattern.matches("/usr/bin/python3.11"));
        assert!("/usr/bin/*".parse::<ProgramPattern>().unwrap().matches("/usr/bin/tar"));
        assert!(!"/usr/bin/*".parse::<ProgramPattern>().unwrap().matches("/usr/bin/../tar"));
        assert!("tar".parse::<ProgramPattern>().is_err());
        assert!("/usr/../bin/tar".parse::<ProgramPattern>().is_err());
        for path in ["/usr/bin/", "/usr/bin/.", "/usr/bin//tar", "//usr/bin/tar", "usr/bin/tar", "/usr/bin/./tar", ""] {
            assert!(!"/usr/bin/*".parse::<ProgramPattern>().unwrap().matches(path), "{path}");
            assert!(path.parse::<ProgramPattern>().is_err(), "{path}");
        }
    }
}
