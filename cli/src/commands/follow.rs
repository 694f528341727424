//! A run's output as it comes, with a progress line on a terminal while nothing comes.

use std::io::{self, IsTerminal as _, Write};

use sandglass_api::client::LogItem;
use sandglass_api::problem::ExitCode;
use sandglass_api::wire::{LogsQuery, Run};
use sandglass_core::id::RunId;

use crate::context::Context;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::render::output::OutputRenderer;

/// Shows the run's output on standard error until the run is over, and gives it as it is then. Ctrl-C leaves the run
/// going, and says how to go on.
pub(crate) async fn until_over(run: &Run, context: &Context) -> Result<Run, Failure> {
    let mut renderer = OutputRenderer::new(io::stderr().is_terminal(), context.error_paint);
    let mut progress = Progress::new(run.job.to_string(), context.error_paint);
    let ended = unless_interrupted(follow(run.id, &mut renderer, &mut progress, context)).await;
    progress.clear();
    let mut end = renderer.finish().to_vec();
    if !renderer.at_line_start() {
        end.push(b'\n');
    }
    // Whether anybody reads the output does not change how the run ends.
    let _ = io::stderr().lock().write_all(&end);
    ended.unwrap_or_else(|| Err(left_going(run.id, context)))
}

async fn follow(
    id: RunId,
    renderer: &mut OutputRenderer,
    progress: &mut Progress,
    context: &Context,
) -> Result<Run, Failure> {
    let query = LogsQuery { follow: Some(true), ..LogsQuery::default() };
    let mut stream = context.client.logs(id, query).await?;
    loop {
        match progress.during(stream.next(), renderer.at_line_start()).await? {
            Some(LogItem::Output(printed)) => {
                let shown = renderer.render(printed.chunk);
                // Whether anybody reads the output does not change how the run ends.
                let _ = io::stderr().lock().write_all(&shown);
            }
            Some(LogItem::Progress(event)) if renderer.at_line_start() => progress.tell(&event),
            Some(LogItem::Progress(_)) => {}
            Some(LogItem::End(run)) => return Ok(*run),
            None => return Ok(progress.during(context.client.wait(id), renderer.at_line_start()).await?),
        }
    }
}

/// Waits until the run is over, with a progress line on a terminal. Ctrl-C leaves the run going.
pub(crate) async fn wait(id: RunId, context: &Context) -> Result<Run, Failure> {
    let run = context.client.run(id, None).await?;
    if run.state.is_terminal() {
        return Ok(run);
    }
    let mut progress = Progress::new(run.job.to_string(), context.error_paint);
    let ended = unless_interrupted(progress.during(context.client.wait(id), true)).await;
    progress.clear();
    match ended {
        Some(run) => Ok(run?),
        None => Err(left_going(id, context)),
    }
}

/// What the future gives; none if Ctrl-C came first.
async fn unless_interrupted<F: Future>(future: F) -> Option<F::Output> {
    tokio::select! {
        output = future => Some(output),
        Ok(()) = tokio::signal::ctrl_c() => None,
    }
}

/// Whoever typed Ctrl-C no longer waits; the run is the daemon's and goes on.
fn left_going(id: RunId, context: &Context) -> Failure {
    let (follow, stop) = (context.command(&format!("run logs -f {id}")), context.command(&format!("run cancel {id}")));
    context.say(&format!("run {id} goes on; follow it with {follow}, stop it with {stop}"));
    Failure::Told(ExitCode::NotSo)
}
