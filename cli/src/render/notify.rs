//! Notifiers, and what notifications tell, as people read them.

use chrono_tz::Tz;
use sandglass_api::wire::NamespaceNotify;
use sandglass_core::notice::{Notice, NoticeEvent, NoticeOwner, summary};
use sandglass_core::spec::{NoticeOn, Notifier};
use sandglass_core::time::Timestamp;

use super::amount::instant;
use super::paint::Paint;
use super::table::{Table, facts};
use crate::commands::namespace::Outcome;

/// The notifiers of a namespace.
pub(crate) fn show(notify: &NamespaceNotify, now: Timestamp, paint: Paint) -> String {
    let saved = notify.updated_at.map(|at| instant(at, now, Tz::UTC));
    let about = [
        ("namespace", Some(notify.namespace.to_string())),
        ("revision", Some(notify.revision.to_string())),
        ("saved", saved),
    ];
    let text = facts(&about, paint);
    if notify.notify.is_empty() {
        return text + &paint.dim("no notifiers") + "\n";
    }
    format!("{text}\n{}", list(notify.notify.as_slice(), paint))
}

/// A table of notifiers.
fn list(notifiers: &[Notifier], paint: Paint) -> String {
    let mut table = Table::new(&["NO", "TELLS OF", "USES", "GROUPS", "ATTEMPTS"]).right(0).right(4);
    for (place, notifier) in notifiers.iter().enumerate() {
        table.row(vec![
            place.to_string(),
            notifier.on.iter().map(|on| event(*on)).collect::<Vec<_>>().join(", "),
            notifier.uses.to_string(),
            notifier.group.to_string(),
            notifier.retry.max_attempts.to_string(),
        ]);
    }
    table.render(paint)
}

fn event(on: NoticeOn) -> String {
    match on {
        NoticeOn::Late(period) | NoticeOn::NoSuccessWithin(period) => format!("{} {period}", on.as_str()),
        other => other.as_str().to_owned(),
    }
}

/// What became, or would become, of the notifiers of a namespace.
pub(crate) fn applied(outcome: Option<&Outcome>, dry_run: bool, paint: Paint) -> String {
    let Some(Outcome { changed, notifiers }) = outcome else { return String::new() };
    let count = notifiers.as_slice().len();
    let what = format!("{count} {} of the namespace", if count == 1 { "notifier" } else { "notifiers" });
    match (changed, dry_run) {
        (false, _) => format!("{what}: {}\n", paint.dim("unchanged")),
        (true, true) => format!("{what}: would be {}\n", paint.yellow("saved")),
        (true, false) => format!("{what}: {}\n", paint.green("saved")),
    }
}

/// What a notification tells, in one line.
pub(crate) fn tells(notice: &Notice, zone: Tz) -> String {
    summary(notice, zone)
}

/// By which notifier a notification is told.
pub(crate) fn notifier(notice: &Notice) -> String {
    let owner = match notice.owner {
        NoticeOwner::Job(_) => "the job",
        NoticeOwner::Namespace => "the namespace",
    };
    format!("number {} of {owner}", notice.entry)
}

/// What happened, an event a line.
pub(crate) fn events(notice: &Notice, now: Timestamp, zone: Tz, paint: Paint) -> String {
    let mut text = format!("\n{} {} in all\n", paint.bold("tells of:"), notice.count);
    for event in &notice.events {
        let NoticeEvent { kind, job, run, message, at, .. } = event;
        let run = run.map(|run| format!(" run {run}")).unwrap_or_default();
        let message = message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        text.push_str(&format!("  {} {job} {}{run}{message}\n", instant(*at, now, zone), kind.as_str()));
    }
    text
}
