//! `diff`: what applying job files would change.

use std::path::PathBuf;

use serde::Serialize;

use super::apply::{self, Plan, Planned};
use super::calendar::{self, Change as CalendarChange};
use super::{files, group, namespace, target, template};
use crate::changes::Change;
use crate::context::Context;
use crate::failure::Failure;
use crate::render;

#[derive(clap::Args, Debug)]
#[command(after_help = "The exit code is 1 if applying the files would change something, and 0 if not.\n\n\
                        Examples:\n  sandglass diff jobs/\n  sandglass diff jobs/ || sandglass apply jobs/")]
pub(crate) struct Args {
    /// Job files in YAML, TOML or JSON, folders of them, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A job that is compared.
#[derive(Serialize)]
struct Compared {
    job: String,
    /// `created`, `changed` or `unchanged`.
    change: &'static str,
    fields: Vec<Change>,
}

/// Everything that is compared.
#[derive(Serialize)]
struct Comparison {
    items: Vec<Compared>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calendars: Vec<calendar::Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify: Option<namespace::Outcome>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    templates: Vec<template::Outcome>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<target::Outcome>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<group::Outcome>,
}

pub(crate) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let sources = files::read(&args.files)?;
    let Plan { jobs, calendars, templates, targets, groups, notify } = apply::plan(&sources, context).await?;
    let items: Vec<Compared> = jobs.into_iter().map(Compared::from).collect();
    let of_fleet = targets.iter().map(|outcome| outcome.change).chain(groups.iter().map(|outcome| outcome.change));
    let others = calendars.iter().map(|outcome| outcome.change).chain(templates.iter().map(|outcome| outcome.change));
    let mut changes = others.chain(of_fleet);
    let same = notify.as_ref().is_none_or(|outcome| !outcome.changed)
        && items.iter().all(|item| item.change == "unchanged")
        && changes.all(|change| change == CalendarChange::Unchanged);
    let comparison = Comparison { items, calendars, notify, templates, targets, groups };
    context.show(&comparison, |context| text(&comparison, context))?;
    if same { Ok(()) } else { Err(Failure::NotSo) }
}

impl From<Planned> for Compared {
    fn from(planned: Planned) -> Self {
        let result = planned.result;
        let change = match (result.created, result.changed) {
            (true, _) => "created",
            (_, true) => "changed",
            (_, false) => "unchanged",
        };
        Self { job: result.job.name.to_string(), change, fields: planned.fields }
    }
}

fn text(comparison: &Comparison, context: &Context) -> String {
    let paint = context.paint;
    let mut text = String::new();
    let word = |change| match change {
        CalendarChange::Created => Some(paint.green("created")),
        CalendarChange::Changed => Some(paint.yellow("changed")),
        CalendarChange::Unchanged => None,
    };
    for outcome in &comparison.templates {
        let Some(change) = word(outcome.change) else { continue };
        let jobs = render::template::jobs(&outcome.jobs);
        let with = if jobs.is_empty() { jobs } else { format!(", and with it {jobs}") };
        text.push_str(&format!("template {}: would be {change}{with}\n", paint.bold(outcome.template.as_str())));
    }
    for outcome in &comparison.calendars {
        let Some(change) = word(outcome.change) else { continue };
        text.push_str(&format!("calendar {}: would be {change}\n", paint.bold(outcome.spec.name.as_str())));
    }
    let targets =
        comparison.targets.iter().map(|outcome| ("target", outcome.target.as_str(), outcome.change, &outcome.fields));
    let groups =
        comparison.groups.iter().map(|outcome| ("group", outcome.group.as_str(), outcome.change, &outcome.fields));
    for (what, name, change, fields) in targets.chain(groups) {
        let Some(change) = word(change) else { continue };
        let fields = render::changes::show(fields, paint);
        text.push_str(&format!("{what} {}: would be {change}\n{fields}", paint.bold(name)));
    }
    if comparison.notify.as_ref().is_some_and(|outcome| outcome.changed) {
        text.push_str(&render::notify::applied(comparison.notify.as_ref(), true, paint));
    }
    for item in comparison.items.iter().filter(|item| item.change != "unchanged") {
        let change = if item.change == "created" { paint.green("created") } else { paint.yellow("changed") };
        let fields = render::changes::show(&item.fields, paint);
        text.push_str(&format!("{}: would be {change}\n{fields}", paint.bold(&item.job)));
    }
    if text.is_empty() { paint.dim("nothing would change") + "\n" } else { text }
}
