//! How software gets onto the targets of one platform.

use std::time::Duration;

use sandglass_plugin::schemars::{self, JsonSchema};
use sandglass_plugin::serde::{self, Deserialize};
use sandglass_plugin::{Issue, Words};

use super::packages::{Package, PackageManager};

/// The most packages of a job.
const MAX_PACKAGES: usize = 500;

/// How software gets onto a target: packages, a file of one, or steps of the job's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", deny_unknown_fields, default)]
#[schemars(crate = "self::schemars")]
pub(crate) struct Recipe {
    /// Packages of the target's package manager: names, or `NAME=VERSION`, in which `*` stands for anything.
    pub(super) packages: Vec<String>,
    /// The package manager; the one that the target has by default.
    pub(super) manager: Option<Manager>,
    /// Whether the package manager fetches its lists before it installs anything.
    pub(super) refresh: bool,
    /// A file that is brought to the target: a package (`.deb`, `.rpm`), or what the steps use as `$ARTIFACT`. A whole path in a
    /// folder that the job is granted, or a path in the run's own folder.
    pub(super) artifact: Option<String>,
    /// A command that succeeds where the software is as it should be: then nothing else is done.
    pub(super) check: Option<Words>,
    /// The command that installs it.
    pub(super) install: Option<Words>,
    /// A command that must succeed afterwards; `check` by default.
    pub(super) verify: Option<Words>,
    /// The command that removes it, for `state: absent` and for undoing.
    pub(super) remove: Option<Words>,
}

/// What holds for the targets of each platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", deny_unknown_fields, default)]
#[schemars(crate = "self::schemars")]
pub(crate) struct Platforms {
    linux: Option<Recipe>,
    macos: Option<Recipe>,
    windows: Option<Recipe>,
}

impl Platforms {
    /// What there is, by the names of platforms.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &Recipe)> {
        let all = [("linux", &self.linux), ("macos", &self.macos), ("windows", &self.windows)];
        all.into_iter().filter_map(|(name, recipe)| Some((name, recipe.as_ref()?)))
    }

    pub(super) fn get(&self, platform: &str) -> Option<&Recipe> {
        self.all().find(|(name, _)| *name == platform).map(|(_, recipe)| recipe)
    }
}

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", rename_all = "snake_case")]
#[schemars(crate = "self::schemars")]
pub(crate) enum Manager {
    /// Debian and what comes from it.
    Apt,
    /// Fedora, Red Hat and the like; `yum` where that is what there is.
    Dnf,
    /// Alpine.
    Apk,
    /// Homebrew.
    Brew,
}

impl Manager {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Apt => "apt",
            Self::Dnf => "dnf",
            Self::Apk => "apk",
            Self::Brew => "brew",
        }
    }
}

/// How software gets onto a target, once it is known that the recipe says one thing.
pub(super) enum Way<'a> {
    /// Packages by name.
    Packages(&'a [String]),
    /// A file that holds a package.
    File(&'a str),
    /// Steps of the job's own, with or without a file.
    Steps(Steps<'a>),
}

/// Steps of the job's own.
#[derive(Clone, Copy)]
pub(super) struct Steps<'a> {
    pub(super) artifact: Option<&'a str>,
    pub(super) check: Option<&'a Words>,
    pub(super) install: Option<&'a Words>,
    pub(super) verify: Option<&'a Words>,
    pub(super) remove: Option<&'a Words>,
}

impl Recipe {
    pub(super) const fn manager(&self, timeout: Option<Duration>) -> PackageManager {
        PackageManager { manager: self.manager, refresh: self.refresh, timeout }
    }

    pub(super) fn way(&self) -> Way<'_> {
        if !self.packages.is_empty() {
            return Way::Packages(&self.packages);
        }
        match &self.artifact {
            Some(file) if self.install.is_none() && self.remove.is_none() => Way::File(file),
            artifact => Way::Steps(Steps {
                artifact: artifact.as_deref(),
                check: self.check.as_ref(),
                install: self.install.as_ref(),
                verify: self.verify.as_ref(),
                remove: self.remove.as_ref(),
            }),
        }
    }

    /// What is wrong with it, as far as it shows before a run; `at` is where it stands.
    pub(super) fn validate(&self, at: &str, is_absent: bool, is_undone: bool, issues: &mut Vec<Issue>) {
        let mut issue = |name: &str, message: &str| {
            issues.push(Issue { pointer: format!("{at}/{name}"), message: message.to_owned() });
        };
        let steps =
            [("check", &self.check), ("install", &self.install), ("verify", &self.verify), ("remove", &self.remove)];
        for (name, words) in steps {
            if words.as_ref().is_some_and(Words::is_empty) {
                issue(name, "the command is empty");
            }
        }
        match self.way() {
            Way::Packages(packages) => {
                if packages.len() > MAX_PACKAGES {
                    issue("packages", "a job has at most 500 packages");
                }
                if let Some(at) = packages.iter().position(|package| !Package::is_one(package)) {
                    issue(&format!("packages/{at}"), "write the name of a package, or NAME=VERSION");
                }
                if self.artifact.is_some() || self.install.is_some() || self.check.is_some() || self.remove.is_some() {
                    issue(
                        "packages",
                        "write either `packages`, or an `artifact` or steps: packages have steps of their own",
                    );
                }
            }
            Way::File(file) => {
                if !file.ends_with(".deb") && !file.ends_with(".rpm") {
                    issue("artifact", "only .deb and .rpm files say how they are installed: write an `install` step");
                }
                if is_absent {
                    issue("artifact", "what is not to be there is named by `packages`, or has a `remove` step");
                }
            }
            Way::Steps(steps) => {
                let (needed, name) = if is_absent { (steps.remove, "remove") } else { (steps.install, "install") };
                if needed.is_none() {
                    issue(name, "write `packages`, an `artifact`, or the step that does it");
                }
                let (undoing, name) = if is_absent { (steps.install, "install") } else { (steps.remove, "remove") };
                if is_undone && undoing.is_none() {
                    issue(name, "a transaction needs the step that undoes what was done");
                }
            }
        }
    }
}
