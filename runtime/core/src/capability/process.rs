//! Which programs may be started.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// Which programs may be started: `any`, or a list of absolute paths and patterns, of digests of their files, with their
/// arguments if those matter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum ProcessGrant {
    /// Every program.
    Any,
    /// The programs that one of the patterns matches.
    Programs(Vec<ProgramPattern>),
}

/// An absolute path in which `*` stands for any characters but `/`, or the digest of a program's file, `sha256:` and 64
/// digits, or both with `@` between them; or a list of one of these and a pattern for each argument, in which `*` stands for any
/// characters, but in a path for none that lead out by `..`, and a last `**` for whatever else there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramPattern {
    /// None: wherever the program is. There is a digest then.
    path: Option<String>,
    /// None: whatever is in its file.
    digest: Option<Digest>,
    /// None: whatever the arguments are.
    args: Option<Vec<String>>,
}

/// A program that a run would start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgramUse<'a> {
    /// Its file: an absolute path with links resolved.
    pub path: &'a str,
    /// Its arguments, its own name left out.
    pub args: &'a [String],
    /// What is in its file; none while nobody has looked.
    pub digest: Option<Digest>,
}

/// What stands for any further arguments.
const REST: &str = "**";
/// What a digest begins with.
const DIGEST: &str = "sha256:";

/// The text is no program pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' names no program: write an absolute path such as /usr/bin/tar, a pattern such as /usr/bin/*, or the digest of its \
     file, as sha256: and 64 digits, alone or after a path and @"
)]
pub struct InvalidProgramPattern(String);

impl ProcessGrant {
    /// Whether the program may be started.
    #[must_use]
    pub fn allows(&self, program: &ProgramUse<'_>) -> bool {
        self.is_any_or(|pattern| pattern.matches(program))
    }

    /// Whether a program may be started if its file has the right digest, of which nothing is known yet.
    pub(super) fn may_allow(&self, program: &ProgramUse<'_>) -> bool {
        self.is_any_or(|pattern| pattern.fits(program))
    }

    /// The digest that a pattern for the program's path asks for, if it is another than the program's.
    fn other_digest(&self, program: &ProgramUse<'_>) -> Option<Digest> {
        let Self::Programs(patterns) = self else { return None };
        let of_path = patterns.iter().filter(|pattern| pattern.path.is_some() && pattern.is_at(program.path));
        of_path.filter_map(|pattern| pattern.digest).find(|digest| Some(*digest) != program.digest)
    }

    /// Whether one of the patterns is for the program, and looks at its arguments.
    pub(super) fn looks_at_args(&self, program: &ProgramUse<'_>) -> bool {
        *self != Self::Any && self.is_any_or(|pattern| pattern.args.is_some() && pattern.is_at(program.path))
    }

    fn is_any_or(&self, is_so: impl Fn(&ProgramPattern) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Programs(patterns) => patterns.iter().any(is_so),
        }
    }
}

impl ProgramPattern {
    /// Whether the pattern matches a program, its file and its arguments. A path that is not absolute, or has an empty, `.` or
    /// `..` part, never matches; nor does a digest while nobody has looked into the file.
    #[must_use]
    pub fn matches(&self, program: &ProgramUse<'_>) -> bool {
        self.fits(program) && self.digest.is_none_or(|digest| program.digest == Some(digest))
    }

    /// Whether it matches whatever is in the file.
    fn fits(&self, program: &ProgramUse<'_>) -> bool {
        self.is_at(program.path) && self.args.as_deref().is_none_or(|patterns| are(patterns, program.args))
    }

    fn is_at(&self, path: &str) -> bool {
        is_program(path) && self.path.as_deref().is_none_or(|pattern| glob(pattern, path))
    }
}

impl ProgramUse<'_> {
    /// What is refused where `grant` does not allow it, and the line that would.
    pub(super) fn refused_by(&self, grant: Option<&ProcessGrant>) -> (String, String) {
        let by_args = grant.is_some_and(|grant| grant.looks_at_args(self));
        let other = grant.and_then(|grant| grant.other_digest(self));
        let mut what = self.to_string();
        if let (Some(_), Some(other)) = (self.digest, other) {
            what.push_str(&format!(" and not {DIGEST}{other} as granted,"));
        }
        if by_args {
            what.push_str(" with these arguments");
        }
        let program = match self.digest.or(other) {
            None => self.path.to_owned(),
            Some(digest) => format!("{}@{DIGEST}{digest}", self.path),
        };
        let words =
            || std::iter::once(program.as_str()).chain(self.args.iter().map(String::as_str)).collect::<Vec<_>>();
        let pattern = if by_args { serde_json::json!(words()) } else { program.as_str().into() };
        (what, format!("process: [{pattern}]"))
    }
}

impl fmt::Display for ProgramUse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "starting {}", self.path)?;
        self.digest.map_or(Ok(()), |digest| write!(f, ", whose digest is {DIGEST}{digest}"))
    }
}

/// Whether there is a pattern for each argument that matches it.
fn are(patterns: &[String], args: &[String]) -> bool {
    let (patterns, has_rest) = match patterns.split_last() {
        Some((last, before)) if last == REST => (before, true),
        _ => (patterns, false),
    };
    let fits = if has_rest { args.len() >= patterns.len() } else { args.len() == patterns.len() };
    fits && patterns.iter().zip(args).all(|(pattern, arg)| segment(pattern, arg) && !leads_out(pattern, arg))
}

/// Whether an argument leads out of the folder that a pattern with `*` names: by a `..` that the pattern has not.
fn leads_out(pattern: &str, arg: &str) -> bool {
    let climbs = |text: &str| text.split('/').any(|part| part.ends_with(".."));
    pattern.contains('*') && pattern.contains('/') && climbs(arg) && !climbs(pattern)
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

/// Whether a process with this environment variable may run other code than its program: what the dynamic linker, shells,
/// interpreters and usual tools load or evaluate because a variable says so, or find in a folder that one names. Those that are
/// known; a program may read more.
pub(super) fn subverts(variable: &str) -> bool {
    const PREFIXES: [&str; 22] = [
        "LD_", "DYLD_", "GLIBC_", "GCONV_", "BASH_", "PYTHON", "PERL", "RUBY", "GEM_", "BUNDLE_", "NODE_", "NPM_",
        "npm_", "LUA_", "PHP", "GIT_", "XDG_", "OPENSSL_", "DOTNET_", "CARGO_", "RUSTC_", "AWK",
    ];
    // What holds a command line, or options, is called so by the tools that read it.
    const SUFFIXES: [&str; 7] = ["COMMAND", "RSH", "SSH", "ASKPASS", "PAGER", "EDITOR", "FLAGS"];
    const NAMES: [&str; 43] = [
        "PATH",
        "HOME",
        "ENV",
        "IFS",
        "SHELL",
        "SHELLOPTS",
        "BASHOPTS",
        "PS4",
        "ZDOTDIR",
        "CLASSPATH",
        "CDPATH",
        "VISUAL",
        "BROWSER",
        "LESSOPEN",
        "LESSCLOSE",
        "LESSKEY",
        "MAKEFILES",
        "CC",
        "CXX",
        "GCC_EXEC_PREFIX",
        "PSQLRC",
        "VIMINIT",
        "EXINIT",
        "GDBINIT",
        "MAILRC",
        "WGETRC",
        "CURL_HOME",
        "GNUPGHOME",
        "HGRCPATH",
        "KUBECONFIG",
        "DOCKER_CONFIG",
        "AWS_CONFIG_FILE",
        "ANSIBLE_CONFIG",
        "PIP_CONFIG_FILE",
        "TF_CLI_CONFIG_FILE",
        "SYSTEMD_LESS",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "_JAVA_OPTIONS",
        "R_HOME",
        "R_PROFILE",
        "TAR_OPTIONS",
        "RSYNC_CONNECT_PROG",
    ];
    PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| variable.ends_with(suffix))
        || NAMES.contains(&variable)
}

impl FromStr for ProgramPattern {
    type Err = InvalidProgramPattern;

    fn from_str(text: &str) -> Result<Self, InvalidProgramPattern> {
        let invalid = || InvalidProgramPattern(text.to_owned());
        let (path, digits) = match (text.strip_prefix(DIGEST), text.rsplit_once(&format!("@{DIGEST}"))) {
            (_, Some((path, digits))) => (Some(path), Some(digits)),
            (Some(digits), None) => (None, Some(digits)),
            (None, None) => (Some(text), None),
        };
        let digest = digits.map(str::parse).transpose().map_err(|_| invalid())?;
        if path.is_some_and(|path| !is_program(path)) {
            return Err(invalid());
        }
        Ok(Self { path: path.map(str::to_owned), digest, args: None })
    }
}

impl TryFrom<&serde_json::Value> for ProgramPattern {
    type Error = String;

    fn try_from(value: &serde_json::Value) -> Result<Self, String> {
        let wrong =
            || format!("{value} is no program pattern: write a path or a digest, or a list of one and its arguments");
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
        let program = match (&pattern.path, &pattern.digest) {
            (Some(path), None) => path.clone(),
            (path, digest) => {
                let path = path.iter().map(|path| format!("{path}@"));
                path.chain(digest.iter().map(|digest| format!("{DIGEST}{digest}"))).collect()
            }
        };
        match &pattern.args {
            None => program.into(),
            Some(args) => std::iter::once(&program).chain(args).map(String::as_str).collect(),
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
            "description": "programs that may be started: 'any', or a list of absolute paths and patterns, or of digests of their files, \
                            each alone or in a list with patterns for its arguments",
            "oneOf": [{ "const": "any" }, { "type": "array", "items": { "anyOf": [
                { "type": "string", "pattern": "^(/.|sha256:[0-9a-fA-F]{64}$)" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 }
            ] } }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> ProgramPattern {
        text.parse().unwrap()
    }

    fn at(path: &str) -> ProgramUse<'_> {
        ProgramUse { path, args: &[], digest: None }
    }

    #[test]
    fn stars_stay_within_a_folder() {
        let python = pattern("/usr/bin/py*3");
        assert!(python.matches(&at("/usr/bin/python3")));
        assert!(!python.matches(&at("/usr/bin/py/3")));
        assert!(!python.matches(&at("/usr/bin/python3.11")));
        assert!(pattern("/usr/bin/*").matches(&at("/usr/bin/tar")));
        assert!(!pattern("/usr/bin/*").matches(&at("/usr/bin/../tar")));
        assert!("tar".parse::<ProgramPattern>().is_err());
        assert!("/usr/../bin/tar".parse::<ProgramPattern>().is_err());
        for path in ["/usr/bin/", "/usr/bin/.", "/usr/bin//tar", "//usr/bin/tar", "usr/bin/tar", "/usr/bin/./tar", ""] {
            assert!(!pattern("/usr/bin/*").matches(&at(path)), "{path}");
            assert!(path.parse::<ProgramPattern>().is_err(), "{path}");
        }
    }

    #[test]
    fn digests_count_where_a_pattern_has_one() {
        let (good, other) = (Digest::of(b"good"), Digest::of(b"other"));
        let found = |digest| ProgramUse { digest, ..at("/opt/a/app") };
        for text in [format!("/opt/*/app@sha256:{good}"), format!("sha256:{good}")] {
            let with = pattern(&text);
            assert!(with.matches(&found(Some(good))), "{text}");
            assert!(!with.matches(&found(Some(other))), "{text}");
            assert!(!with.matches(&found(None)), "{text}: nobody has looked");
            let grant = ProcessGrant::Programs(vec![with.clone()]);
            assert!(grant.may_allow(&found(None)) && !grant.allows(&found(None)), "{text}");
            assert_eq!(serde_json::Value::from(&with), serde_json::json!(text));
        }
        assert!(!pattern(&format!("/opt/b/app@sha256:{good}")).matches(&found(Some(good))));
        // One without does not look.
        assert!(pattern("/opt/*/app").matches(&found(Some(other))));
        // What is refused says what was granted, and what would allow it looks into the file no less.
        let line = |digest| format!("process: [\"/opt/a/app@sha256:{digest}\"]");
        let granted = ProcessGrant::Programs(vec![pattern(&format!("/opt/*/app@sha256:{good}"))]);
        let what = format!("starting /opt/a/app, whose digest is sha256:{other}");
        let told = format!("{what} and not sha256:{good} as granted,");
        assert_eq!(found(Some(other)).refused_by(Some(&granted)), (told, line(other)));
        assert_eq!(found(Some(other)).refused_by(None), (what, line(other)));
        let path_alone = ("starting /opt/a/app".to_owned(), line(good));
        assert_eq!(found(None).refused_by(Some(&granted)), path_alone);
        let with_args = format!("[[\"/opt/a/app@sha256:{good}\",\"--check\"]]");
        let grant: ProcessGrant = serde_json::from_str(&with_args).unwrap();
        assert!(!grant.allows(&found(Some(good))) && !grant.may_allow(&found(None)));
        let (what, line) = found(None).refused_by(Some(&grant));
        assert_eq!(what, "starting /opt/a/app with these arguments");
        assert_eq!(line, format!("process: [[\"/opt/a/app@sha256:{good}\"]]"));
        assert!(grant.allows(&ProgramUse { args: &["--check".to_owned()], ..found(Some(good)) }));
        assert_eq!(serde_json::to_string(&grant).unwrap(), with_args);
        for wrong in ["sha256:", "sha256:12", "/a@sha256:", "/a@sha256:12"] {
            assert!(wrong.parse::<ProgramPattern>().is_err(), "{wrong}");
        }
        for before in ["@", "a@", "/@", "/a/../b@", "sha256:"] {
            assert!(format!("{before}sha256:{good}").parse::<ProgramPattern>().is_err(), "{before}");
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
            grant.allows(&ProgramUse { args: &words[1..], ..at(&words[0]) })
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
