//! Which programs may be started.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which programs may be started: `any`, or a list of absolute paths and patterns, with their arguments if those matter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum ProcessGrant {
    /// Every program.
    Any,
    /// The programs that one of the patterns matches.
    Programs(Vec<ProgramPattern>),
}

/// An absolute path in which `*` stands for any characters but `/`; or a list of one and a pattern for each argument, in which `*`
/// stands for any characters, and a last `**` for whatever else there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramPattern {
    path: String,
    /// None: whatever the arguments are.
    args: Option<Vec<String>>,
}

/// What stands for any further arguments.
const REST: &str = "**";

/// The text is no program pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no program: write an absolute path such as /usr/bin/tar, or a pattern such as /usr/bin/*")]
pub struct InvalidProgramPattern(String);

impl ProcessGrant {
    /// Whether the program at `path` may be started with these arguments.
    #[must_use]
    pub fn allows(&self, path: &str, args: &[String]) -> bool {
        match self {
            Self::Any => true,
            Self::Programs(patterns) => patterns.iter().any(|pattern| pattern.matches(path, args)),
        }
    }

    /// Whether one of the patterns is for the program at `path`, and looks at its arguments.
    pub(super) fn looks_at_args(&self, path: &str) -> bool {
        match self {
            Self::Any => false,
            Self::Programs(patterns) => {
                patterns.iter().any(|pattern| pattern.args.is_some() && glob(&pattern.path, path))
            }
        }
    }
}

impl ProgramPattern {
    /// Whether the pattern matches a program and its arguments. A path that is not absolute, or has an empty, `.` or `..` part,
    /// never matches.
    #[must_use]
    pub fn matches(&self, path: &str, args: &[String]) -> bool {
        is_program(path) && glob(&self.path, path) && self.args.as_deref().is_none_or(|patterns| are(patterns, args))
    }
}

/// Whether there is a pattern for each argument that matches it.
fn are(patterns: &[String], args: &[String]) -> bool {
    let (patterns, has_rest) = match patterns.split_last() {
        Some((last, before)) if last == REST => (before, true),
        _ => (patterns, false),
    };
    let fits = if has_rest { args.len() >= patterns.len() } else { args.len() == patterns.len() };
    fits && patterns.iter().zip(args).all(|(pattern, arg)| segment(pattern, arg))
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
        if is_program(text) {
            Ok(Self { path: text.to_owned(), args: None })
        } else {
            Err(InvalidProgramPattern(text.to_owned()))
        }
    }
}

impl TryFrom<&serde_json::Value> for ProgramPattern {
    type Error = String;

    fn try_from(value: &serde_json::Value) -> Result<Self, String> {
        let wrong = || format!("{value} is no program pattern: write a path, or a list of one and its arguments");
        let path = |value: &serde_json::Value| {
            let pattern: Result<Self, _> = value.as_str().ok_or_else(wrong)?.parse();
            pattern.map_err(|error: InvalidProgramPattern| error.to_string())
        };
        let Some(items) = value.as_array() else { return path(value) };
        let (first, args) = items.split_first().ok_or_else(wrong)?;
        let args: Option<Vec<String>> = args.iter().map(|arg| arg.as_str().map(str::to_owned)).collect();
        Ok(Self { args: Some(args.ok_or_else(wrong)?), ..path(first)? })
    }
}

impl From<&ProgramPattern> for serde_json::Value {
    fn from(pattern: &ProgramPattern) -> Self {
        match &pattern.args {
            None => pattern.path.as_str().into(),
            Some(args) => std::iter::once(&pattern.path).chain(args).map(String::as_str).collect(),
        }
    }
}

impl TryFrom<serde_json::Value> for ProcessGrant {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(text) if text == "any" => Ok(Self::Any),
            serde_json::Value::Array(items) => {
                items.iter().map(ProgramPattern::try_from).collect::<Result<_, _>>().map(Self::Programs)
            }
            other => Err(format!("{other} is no process grant: write 'any' or a list of program paths")),
        }
    }
}

impl From<ProcessGrant> for serde_json::Value {
    fn from(grant: ProcessGrant) -> Self {
        match grant {
            ProcessGrant::Any => "any".into(),
            ProcessGrant::Programs(patterns) => patterns.iter().map(serde_json::Value::from).collect(),
        }
    }
}

impl JsonSchema for ProcessGrant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ProcessGrant".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "programs that may be started: 'any', or a list of absolute paths and patterns, each alone or in a list with \
                            patterns for its arguments",
            "oneOf": [{ "const": "any" }, { "type": "array", "items": { "anyOf": [
                { "type": "string", "pattern": "^/." },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 }
            ] } }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_within_a_folder() {
        let pattern: ProgramPattern = "/usr/bin/py*3".parse().unwrap();
        assert!(pattern.matches("/usr/bin/python3", &[]));
        assert!(!pattern.matches("/usr/bin/py/3", &[]));
        assert!(!pattern.matches("/usr/bin/python3.11", &[]));
        assert!("/usr/bin/*".parse::<ProgramPattern>().unwrap().matches("/usr/bin/tar", &[]));
        assert!(!"/usr/bin/*".parse::<ProgramPattern>().unwrap().matches("/usr/bin/../tar", &[]));
        assert!("tar".parse::<ProgramPattern>().is_err());
        assert!("/usr/../bin/tar".parse::<ProgramPattern>().is_err());
        for path in ["/usr/bin/", "/usr/bin/.", "/usr/bin//tar", "//usr/bin/tar", "usr/bin/tar", "/usr/bin/./tar", ""] {
            assert!(!"/usr/bin/*".parse::<ProgramPattern>().unwrap().matches(path, &[]), "{path}");
            assert!(path.parse::<ProgramPattern>().is_err(), "{path}");
        }
    }

    #[test]
    fn arguments_count_where_there_are_patterns_for_them() {
        let grant: ProcessGrant = serde_json::from_str(
            r#"[["/bin/systemctl", "restart", "app-*"], ["/bin/git", "pull", "**"], ["/bin/true"], "/bin/tar"]"#,
        )
        .unwrap();
        let allows = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            grant.allows(&words[0], &words[1..])
        };
        for words in ["/bin/systemctl restart app-1", "/bin/git pull", "/bin/git pull -f x", "/bin/true", "/bin/tar -x"]
        {
            assert!(allows(words), "{words}");
        }
        for words in [
            "/bin/systemctl stop app-1",
            "/bin/systemctl restart app-1 db",
            "/bin/systemctl",
            "/bin/git",
            "/bin/git push",
            "/bin/true x",
        ] {
            assert!(!allows(words), "{words}");
        }
        let text = serde_json::to_string(&grant).unwrap();
        assert_eq!(serde_json::from_str::<ProcessGrant>(&text).unwrap(), grant);
        for wrong in ["[[]]", "[[1]]", "[[\"tar\"]]", "[7]", "[[\"/bin/tar\", 1]]"] {
            assert!(serde_json::from_str::<ProcessGrant>(wrong).is_err(), "{wrong}");
        }
    }
}
