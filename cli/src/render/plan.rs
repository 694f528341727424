//! What a run would do, as people read it.

use sandglass_api::wire::{Plan, StepEffect};
use sandglass_core::id::JobName;

use super::paint::Paint;
use super::table::Table;
use super::yaml;

/// The steps, and what they leave out.
pub(crate) fn show(job: &JobName, plan: &Plan, paint: Paint) -> String {
    let Plan { plugin, action, params, steps, complete } = plan;
    let what = format!("{plugin}/{action}");
    let Some(steps) = steps else {
        let params = yaml::document(params);
        let params = params.trim_end().replace('\n', "\n  ");
        return format!(
            "a run of '{job}' would do {} with\n  {params}\n{}\n",
            paint.bold(&what),
            paint.dim(&format!("the plugin {plugin} cannot say more of what it would do"))
        );
    };
    if steps.is_empty() && *complete {
        return format!("a run of '{job}' would change nothing: all is as {what} wants it\n");
    }
    let mut table = Table::new(&["EFFECT", "TARGET", "WHAT"]).whole(0);
    for step in steps {
        table.row(vec![effect(step.effect, paint), step.target.clone(), step.summary.clone()]);
    }
    let count = if steps.len() == 1 { "1 step".to_owned() } else { format!("{} steps", steps.len()) };
    let more = if *complete { "" } else { "; more may happen than is listed" };
    table.render(paint) + &paint.dim(&format!("{count} of {what}{more}; nothing was done")) + "\n"
}

fn effect(effect: StepEffect, paint: Paint) -> String {
    let text = effect.as_str();
    match effect {
        StepEffect::Create => paint.green(text),
        StepEffect::Update | StepEffect::Execute | StepEffect::Send => paint.yellow(text),
        StepEffect::Remove => paint.red(text),
        StepEffect::Read | StepEffect::Other => text.to_owned(),
    }
}
