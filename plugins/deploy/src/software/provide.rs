//! Bringing a target to have software, or not to have it, and undoing that.

use std::collections::BTreeMap;
use std::time::Duration;

use sandglass_plugin::log;
use sandglass_plugin::plan::{Effect, Step};
use sandglass_plugin::remote::{CopyOptions, ExitReport, Session, Target};

use super::packages::{self, Package};
use super::recipe::{Recipe, Steps, Way};
use crate::deployment::{Deployment, Fault};
use crate::files::reference;
use crate::words::{Words, judge};

/// What targets should have, or not have.
pub(super) struct Provided {
    pub(super) usual: Recipe,
    /// What holds instead for targets of a platform.
    pub(super) platforms: BTreeMap<String, Recipe>,
    pub(super) is_absent: bool,
    /// How long a step may take.
    pub(super) timeout: Option<Duration>,
    /// The run, for the names of files on targets.
    pub(super) run: String,
}

/// What was done on a target, and is undone by.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    /// Packages that were not there.
    remove: Vec<String>,
    /// Packages that were there, with their versions.
    install: Vec<String>,
    /// Whether steps were begun.
    steps: bool,
    /// A file that was brought.
    file: Option<String>,
}

impl Provided {
    fn recipe(&self, target: &Target) -> Result<&Recipe, Fault> {
        let recipe = self.platforms.get(&target.platform).unwrap_or(&self.usual);
        if *recipe == Recipe::default() {
            return Err(Fault::new(format!("the job says nothing for the platform {}", target.platform)));
        }
        Ok(recipe)
    }

    /// Brings the file to the target; where it is there.
    async fn bring(&self, session: &Session, source: &str, kept: &mut Undo) -> Result<String, Fault> {
        let name = source.rsplit('/').next().unwrap_or_default();
        let place = format!("/tmp/sandglass-{}-{name}", self.run);
        kept.file = Some(place.clone());
        // Read by the package manager's own account on some systems.
        let options =
            CopyOptions { mode: Some(0o644), owner: None, make_parents: false, skip_unchanged: true, dry_run: false };
        session.upload(&reference(source), &place, &options).await?;
        Ok(place)
    }

    /// Makes the packages as they should be; `file` is installed in place of the first.
    async fn packages(
        &self,
        recipe: &Recipe,
        session: &Session,
        wanted: &[String],
        file: Option<&str>,
        (kept, changed): (&mut Undo, &mut bool),
    ) -> Result<(), Fault> {
        let there = packages::installed(recipe, session, wanted).await?;
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
        for text in &wrong {
            let name = Package::of(text).name;
            match version(&there, &name) {
                Some(found) => kept.install.push(format!("{name}={found}")),
                None => kept.remove.push(name),
            }
        }
        *changed = true;
        let wrong: Vec<String> = wrong.into_iter().cloned().collect();
        if self.is_absent {
            packages::remove(recipe, session, &wrong, false).await?;
        } else {
            let what = file.map_or(wrong.clone(), |file| vec![file.to_owned()]);
            packages::install(recipe, session, &what, false).await?;
        }
        let there = packages::installed(recipe, session, &wrong).await?;
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

    async fn steps(
        &self,
        session: &Session,
        steps: Steps<'_>,
        (kept, changed): (&mut Undo, &mut bool),
    ) -> Result<(), Fault> {
        let artifact = match steps.artifact {
            Some(source) => Some(self.bring(session, source, kept).await?),
            None => None,
        };
        let artifact = artifact.as_deref();
        if let Some(check) = steps.check {
            let is_there = self.is_well(&self.step(session, check, artifact, false).await?)?;
            if is_there != self.is_absent {
                return Ok(());
            }
        }
        (kept.steps, *changed) = (true, true);
        let doing = if self.is_absent { steps.remove } else { steps.install };
        let doing = doing.ok_or_else(|| Fault::new("the job has no step for it"))?;
        judge(&doing.shown(), &self.step(session, doing, artifact, false).await?, &[0])?;
        // What was removed is gone when the check fails.
        let (words, succeeds) = match steps.verify {
            Some(verify) => (Some(verify), true),
            None => (steps.check, !self.is_absent),
        };
        let Some(words) = words else { return Ok(()) };
        let report = self.step(session, words, artifact, false).await?;
        if succeeds {
            return judge(&words.shown(), &report, &[0]);
        }
        match self.is_well(&report)? {
            true => Err(Fault::new(format!("'{}' still finds it, although it was removed", words.shown()))),
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

    async fn step(
        &self,
        session: &Session,
        words: &Words,
        artifact: Option<&str>,
        undoing: bool,
    ) -> Result<ExitReport, Fault> {
        let mut command = words.command();
        if let Some(artifact) = artifact {
            command = command.env("ARTIFACT", artifact);
        }
        if let Some(timeout) = self.timeout {
            command = command.timeout(timeout);
        }
        if undoing {
            command = command.despite_stop();
        }
        Ok(session.run(&command).await?)
    }
}

impl Deployment for Provided {
    type Kept = Undo;

    async fn apply(
        &self,
        target: &Target,
        session: &Session,
        kept: &mut Undo,
        changed: &mut bool,
    ) -> Result<(), Fault> {
        let recipe = self.recipe(target)?;
        match recipe.way() {
            Way::Packages(wanted) => self.packages(recipe, session, wanted, None, (kept, changed)).await,
            Way::File(source) => {
                let file = self.bring(session, source, kept).await?;
                let name = packages::name_of(recipe, session, &file).await?;
                self.packages(recipe, session, &[name], Some(&file), (kept, changed)).await
            }
            Way::Steps(steps) => self.steps(session, steps, (kept, changed)).await,
        }
    }

    async fn plan(&self, target: &Target, _: &Session) -> Result<Vec<Step>, Fault> {
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
                let unless = steps.check.map(|check| format!(", unless '{}' says it need not be", check.shown()));
                let shown = words.map(Words::shown).unwrap_or_default();
                vec![Step::new(Effect::Execute, name, format!("run '{shown}'{}", unless.unwrap_or_default()))]
            }
        })
    }

    async fn undo(&self, target: &Target, session: &Session, kept: Undo) -> Result<(), Fault> {
        let recipe = self.recipe(target)?;
        let mut undone = Ok(());
        if kept.steps
            && let Way::Steps(steps) = recipe.way()
        {
            let words = if self.is_absent { steps.install } else { steps.remove };
            let words = words.ok_or_else(|| Fault::new("the job has no step that undoes it"))?;
            let report = self.step(session, words, kept.file.as_deref(), true).await;
            undone = report.and_then(|report| judge(&words.shown(), &report, &[0]));
        }
        if !kept.remove.is_empty() {
            undone = undone.and(packages::remove(recipe, session, &kept.remove, true).await);
        }
        if !kept.install.is_empty() {
            undone = undone.and(packages::install(recipe, session, &kept.install, true).await);
        }
        if let Some(file) = &kept.file {
            undone = undone.and(session.remove(file, false).await.map_err(Fault::from));
        }
        undone
    }

    async fn settle(&self, target: &Target, session: &Session, kept: Undo) -> Result<(), Fault> {
        let Some(file) = kept.file else { return Ok(()) };
        log::debug!("{}: removing {file}", target.name);
        Ok(session.remove(&file, false).await?)
    }
}
