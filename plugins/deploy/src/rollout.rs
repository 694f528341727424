//! Doing a deployment on targets, batch by batch, and undoing it.

use std::cell::Cell;
use std::pin::pin;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream;
use sandglass_plugin::plan::{Effect, Planned, Step};
use sandglass_plugin::remote::{self, Session, Target};
use sandglass_plugin::serde_json::Value;
use sandglass_plugin::{Context, Error, Failure, Outcome, Progress, log, wait};

use crate::deployment::{Deployment, Fault};
use crate::report::{Report, State, TargetReport};
use crate::strategy::{Kind, Strategy};
use crate::words::judge;

/// A target that was worked on.
struct Done<'a, K> {
    target: &'a Target,
    report: TargetReport,
    /// What to undo it by; none if nothing was begun there.
    undo: Option<(Session, K)>,
}

/// Does `deployment` on the targets that `selectors` name.
pub(crate) fn rollout<D: Deployment>(
    deployment: &D,
    selectors: &[String],
    account: Option<&str>,
    strategy: &Strategy,
    context: &Context,
) -> Result<Outcome<Report>, Failure> {
    let targets = remote::select(selectors).map_err(Failure::from)?;
    if targets.is_empty() {
        let message =
            format!("no target is named by {}; `sandglass target list` tells which there are", selectors.join(", "));
        return Err(Failure::new("no_targets", message).never_retry());
    }
    let total = targets.len();
    let before = context.resumes().map(|left| done_before(&left)).unwrap_or_default();
    let (earlier, targets): (Vec<_>, Vec<_>) =
        targets.into_iter().partition(|target| before.iter().any(|done| done.target == target.name));
    let earlier: Vec<TargetReport> =
        before.into_iter().filter(|done| earlier.iter().any(|target| target.name == done.target)).collect();
    if !earlier.is_empty() {
        log::info!("{} of {total} targets were done before, and are left alone", earlier.len());
    }
    let ended = Cell::new(earlier.len());
    let rollout = Rollout { deployment, account, strategy, context, total, ended, failed: Cell::new(0) };
    wait::block_on(rollout.run(&targets, earlier))
}

/// What `deployment` would do on the targets that `selectors` name.
pub(crate) fn plan<D: Deployment>(
    deployment: &D,
    selectors: &[String],
    account: Option<&str>,
    strategy: &Strategy,
) -> Result<Planned, Error> {
    let targets = remote::select(selectors)?;
    let look = async |target: &Target| {
        let session = Session::connect(&target.name, account)?;
        deployment.plan(target, &session).await
    };
    let looking = stream::iter(&targets).map(look).buffered(strategy.limit());
    let found: Vec<Result<Vec<Step>, Fault>> = wait::block_on(looking.collect());
    let is_complete = found.iter().all(Result::is_ok);
    let mut steps = Vec::new();
    for (target, found) in targets.iter().zip(found) {
        match found {
            Ok(found) => steps.extend(found),
            Err(fault) => {
                let summary = format!("cannot be looked at: {}", fault.message);
                steps.push(Step::new(Effect::Other, target.name.as_str(), summary));
            }
        }
    }
    Ok(Planned { steps, is_complete })
}

struct Rollout<'a, D> {
    deployment: &'a D,
    account: Option<&'a str>,
    strategy: &'a Strategy,
    context: &'a Context,
    total: usize,
    ended: Cell<usize>,
    failed: Cell<usize>,
}

/// What is told of the targets that were done, by what an earlier attempt left.
fn done_before(left: &Value) -> Vec<TargetReport> {
    let targets = left["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let done = targets.iter().filter(|target| target["state"] == "succeeded");
    done.map(|target| TargetReport {
        target: target["target"].as_str().unwrap_or_default().to_owned(),
        state: State::Succeeded,
        changed: target["changed"] == true,
        duration_ms: target["duration_ms"].as_u64().unwrap_or_default(),
        earlier: true,
        message: None,
        exit_code: None,
        is_passing: true,
    })
    .collect()
}

/// A message that names its target, as those about connections do already.
pub(crate) fn named(target: &str, message: &str) -> String {
    if message.starts_with(target) { message.to_owned() } else { format!("{target}: {message}") }
}

impl<D: Deployment> Rollout<'_, D> {
    /// Works on `targets`; `earlier` are those that were done before.
    async fn run(&self, targets: &[Target], earlier: Vec<TargetReport>) -> Result<Outcome<Report>, Failure> {
        let mut done = Vec::with_capacity(targets.len());
        let mut rest = targets;
        self.tell("");
        let sizes = self.strategy.batches(targets.len());
        for (number, size) in sizes.iter().enumerate() {
            let (batch, others) = rest.split_at(*size);
            rest = others;
            // Those that were begun end in any order; what is undone is undone from the last to the first.
            let working = stream::iter(batch).map(|target| self.target(target)).buffer_unordered(self.strategy.limit());
            let mut ended: Vec<_> = working.collect().await;
            if self.goes_on() {
                self.look_after(&mut ended, number + 1 == sizes.len()).await;
            }
            if self.strategy.kind != Kind::Transactional {
                for one in &mut ended {
                    self.settle(one.target, one.undo.take()).await;
                }
            }
            done.extend(ended);
        }
        let is_stopped = self.context.cancelled().is_some();
        let is_whole = self.failed.get() == 0 && !is_stopped;
        for one in done.iter_mut().rev() {
            if is_whole {
                self.settle(one.target, one.undo.take()).await;
            } else {
                self.undo(one).await;
            }
        }
        Report::new(earlier.into_iter().chain(done.into_iter().map(|one| one.report)).collect()).conclude(is_stopped)
    }

    fn goes_on(&self) -> bool {
        !self.strategy.is_enough(self.failed.get()) && self.context.cancelled().is_none()
    }

    #[allow(clippy::disallowed_methods, reason = "how long a target takes is told by the sandbox's own clock")]
    async fn target<'t>(&self, target: &'t Target) -> Done<'t, D::Kept> {
        let name = &target.name;
        let mut report = TargetReport {
            target: name.clone(),
            state: State::NotStarted,
            changed: false,
            duration_ms: 0,
            earlier: false,
            message: None,
            exit_code: None,
            is_passing: true,
        };
        if !self.goes_on() {
            return Done { target, report, undo: None };
        }
        let start = Instant::now();
        let mut undo = None;
        match Session::connect(name, self.account) {
            Err(error) => self.blame(&mut report, error.into()),
            Ok(session) => {
                let mut kept = D::Kept::default();
                // What is under way when the run is asked to stop is given up, so that there is time to undo it.
                let applying = self.deployment.apply(target, &session, &mut kept, &mut report.changed);
                let applied = match select(pin!(applying), pin!(wait::stopped())).await {
                    Either::Left((applied, _)) => applied,
                    Either::Right(((), _)) => Err(Fault::new("it was given up, as the run was asked to stop")),
                };
                match applied {
                    Ok(()) => {
                        report.state = State::Succeeded;
                        log::info!("{name}: {}", if report.changed { "changed" } else { "as it should be" });
                    }
                    Err(fault) => self.blame(&mut report, fault),
                }
                undo = Some((session, kept));
                // Nobody comes back to it, and so many targets need not be connected to at once.
                if self.strategy.kind == Kind::Parallel {
                    self.settle(target, undo.take()).await;
                }
            }
        }
        report.duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ended.set(self.ended.get() + 1);
        self.tell(name);
        Done { target, report, undo }
    }

    fn blame(&self, report: &mut TargetReport, fault: Fault) {
        log::error!("{}", named(&report.target, &fault.message));
        self.failed.set(self.failed.get() + 1);
        report.state = State::Failed;
        report.message = Some(fault.message);
        report.exit_code = fault.exit_code;
        report.is_passing = fault.is_passing;
    }

    /// Waits after a batch, and looks whether its targets are well.
    async fn look_after(&self, batch: &mut [Done<'_, D::Kept>], is_last: bool) {
        // Nothing comes after the last, unless its targets are looked at.
        let pause = self.strategy.pause().filter(|_| !is_last || self.strategy.health_check.is_some());
        if let Some(pause) = pause
            && wait::sleep(pause).await
        {
            return;
        }
        let Some(check) = &self.strategy.health_check else { return };
        for one in batch {
            let Some((session, _)) = one.undo.as_ref().filter(|_| one.report.state == State::Succeeded) else {
                continue;
            };
            let health = match session.run(&check.command()).await {
                Ok(report) => judge(&check.shown(), &report, &[0]),
                Err(error) => Err(error.into()),
            };
            if let Err(fault) = health {
                let message = format!("the health check failed: {}", fault.message);
                self.blame(&mut one.report, Fault { message, ..fault });
            }
        }
    }

    async fn undo(&self, one: &mut Done<'_, D::Kept>) {
        let Some((_, kept)) = one.undo.take() else { return };
        let name = &one.report.target;
        // Not over the connection that what was done may have broken.
        let session = match Session::connect(name, self.account) {
            Ok(session) => session,
            Err(error) => {
                one.report.state = State::UndoFailed;
                one.report.message = Some(error.message);
                return;
            }
        };
        match self.deployment.undo(one.target, &session, kept).await {
            Ok(()) => {
                log::info!("{name}: undone");
                (one.report.state, one.report.changed) = (State::Undone, false);
            }
            Err(fault) => {
                log::error!("{name}: what was done could not be undone: {}", fault.message);
                one.report.state = State::UndoFailed;
                let before = one.report.message.take().map(|message| format!("{message}; ")).unwrap_or_default();
                one.report.message = Some(format!("{before}what was done could not be undone: {}", fault.message));
            }
        }
    }

    async fn settle(&self, target: &Target, kept: Option<(Session, D::Kept)>) {
        let Some((session, kept)) = kept else { return };
        if let Err(fault) = self.deployment.settle(target, &session, kept).await {
            log::warn!("{}: what was kept for undoing is still there: {}", target.name, fault.message);
        }
    }

    fn tell(&self, target: &str) {
        self.context.report(&Progress {
            completed: self.ended.get() as u64,
            total: Some(self.total as u64),
            unit: Some("targets".to_owned()),
            message: (!target.is_empty()).then(|| target.to_owned()),
        });
    }
}
