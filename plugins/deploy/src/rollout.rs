//! Doing a deployment on targets, batch by batch, and undoing it.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::future::{Either, LocalBoxFuture, select};
use futures_util::stream;
use sandglass_plugin::plan::{Effect, Planned, Step};
use sandglass_plugin::remote::{self, Session, Target};
use sandglass_plugin::serde_json::Value;
use sandglass_plugin::{Context, Error, ErrorCode, Failure, Outcome, Progress, log, wait};

use crate::change::{Change, undo_all};
use crate::deployment::{Deployment, Done};
use crate::fault::Fault;
use crate::report::{Report, State, TargetReport};
use crate::strategy::{Kind, Strategy};
use crate::words::{command, judge, shown};

/// Does `deployment` on the targets that `selectors` name.
pub(crate) fn rollout(
    deployment: &dyn Deployment,
    selectors: &[String],
    account: Option<&str>,
    strategy: &Strategy,
    context: &Context,
) -> Result<Outcome<Report>, Failure> {
    let targets = remote::select(selectors).map_err(Failure::from)?;
    if targets.is_empty() {
        return Err(Failure::new("no_targets", nobody(selectors)).never_retry());
    }
    let left = context.resumes();
    let reports: Vec<_> = targets.iter().map(|target| before(&target.name, left.as_ref())).collect();
    let rest: Vec<usize> = (0..targets.len()).filter(|at| !reports[*at].earlier).collect();
    // All are entered before the first is worked on: what one of them does not allow is refused while nothing is done.
    for at in &rest {
        if let Err(error) = Session::connect(&targets[*at].name, account)
            && (error.code == ErrorCode::Denied || strategy.kind == Kind::Transactional)
        {
            return Err(Failure::from(error).detail(Report::new(reports).detail()));
        }
    }
    let ended = targets.len() - rest.len();
    if ended > 0 {
        log::info!("{ended} of {} targets were done before", targets.len());
    }
    let rollout = Rollout {
        deployment,
        account,
        strategy,
        context,
        targets: &targets,
        reports: RefCell::new(reports),
        worked: RefCell::default(),
        ended: Cell::new(ended),
        failed: Cell::new(0),
        first: Cell::new(None),
    };
    let is_stopped = wait::block_on(rollout.run(&rest));
    Report::new(rollout.reports.into_inner()).conclude(is_stopped, rollout.first.get())
}

fn nobody(selectors: &[String]) -> String {
    format!("no target is named by {}; see `sandglass target list`", selectors.join(", "))
}

/// What `deployment` would do on the targets that `selectors` name.
pub(crate) fn plan(
    deployment: &dyn Deployment,
    selectors: &[String],
    account: Option<&str>,
    strategy: &Strategy,
) -> Result<Planned, Error> {
    let targets = remote::select(selectors)?;
    if targets.is_empty() {
        return Err(Error { code: ErrorCode::NotFound, message: nobody(selectors), detail: None });
    }
    let found = RefCell::new(vec![Vec::new(); targets.len()]);
    let unseen = Cell::new(0);
    let first = Cell::new(None);
    let look = async |at: usize| {
        let target: &Target = &targets[at];
        let looked = match Session::connect(&target.name, account) {
            Ok(session) => deployment.plan(target, &session).await,
            Err(error) => Err(error.into()),
        };
        found.borrow_mut()[at] = looked.unwrap_or_else(|fault| {
            unseen.set(unseen.get() + 1);
            first.set(first.get().or(Some(fault.code)));
            let summary = format!("cannot be looked at: {}", fault.message);
            vec![Step::new(Effect::Other, target.name.as_str(), summary)]
        });
    };
    let looking = (0..targets.len()).map(|at| -> LocalBoxFuture<'_, ()> { Box::pin(look(at)) }).collect();
    wait::block_on(all(looking, strategy.limit()));
    let steps = found.into_inner().concat();
    if unseen.get() == targets.len()
        && let Some(code) = first.get()
    {
        // Of that nothing is known, and a run would fail.
        let message = format!("{} {}", steps[0].target, steps[0].summary);
        return Err(Error { code, message, detail: None });
    }
    Ok(Planned { steps, is_complete: unseen.get() == 0 && strategy.health_check.is_none() })
}

/// Does all of them, so many beside one another.
async fn all(work: Vec<LocalBoxFuture<'_, ()>>, limit: usize) {
    stream::iter(work).for_each_concurrent(limit, |one| one).await;
}

/// What is known of a target before it is worked on: that it was done, if an earlier attempt left it so.
fn before(target: &str, left: Option<&Value>) -> TargetReport {
    let mut report = TargetReport {
        target: target.to_owned(),
        state: State::NotStarted,
        changed: false,
        duration_ms: 0,
        earlier: false,
        message: None,
        exit_code: None,
        is_passing: true,
    };
    let found = left.and_then(|left| left["targets"].as_array()?.iter().find(|found| found["target"] == target));
    if let Some(found) = found.filter(|found| found["state"] == "succeeded") {
        (report.state, report.earlier) = (State::Succeeded, true);
        report.changed = found["changed"] == true;
        report.duration_ms = found["duration_ms"].as_u64().unwrap_or_default();
    }
    report
}

struct Rollout<'a> {
    deployment: &'a dyn Deployment,
    account: Option<&'a str>,
    strategy: &'a Strategy,
    context: &'a Context,
    targets: &'a [Target],
    /// Of each target, in their order.
    reports: RefCell<Vec<TargetReport>>,
    /// Those that were worked on and what was done there, in the order in which they ended.
    worked: RefCell<Vec<Worked>>,
    ended: Cell<usize>,
    failed: Cell<usize>,
    /// The one that failed first.
    first: Cell<Option<usize>>,
}

/// A target that was worked on.
struct Worked {
    /// Which.
    at: usize,
    session: Session,
    changes: Vec<Change>,
}

/// A message that names its target, as those about connections do already.
pub(crate) fn named(target: &str, message: &str) -> String {
    if message.starts_with(target) { message.to_owned() } else { format!("{target}: {message}") }
}

impl Rollout<'_> {
    /// Works on the targets at these places. Whether it was asked to stop before all was done.
    async fn run(&self, targets: &[usize]) -> bool {
        let mut rest = targets;
        self.tell("");
        let sizes = self.strategy.batches(targets.len());
        for (number, size) in sizes.iter().enumerate() {
            let (batch, others) = rest.split_at(*size);
            rest = others;
            let working = batch.iter().map(|at| -> LocalBoxFuture<'_, ()> { Box::pin(self.target(*at)) }).collect();
            // Those that were begun end in any order; what is undone is undone from the last to the first.
            all(working, self.strategy.limit()).await;
            let is_looked_after = self.goes_on() && self.look_after(batch, number + 1 == sizes.len()).await;
            if !is_looked_after && self.strategy.health_check.is_some() {
                self.distrust(batch);
            }
            if self.strategy.kind != Kind::Transactional {
                self.settle().await;
            }
        }
        let is_stopped = self.context.cancelled().is_some();
        if self.failed.get() == 0 && !is_stopped {
            self.settle().await;
            return false;
        }
        let worked = std::mem::take(&mut *self.worked.borrow_mut());
        let count = worked.iter().filter(|one| self.has_effect(one)).count();
        if count > 0 {
            log::warn!("undoing it on {count} of {} targets", self.targets.len());
        }
        for one in worked.into_iter().rev() {
            self.undo(one).await;
        }
        is_stopped
    }

    fn goes_on(&self) -> bool {
        !self.strategy.is_enough(self.failed.get()) && self.context.cancelled().is_none()
    }

    #[allow(clippy::disallowed_methods, reason = "how long a target takes is told by the sandbox's own clock")]
    async fn target(&self, at: usize) {
        if !self.goes_on() {
            return;
        }
        let target = &self.targets[at];
        let name = &target.name;
        let start = Instant::now();
        match Session::connect(name, self.account) {
            Err(error) => self.blame(at, error.into()),
            Ok(session) => {
                let mut done = Done::default();
                // What is under way when the run is asked to stop is given up, so that there is time to undo it.
                let applying = self.deployment.apply(target, &session, &mut done);
                let applied = match select(applying, pin!(wait::stopped())).await {
                    Either::Left((applied, _)) => applied,
                    Either::Right(((), _)) => Err(Fault::new("it was given up, as the run was asked to stop")),
                };
                let is_changed = done.is_changed;
                self.reports.borrow_mut()[at].changed = is_changed;
                match applied {
                    Ok(()) => {
                        self.reports.borrow_mut()[at].state = State::Succeeded;
                        log::info!("{name}: {}", if is_changed { "changed" } else { "as it should be" });
                    }
                    Err(fault) => self.blame(at, fault),
                }
                let worked = Worked { at, session, changes: done.changes };
                // Nobody comes back to it, and so many targets need not be connected to at once.
                if self.strategy.kind == Kind::Parallel {
                    self.clear(worked).await;
                } else {
                    self.worked.borrow_mut().push(worked);
                }
            }
        }
        let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.reports.borrow_mut()[at].duration_ms = duration_ms;
        self.ended.set(self.ended.get() + 1);
        self.tell(name);
    }

    fn blame(&self, at: usize, fault: Fault) {
        let report = &mut self.reports.borrow_mut()[at];
        log::error!("{}", named(&report.target, &fault.message));
        self.failed.set(self.failed.get() + 1);
        self.first.set(self.first.get().or(Some(at)));
        report.state = State::Failed;
        let is_passing = fault.is_passing();
        report.message = Some(fault.message);
        report.exit_code = fault.exit_code;
        report.is_passing = is_passing;
    }

    /// Targets whose health was not looked at are not done: a run that goes on from here looks again.
    fn distrust(&self, batch: &[usize]) {
        for at in batch {
            if self.reports.borrow()[*at].state == State::Succeeded {
                self.blame(*at, Fault::new("its health was not checked"));
            }
        }
    }

    /// Waits after a batch, and looks whether its targets are well. Whether it came to that.
    async fn look_after(&self, batch: &[usize], is_last: bool) -> bool {
        // Nothing comes after the last, unless its targets are looked at.
        let pause = self.strategy.pause().filter(|_| !is_last || self.strategy.health_check.is_some());
        if let Some(pause) = pause
            && wait::sleep(pause).await
        {
            return false;
        }
        let Some(check) = &self.strategy.health_check else { return true };
        for at in batch {
            if self.reports.borrow()[*at].state != State::Succeeded {
                continue;
            }
            let asked = {
                let worked = self.worked.borrow();
                worked.iter().find(|one| one.at == *at).map(|one| one.session.run(&command(check)))
            };
            let Some(asked) = asked else { continue };
            let health = match asked.await {
                Ok(report) => judge(&shown(check), &report, &[0]),
                Err(error) => Err(error.into()),
            };
            if let Err(fault) = health {
                let message = format!("the health check failed: {}", fault.message);
                self.blame(*at, Fault { message, ..fault });
            }
        }
        true
    }

    /// Whether there is anything to undo: what failed before it did anything may never have been reached.
    fn has_effect(&self, one: &Worked) -> bool {
        !one.changes.is_empty() || self.reports.borrow()[one.at].state != State::Failed
    }

    async fn undo(&self, one: Worked) {
        if !self.has_effect(&one) {
            return;
        }
        let name = &self.targets[one.at].name;
        // Not over the connection that what was done may have broken.
        let undone = match Session::connect(name, self.account) {
            Ok(session) => undo_all(name, one.changes, &session).await,
            Err(error) => Err(error.into()),
        };
        let report = &mut self.reports.borrow_mut()[one.at];
        match undone {
            Ok(()) => {
                log::info!("{name}: undone");
                (report.state, report.changed) = (State::Undone, false);
            }
            Err(fault) => {
                log::error!("{name}: what was done could not be undone: {}", fault.message);
                report.state = State::UndoFailed;
                let before = report.message.take().map(|message| format!("{message}; ")).unwrap_or_default();
                report.message = Some(format!("{before}what was done could not be undone: {}", fault.message));
            }
        }
    }

    /// Clears away what was kept for undoing, everywhere.
    async fn settle(&self) {
        let worked = std::mem::take(&mut *self.worked.borrow_mut());
        for one in worked {
            self.clear(one).await;
        }
    }

    async fn clear(&self, one: Worked) {
        for change in one.changes {
            if let Err(fault) = change.settle(&one.session).await {
                let name = &self.targets[one.at].name;
                log::warn!("{name}: what was kept for undoing is still there: {}", fault.message);
            }
        }
    }

    fn tell(&self, target: &str) {
        self.context.report(&Progress {
            completed: self.ended.get() as u64,
            total: Some(self.targets.len() as u64),
            unit: Some("targets".to_owned()),
            message: (!target.is_empty()).then(|| target.to_owned()),
        });
    }
}
