//! Which targets may be worked on, as whom, and which of their files may be touched.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list;
use super::process::segment;
use crate::id::{TargetGroupName, TargetName};
use crate::target::{Account, Member};

/// Which targets may be worked on: `any`, or a list of patterns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum RemoteGrant {
    /// Every target, as any account that it may be switched to.
    Any,
    /// What one of the patterns allows.
    Targets(Vec<RemotePattern>),
}

/// `[ACCOUNT@]TARGETS[:PATHS]`: what may be done on some targets.
///
/// Targets are a name, a pattern or `group:NAME`. Without an account, only the one that the target is entered as; with one, only
/// that, whether it is switched to or entered as. With paths, only the files that match, and no commands; `*` stands for any
/// characters, and `/srv/app/**` for all below a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemotePattern {
    account: Option<String>,
    targets: Member,
    paths: Option<String>,
}

/// The text is no pattern of targets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' names no targets that may be worked on: {why}; write [ACCOUNT@]TARGETS[:PATHS], such as web-*, root@group:db or web-1:/srv/app/**"
)]
pub struct InvalidRemotePattern {
    text: String,
    why: String,
}

/// What is to be done on a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteUse<'a> {
    /// The target.
    pub target: &'a TargetName,
    /// The groups that it is in.
    pub groups: &'a [TargetGroupName],
    /// The account that the target is entered as.
    pub login: &'a str,
    /// The account that is switched to; none for the one that the target is entered as.
    pub account: Option<&'a str>,
    /// What is done.
    pub deed: Deed<'a>,
}

/// What is done on a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed<'a> {
    /// It is entered. What is done there is asked for each time.
    Enter,
    /// A program is run.
    Run,
    /// Its container engine is used, which may do whatever a program may.
    UseEngine,
    /// Its container engine is asked what it has.
    LookAtEngine,
    /// The file at this path is looked at.
    Read(&'a str),
    /// The file at this path is written, moved or removed.
    Write(&'a str),
}

impl Deed<'_> {
    /// Whether it may change the target.
    #[must_use]
    pub const fn is_act(self) -> bool {
        matches!(self, Self::Run | Self::UseEngine | Self::Write(_))
    }
}

impl RemoteGrant {
    /// Whether it allows this.
    #[must_use]
    pub fn allows(&self, wanted: &RemoteUse<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Targets(patterns) => patterns.iter().any(|pattern| pattern.allows(wanted)),
        }
    }
}

impl RemotePattern {
    fn allows(&self, wanted: &RemoteUse<'_>) -> bool {
        let target = match &self.targets {
            Member::Target(name) => name == wanted.target,
            Member::Pattern(pattern) => pattern.matches(wanted.target),
            Member::Group(group) => wanted.groups.contains(group),
        };
        let account = match (wanted.account, &self.account) {
            (None, None) => true,
            // Who may work there as somebody must get there first.
            (None, Some(_)) if wanted.deed == Deed::Enter => true,
            (account, Some(allowed)) => segment(allowed, account.unwrap_or(wanted.login)),
            (Some(_), None) => false,
        };
        let deed = match (wanted.deed, &self.paths) {
            (Deed::Enter, _) | (_, None) => true,
            (Deed::Run | Deed::UseEngine | Deed::LookAtEngine, Some(_)) => false,
            (Deed::Read(path) | Deed::Write(path), Some(paths)) => is_within(paths, path),
        };
        target && account && deed
    }
}

/// Whether `pattern` matches the path; `**` as its last part stands for any parts, at least one.
fn is_within(pattern: &str, path: &str) -> bool {
    let parts = |text: &str| text.split('/').skip(1).map(str::to_owned).collect::<Vec<_>>();
    let (mut pattern, path) = (parts(pattern), parts(path));
    if path.iter().any(|part| matches!(part.as_str(), "" | "." | "..")) {
        return false;
    }
    let below = pattern.last().is_some_and(|last| last == "**");
    if below {
        pattern.pop();
    }
    let fits = if below { path.len() > pattern.len() } else { path.len() == pattern.len() };
    fits && pattern.iter().zip(&path).all(|(pattern, part)| segment(pattern, part))
}

impl fmt::Display for RemoteUse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.deed {
            Deed::Enter => write!(f, "entering the target {}", self.target)?,
            Deed::Run => write!(f, "running a program on the target {}", self.target)?,
            Deed::UseEngine => write!(f, "using the container engine of the target {}", self.target)?,
            Deed::LookAtEngine => write!(f, "looking at the container engine of the target {}", self.target)?,
            Deed::Read(path) => write!(f, "reading {path} on the target {}", self.target)?,
            Deed::Write(path) => write!(f, "writing {path} on the target {}", self.target)?,
        }
        self.account.map_or(Ok(()), |account| write!(f, " as {account}"))
    }
}

impl RemoteUse<'_> {
    /// The line that would allow it.
    #[must_use]
    pub fn grant(&self) -> String {
        let account = self.account.map(|account| format!("{account}@")).unwrap_or_default();
        let path = match self.deed {
            Deed::Read(path) | Deed::Write(path) => format!(":{path}"),
            Deed::Enter | Deed::Run | Deed::UseEngine | Deed::LookAtEngine => String::new(),
        };
        format!("remote: [\"{account}{}{path}\"]", self.target)
    }
}

impl FromStr for RemotePattern {
    type Err = InvalidRemotePattern;

    fn from_str(text: &str) -> Result<Self, InvalidRemotePattern> {
        let invalid = |why: String| InvalidRemotePattern { text: text.chars().take(200).collect(), why };
        let (account, rest) = match text.split_once('@') {
            Some((account, rest)) if !account.contains('/') => (Some(account), rest),
            _ => (None, text),
        };
        if let Some(account) = account.filter(|account| *account != "*") {
            account.replace('*', "").parse::<Account>().map_err(|error| invalid(error.to_string()))?;
        }
        let (targets, paths) = match rest.find(":/") {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        if let Some(paths) = paths {
            let parts = || paths.split('/').skip(1);
            if parts().any(|part| matches!(part, "" | "." | "..")) || paths.len() > 1000 {
                return Err(invalid(format!("'{paths}' is no pattern of whole paths")));
            }
        }
        let targets = targets.parse().map_err(|error: crate::target::InvalidSelector| invalid(error.to_string()))?;
        Ok(Self { account: account.map(str::to_owned), targets, paths: paths.map(str::to_owned) })
    }
}

impl fmt::Display for RemotePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.account.as_ref().map_or(Ok(()), |account| write!(f, "{account}@"))?;
        self.targets.fmt(f)?;
        self.paths.as_ref().map_or(Ok(()), |paths| write!(f, ":{paths}"))
    }
}

impl TryFrom<serde_json::Value> for RemoteGrant {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(text) if text == "any" => Ok(Self::Any),
            serde_json::Value::Array(items) => list::read(&items, "pattern of targets").map(Self::Targets),
            other => Err(format!("{other} is no grant of targets: write 'any' or a list such as [\"web-*\"]")),
        }
    }
}

impl From<RemoteGrant> for serde_json::Value {
    fn from(grant: RemoteGrant) -> Self {
        match grant {
            RemoteGrant::Any => "any".into(),
            RemoteGrant::Targets(patterns) => list::write(&patterns),
        }
    }
}

impl JsonSchema for RemoteGrant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RemoteGrant".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "targets that may be worked on: 'any', or a list of [ACCOUNT@]TARGETS[:PATHS], such as web-*, \
                            root@group:db or web-1:/srv/app/**",
            "oneOf": [{ "const": "any" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(grant: &[&str], account: Option<&str>, deed: Deed<'_>) -> bool {
        let grant: RemoteGrant = serde_json::from_value(grant.into()).unwrap();
        let groups = ["db".parse().unwrap()];
        grant.allows(&RemoteUse { target: &"web-1".parse().unwrap(), groups: &groups, login: "deploy", account, deed })
    }

    #[test]
    fn targets_are_named_in_three_ways() {
        for grant in ["web-1", "web-*", "*", "group:db"] {
            assert!(allows(&[grant], None, Deed::Run), "{grant}");
        }
        for grant in ["web-2", "db-*", "group:web"] {
            assert!(!allows(&[grant], None, Deed::Enter), "{grant}");
        }
        assert!(!allows(&[], None, Deed::Enter));
    }

    #[test]
    fn accounts_are_switched_to_only_where_they_are_named() {
        assert!(allows(&["root@web-*"], Some("root"), Deed::Run) && allows(&["*@web-1"], Some("root"), Deed::Run));
        assert!(!allows(&["web-*"], Some("root"), Deed::Run));
        assert!(!allows(&["root@web-*"], None, Deed::Run) && !allows(&["root@web-*"], Some("app"), Deed::Enter));
        // Its target is entered for that, and one that is entered as that account needs no switching.
        assert!(allows(&["root@web-*"], None, Deed::Enter) && !allows(&["root@db-*"], None, Deed::Enter));
        assert!(allows(&["deploy@web-*"], None, Deed::Run) && !allows(&["deploy@web-*"], Some("root"), Deed::Run));
        assert!(allows(&["*@web-*"], None, Deed::Run) && allows(&["root@web-1:/srv/**"], None, Deed::Enter));
        let deeds = [Deed::Run, Deed::UseEngine, Deed::LookAtEngine, Deed::Read("/srv/a"), Deed::Write("/srv/a")];
        for deed in deeds {
            assert!(!allows(&["root@web-*", "root@web-1:/srv/**"], None, deed), "{deed:?}");
        }
    }

    #[test]
    fn paths_leave_commands_out() {
        let paths = ["web-*:/srv/app/**", "web-1:/etc/*.conf"];
        for path in ["/srv/app/a", "/srv/app/a/b", "/etc/app.conf"] {
            assert!(allows(&paths, None, Deed::Write(path)), "{path}");
        }
        for path in
            ["/srv/app", "/srv/apple/a", "/srv/app/../b", "/etc/a/b.conf", "/etc/passwd", "srv/app/a", "/srv/app//a"]
        {
            assert!(!allows(&paths, None, Deed::Write(path)), "{path}");
        }
        assert!(allows(&paths, None, Deed::Enter));
        for deed in [Deed::Run, Deed::UseEngine, Deed::LookAtEngine] {
            assert!(!allows(&paths, None, deed) && allows(&["web-1"], None, deed), "{deed:?}");
        }
        assert!(Deed::UseEngine.is_act() && !Deed::LookAtEngine.is_act());
    }

    #[test]
    fn patterns_are_read_and_written_alike() {
        for text in ["web-1", "web-*", "group:db", "root@web-1", "*@group:db", "a@*:/srv/**", "web-1:/a@b/c"] {
            assert_eq!(text.parse::<RemotePattern>().unwrap().to_string(), text);
        }
        for text in ["", "@web", "a b@web", "web:/a/../b", "web:/a//b", "group:", "role == web", "web-1:/"] {
            assert!(text.parse::<RemotePattern>().is_err(), "{text}");
        }
        for wrong in ["true", "\"web-1\"", "[1]"] {
            assert!(serde_json::from_str::<RemoteGrant>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_line_that_would_allow_it_does() {
        let target = "web-1".parse().unwrap();
        for (account, deed) in [
            (None, Deed::Run),
            (Some("root"), Deed::UseEngine),
            (Some("root"), Deed::Write("/etc/a")),
            (None, Deed::Enter),
        ] {
            let wanted = RemoteUse { target: &target, groups: &[], login: "deploy", account, deed };
            let line = wanted.grant();
            let list = line.strip_prefix("remote: ").unwrap();
            assert!(serde_json::from_str::<RemoteGrant>(list).unwrap().allows(&wanted), "{line}");
        }
    }
}
