//! Bringing a target to have software, or not to have it, and undoing that.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use sandglass_plugin::Words;
use sandglass_plugin::plan::{Effect, Step};
use sandglass_plugin::remote::{CopyOptions, ExitReport, Session, Target};

use super::packages::{self, Package, PackageManager};
use super::recipe::{Platforms, Recipe, Steps, Way};
use crate::change::{Change, Order};
use crate::deployment::{Deployment, Done};
use crate::fault::Fault;
use crate::files::reference;
use crate::words::{judge, shown};

/// Makes a folder that all may read, as package managers read with accounts of their own.
const NEW_FOLDER: &str = "d=$(mktemp -d /tmp/sandglass.XXXXXX) && chmod 755 $d && echo $d";

/// What targets should have, or not have.
pub(super) struct Provided {
    pub(super) usual: Option<Recipe>,
    /// What holds instead for targets of a platform.
    pub(super) platforms: Platforms,
    pub(super) is_absent: bool,
    /// How long a step may take.
    pub(super) timeout: Option<Duration>,
}

impl Provided {
    fn recipe(&self, target: &Target) -> Result<&Recipe, Fault> {
        let found = self.platforms.get(&target.platform).or(self.usual.as_ref());
        found.ok_or_else(|| Fault::new(format!("the job says nothing for the platform {}", target.platform)))
    }

    /// Brings the file to the target, into a new folder that nobody else writes to; where it is there.
    async fn bring(&self, session: &Session, source: &str, done: &mut Done) -> Result<String, Fault> {
        let report = self.order(&Words::Line(NEW_FOLDER.to_owned()), None).run(session, false).await?;
        judge("mktemp", &report, &[0])?;
        let told = String::from_utf8_lossy(&report.stdout);
        let folder = told.lines().last().unwrap_or_default();
        done.changes.push(Change::Brought(folder.to_owned()));
        let name = source.rsplit('/').next().unwrap_or_default();
        let place = format!("{folder}/{name}");
        session
            .upload(
                &reference(source),
                &place,
                &CopyOptions {
                    mode: Some(0o644),
                    owner: None,
                    make_parents: false,
                    skip_unchanged: false,
                    dry_run: false,
                    delete: false,
                },
            )
            .await?;
        Ok(place)
    }

    /// Makes the packages as they should be; `file` is installed in place of the first.
    async fn packages(
        &self,
        manager: PackageManager,
        session: &Session,
        wanted: &[String],
        file: Option<&str>,
        done: &mut Done,
    ) -> Result<(), Fault> {
        let there = packages::versions(&packages::ask(manager, session, "installed", wanted, false).await?);
        let version = |there: &[(String, String)], name: &str| {
            there.iter().find(|(found, _)| found == name).map(|(_, version)| version.clone())
        };
        let is_right = |there: &[(String, String)], package: &Package| match version(there, &package.name) {
            Some(found) => !self.is_absent && package.wants(&found),
            None => self.is_absent,
        };
        let wrong: Vec<&String> = wanted.iter().filter(|text| !is_right(&there, &Package::of(text))).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let wrong: Vec<String> = wrong.into_iter().cloned().collect();
        let what = file.map_or_else(|| wrong.clone(), |file| vec![file.to_owned()]);
        // Others may come and go with them, and are undone with them.
        let (would, doing) = if self.is_absent { ("would-remove", "remove") } else { ("would-install", "install") };
        let told = packages::ask(manager, session, would, &what, false).await?;
        let (absent, present) = packages::absent_and_present(&told);
        done.changes.push(Change::Packages { manager, absent, present });
        done.is_changed = true;
        packages::ask(manager, session, doing, &what, false).await?;
        let there = packages::versions(&packages::ask(manager, session, "installed", &wrong, false).await?);
        match wrong.iter().find(|text| !is_right(&there, &Package::of(text))) {
            None => Ok(()),
            Some(text) => {
                let still = match version(&there, &Package::of(text).name) {
                    Some(found) => format!("{text} should be as the job says, and the version {found} is there"),
                    None => format!("{text} is not there, although its installation succeeded"),
                };
                Err(Fault::new(still))
            }
        }
    }

    async fn steps(&self, session: &Session, steps: Steps<'_>, done: &mut Done) -> Result<(), Fault> {
        let artifact = match steps.artifact {
            Some(source) => Some(self.bring(session, source, done).await?),
            None => None,
        };
        let artifact = artifact.as_deref();
        if let Some(check) = steps.check {
            let is_there = self.is_well(&self.order(check, artifact).run(session, false).await?)?;
            if is_there != self.is_absent {
                return Ok(());
            }
        }
        let (doing, undoing) =
            if self.is_absent { (steps.remove, steps.install) } else { (steps.install, steps.remove) };
        let doing = self.order(doing.ok_or_else(|| Fault::new("the job has no step for it"))?, artifact);
        done.changes.push(Change::Ran { undo: undoing.map(|words| self.order(words, artifact)) });
        done.is_changed = true;
        doing.obeyed(session, false).await?;
        // What was removed is gone when the check fails.
        let (words, succeeds) = match steps.verify {
            Some(verify) => (Some(verify), true),
            None => (steps.check, !self.is_absent),
        };
        let Some(words) = words else { return Ok(()) };
        let order = self.order(words, artifact);
        let report = order.run(session, false).await?;
        if succeeds {
            return order.judge(&report);
        }
        match self.is_well(&report)? {
            true => Err(Fault::new(format!("'{}' still finds it, although it was removed", shown(words)))),
            false => Ok(()),
        }
    }

    /// Whether a check succeeded; one that did not come to its end is a fault.
    fn is_well(&self, report: &ExitReport) -> Result<bool, Fault> {
        match judge("check", report, &[0]) {
            Ok(()) => Ok(true),
            Err(fault) if fault.exit_code.is_some() => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    fn order(&self, words: &Words, artifact: Option<&str>) -> Order {
        Order {
            words: words.clone(),
            env: artifact.map(|file| ("ARTIFACT".to_owned(), file.to_owned())).into_iter().collect(),
            working_dir: None,
            timeout: self.timeout,
            success: vec![0],
        }
    }
}

impl Deployment for Provided {
    fn apply<'a>(
        &'a self,
        target: &'a Target,
        session: &'a Session,
        done: &'a mut Done,
    ) -> LocalBoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let recipe = self.recipe(target)?;
            let manager = recipe.manager(self.timeout);
            match recipe.way() {
                Way::Packages(wanted) => self.packages(manager, session, wanted, None, done).await,
                Way::File(source) => {
                    let file = self.bring(session, source, done).await?;
                    let told = packages::ask(manager, session, "name", std::slice::from_ref(&file), false).await?;
                    self.packages(manager, session, &[told.trim().to_owned()], Some(&file), done).await
                }
                Way::Steps(steps) => self.steps(session, steps, done).await,
            }
        })
    }

    fn plan<'a>(&'a self, target: &'a Target, _: &'a Session) -> LocalBoxFuture<'a, Result<Vec<Step>, Fault>> {
        Box::pin(std::future::ready(self.planned(target)))
    }
}

impl Provided {
    fn planned(&self, target: &Target) -> Result<Vec<Step>, Fault> {
        let recipe = self.recipe(target)?;
        let name = target.name.as_str();
        let (done, undone) =
            if self.is_absent { ("remove", "if it is there") } else { ("install", "unless it is there") };
        // Whether it is there takes a program to find out, and a plan runs none.
        Ok(match recipe.way() {
            Way::Packages(wanted) => wanted
                .iter()
                .map(|package| Step::new(Effect::Execute, name, format!("{done} {package} {undone}")))
                .collect(),
            Way::File(file) => vec![Step::new(Effect::Execute, name, format!("{done} the package in {file} {undone}"))],
            Way::Steps(steps) => {
                let words = if self.is_absent { steps.remove } else { steps.install };
                let unless = steps.check.map(|check| format!(", unless '{}' says it need not be", shown(check)));
                let shown = words.map(shown).unwrap_or_default();
                vec![Step::new(Effect::Execute, name, format!("run '{shown}'{}", unless.unwrap_or_default()))]
            }
        })
    }
}
