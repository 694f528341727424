//! Job files applied at the start: all are read and checked before the first is saved.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandglass_api::jobfile::{self, Format};
use sandglass_api::problem::Code;
use sandglass_api::wire::ApplyRequest;
use sandglass_core::batch::Expectation;
use sandglass_core::id::Namespace;
use sandglass_core::spec::{CalendarSpec, JobTemplateSpec, Notifiers, WrittenJob};
use sandglass_core::target::{GroupSpec, TargetSpec};

use crate::admission::{Part, Refused, check_notify, check_together};
use crate::http::{App, apply};

/// What the files hold, each with its file.
#[derive(Default)]
pub(crate) struct Files {
    jobs: Vec<(PathBuf, WrittenJob)>,
    calendars: Vec<(PathBuf, CalendarSpec)>,
    notify: Option<(PathBuf, Notifiers)>,
    templates: Vec<(PathBuf, Arc<JobTemplateSpec>)>,
    targets: Vec<(PathBuf, Arc<TargetSpec>)>,
    groups: Vec<(PathBuf, Arc<GroupSpec>)>,
}

/// Reads and checks every job, calendar, template, target and group in the file or folder at `path`.
pub(crate) async fn read(app: &App, path: &Path) -> Result<Files, String> {
    let mut found = Files::default();
    let mut faults = Vec::new();
    for file in files(path).map_err(|error| format!("the jobs in {} cannot be read: {error}", path.display()))? {
        let Some(format) = Format::of_path(&file) else { continue };
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        match jobfile::read_all(&text, format, &file.display().to_string()) {
            Ok(contents) => {
                found.jobs.extend(contents.jobs.into_iter().map(|job| (file.clone(), job.written)));
                let calendars = contents.calendars.into_iter().map(|calendar| (file.clone(), calendar.spec));
                found.calendars.extend(calendars);
                if let Some(notify) = contents.notify
                    && let Some((other, _)) = found.notify.replace((file.clone(), notify.notify))
                {
                    faults.push(format!(
                        "the namespace's notifiers stand in {} and in {}",
                        other.display(),
                        file.display()
                    ));
                }
                let targets = contents.targets.into_iter();
                found.targets.extend(targets.map(|target| (file.clone(), Arc::new(target.spec))));
                let groups = contents.groups.into_iter();
                found.groups.extend(groups.map(|group| (file.clone(), Arc::new(group.spec))));
                let templates = contents.templates.into_iter();
                found.templates.extend(templates.map(|template| (file.clone(), Arc::new(template.spec))));
            }
            Err(errors) => faults.extend(errors.iter().map(ToString::to_string)),
        }
    }
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    only_once("calendar", found.calendars.iter().map(|(file, spec)| (spec.name.as_str(), file)))?;
    only_once("template", found.templates.iter().map(|(file, spec)| (spec.name.as_str(), file)))?;
    only_once("target", found.targets.iter().map(|(file, spec)| (spec.name.as_str(), file)))?;
    only_once("group", found.groups.iter().map(|(file, spec)| (spec.name.as_str(), file)))?;
    only_once("job", found.jobs.iter().map(|(file, job)| (job.name().as_str(), file)))?;
    let templates: Vec<_> = found.templates.iter().map(|(_, spec)| Arc::clone(spec)).collect();
    let jobs: Vec<_> = found.jobs.iter().map(|(_, job)| job.clone()).collect();
    let checked = check_together(app, &Namespace::default(), &templates, Expectation::Anything, &jobs).await;
    checked.map_err(|faults| faults.iter().map(|fault| refused(&found, fault)).collect::<Vec<_>>().join("\n"))?;
    if let Some((file, notify)) = &found.notify {
        let checked = check_notify(notify, app.store.as_ref(), &app.host, &app.options.ceiling).await;
        checked.map_err(|problem| format!("{}: {problem}", file.display()))?;
    }
    Ok(found)
}

/// Refuses a name that two of the files use.
fn only_once<'a>(what: &str, named: impl Iterator<Item = (&'a str, &'a PathBuf)>) -> Result<(), String> {
    let mut names = HashMap::new();
    for (name, file) in named {
        if let Some(other) = names.insert(name, file) {
            return Err(format!("{what} '{name}' stands in {} and in {}", other.display(), file.display()));
        }
    }
    Ok(())
}

/// Saves what [`read`] gave: all of it, or nothing. After a long absence that waits until overdue fires have been dealt
/// with, as a daemon that would not start could not deal with them either.
pub(crate) async fn save_all(app: &App, files: Files) -> Result<(), String> {
    let request = ApplyRequest {
        calendars: files.calendars.into_iter().map(|(_, spec)| spec).collect(),
        templates: files.templates.into_iter().map(|(_, spec)| spec).collect(),
        targets: files.targets.into_iter().map(|(_, spec)| spec).collect(),
        groups: files.groups.into_iter().map(|(_, spec)| spec).collect(),
        jobs: files.jobs.into_iter().map(|(_, job)| job).collect(),
        notify: files.notify.map(|(_, notify)| notify),
    };
    let saved = loop {
        match apply::save(app, Namespace::default(), &request).await {
            Ok(saved) => break saved,
            Err(failure) if failure.0.is(Code::FiresOverdue) => tracing::warn!("the jobs wait: {}", failure.0),
            Err(failure) => return Err(failure.0.to_string()),
        }
    };
    for saved in saved.templates {
        tracing::info!(template = %saved.template.name, changed = saved.changed, "template applied");
    }
    for saved in saved.calendars {
        tracing::info!(calendar = %saved.calendar.name, changed = saved.changed, "calendar applied");
    }
    for saved in saved.targets {
        tracing::info!(target_name = %saved.target.name, changed = saved.changed, "target applied");
    }
    for saved in saved.groups {
        tracing::info!(group = %saved.group.name, changed = saved.changed, "group applied");
    }
    for saved in saved.jobs {
        tracing::info!(job = %saved.job.name, changed = saved.changed, "job applied");
    }
    Ok(())
}

fn refused(files: &Files, Refused { what, problem }: &Refused) -> String {
    match what {
        Part::Job(place) => {
            let (file, job) = &files.jobs[*place];
            format!("{}: job '{}': {problem}", file.display(), job.name())
        }
        Part::Template(place) => {
            let (file, _) = &files.templates[*place];
            format!("{}: {problem}", file.display())
        }
    }
}

/// The file itself, or the files in the folder by name.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
