//! `job pause`, `resume`, `disable` and `enable`: of some jobs, of those with a tag, of all, or of the namespace itself.

use sandglass_api::client::HoldVerb;
use sandglass_api::wire::{HoldRequest, Page};
use sandglass_core::id::JobName;

use crate::context::Context;
use crate::failure::Failure;
use crate::render;

pub(crate) const PAUSE_HELP: &str = "The fires of a paused job are recorded as skipped and not made up for later; what is \
     queued or going goes on, and `job run` works. Saving a job does not resume it.\n\nExamples:\n  \
     sandglass job pause nightly-backup --reason 'the disk is being changed'\n  sandglass job pause --tag backup\n  \
     sandglass job pause --namespace-wide    also jobs that are saved later";
pub(crate) const RESUME_HELP: &str = "Fires of the pause are not made up for; `job backfill` can. A job that was paused \
     with --namespace-wide is resumed with --namespace-wide.";
pub(crate) const DISABLE_HELP: &str = "A disabled job has no fires and no records of them, and cannot be started by hand; \
     what is queued or going goes on. Saving a job does not enable it.";
pub(crate) const ENABLE_HELP: &str = "Jobs count from now: nothing is made up for. A job that was disabled with \
     --namespace-wide is enabled with --namespace-wide.";

/// Which jobs are meant.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The jobs' names
    #[arg(value_name = "NAME")]
    names: Vec<JobName>,
    /// The jobs that have this tag now
    #[arg(long)]
    tag: Option<String>,
    /// Each job that the namespace has now
    #[arg(long)]
    all: bool,
    /// The namespace itself: all its jobs, those that are saved later included
    #[arg(long)]
    namespace_wide: bool,
}

/// Does it, and shows what came of it.
pub(crate) async fn hold(
    verb: HoldVerb,
    which: Which,
    reason: Option<String>,
    context: &Context,
) -> Result<(), Failure> {
    if which.names.is_empty() {
        let request = HoldRequest { reason, tag: which.tag, all: which.all };
        let result = context.client.hold_many(verb, &request).await?;
        return context.show(&result, |context| {
            render::hold::many(&result, verb, context.client.namespace(), context.now, context.paint)
        });
    }
    let mut items = Vec::with_capacity(which.names.len());
    for name in &which.names {
        items.push(context.client.hold_job(name, verb, reason.as_deref()).await?);
    }
    let page = Page { items, next: None };
    context.show(&page, |context| page.items.iter().map(|job| render::hold::one(job, context.now)).collect())
}
