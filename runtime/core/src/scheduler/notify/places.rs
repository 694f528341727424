//! Notifiers change places: what is under way stays with the notifier that it was for.
//!
//! A notification names its notifier by the place that it has among its owner's. So that nobody is told what was meant for
//! another, the notifications under way are given their new places in the step that saves other notifiers.

use super::super::Scheduler;
use crate::event::Step;
use crate::id::{Namespace, RunId};
use crate::notice::{Notice, NoticeKind, NoticeOwner};
use crate::spec::Notifiers;

/// The place of a notifier that is not there any more.
const GONE: u16 = u16::MAX;

impl Scheduler {
    /// The notifiers of `owner`, which were `old`, are `new` from now on.
    pub(in super::super) fn move_notifiers(
        &mut self,
        namespace: &Namespace,
        owner: NoticeOwner,
        old: &Notifiers,
        new: &Notifiers,
        step: &mut Step,
    ) {
        if old == new || old.is_empty() {
            return;
        }
        let moved = self.active.iter().filter_map(|(id, active)| {
            let run = &active.run;
            let notice = run.notice.as_ref().filter(|notice| notice.owner == owner && run.namespace == *namespace)?;
            let place = place_of(notice, old, new).unwrap_or(GONE);
            (place != notice.entry).then_some((*id, place))
        });
        let mut moved: Vec<(RunId, u16)> = moved.collect();
        // In the same order whenever it is done.
        moved.sort_unstable();
        for (id, place) in moved {
            self.edit_active(id, step, |run| {
                if let Some(notice) = &mut run.notice {
                    notice.entry = place;
                }
            });
            // It takes in nothing more: its old place is another's, or nobody's.
            let notifier = self.active[&id].run.job_id;
            self.close_notification(id, notifier, None);
        }
    }
}

/// Where the notifier of a notice is now: where it stands unchanged, or else where it was, if what is there instead is a change of
/// it, and asks for all that is to be told. None if it is gone.
fn place_of(notice: &Notice, old: &Notifiers, new: &Notifiers) -> Option<u16> {
    let was = old.get(notice.entry)?;
    let is_it = |place: u16| new.get(place) == Some(was);
    if is_it(notice.entry) {
        return Some(notice.entry);
    }
    if let Some((place, _)) = new.iter().find(|(_, notifier)| *notifier == was) {
        return Some(place);
    }
    let changed = new.get(notice.entry)?;
    let is_another = old.iter().any(|(_, notifier)| notifier == changed);
    let asks_for = |kind: NoticeKind| changed.on.iter().any(|on| NoticeKind::from(*on) == kind);
    let is_change = !is_another && changed.uses == was.uses && notice.events.iter().all(|event| asks_for(event.kind));
    is_change.then_some(notice.entry)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::time::Timestamp;

    fn notifiers(all: &[Value]) -> Notifiers {
        serde_json::from_value(all.into()).unwrap()
    }

    fn notifier(to: &str, on: &str) -> Value {
        json!({ "use": "notify/webhook", "on": [on], "with": { "url": to } })
    }

    fn failure_for(place: u16) -> Notice {
        let event = json!({ "kind": "failed", "job": "a", "at": Timestamp::EPOCH });
        Notice::new(NoticeOwner::Namespace, place, serde_json::from_value(event).unwrap(), None)
    }

    #[test]
    fn a_notice_goes_with_its_notifier() {
        let (ops, other) = (notifier("ops", "failed"), notifier("other", "failed"));
        let both = notifiers(&[other.clone(), ops.clone()]);
        let place = |notice: u16, old: &Notifiers, new: &[Value]| place_of(&failure_for(notice), old, &notifiers(new));
        assert_eq!(place(1, &both, &[other.clone(), ops.clone(), notifier("third", "failed")]), Some(1));
        assert_eq!(place(1, &both, std::slice::from_ref(&ops)), Some(0));
        assert_eq!(place(0, &both, std::slice::from_ref(&ops)), None, "what is there was another before");
        assert_eq!(place(0, &both, &[notifier("third", "failed"), other.clone()]), Some(1));
        assert_eq!(place(0, &both, &[]), None);
        // The address was put right.
        assert_eq!(place(0, &both, &[notifier("other-2", "failed"), ops.clone()]), Some(0));
        assert_eq!(place(0, &both, &[notifier("other-2", "succeeded"), ops.clone()]), None, "nobody asks for it there");
        let mail = json!({ "use": "notify/email", "on": ["failed"], "with": { "to": ["a@example.com"] } });
        assert_eq!(place(0, &both, &[mail, ops]), None);
        assert_eq!(place(GONE, &both, &[other]), None);
    }
}
