//! Named calendars.

use std::sync::Arc;

use sandglass_core::batch::Write;
use sandglass_core::calendar::Calendar;
use sandglass_core::id::{CalendarName, Namespace};

use super::Subject;
use super::sample::{at, commit, conflict};
use crate::error::ConflictKind;

fn calendar(namespace: &str, name: &str, revision: u64) -> Calendar {
    let spec = serde_json::json!({
        "name": name,
        "description": "Tage, an denen die B\u{f6}rse ruht",
        "dates": ["2027-01-01", { "from": "2027-12-24", "to": "2027-12-31" }],
        "weekdays": ["sat", "sun"],
        "yearly": ["12-25", { "easter": -2 }],
    });
    Calendar {
        namespace: namespace.parse().unwrap(),
        revision,
        spec: Arc::new(serde_json::from_value(spec).unwrap()),
        updated_at: at(4),
    }
}

fn put(calendar: &Calendar) -> Write {
    Write::PutCalendar(Arc::new(calendar.clone()))
}

pub(super) fn revisions(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let namespace: Namespace = "n".parse().unwrap();
    let name: CalendarName = "off".parse().unwrap();
    let wrong = |expected, found| ConflictKind::CalendarRevision {
        namespace: namespace.clone(),
        name: name.clone(),
        expected,
        found,
    };
    let delete = |revision| Write::DeleteCalendar { namespace: namespace.clone(), name: name.clone(), revision };
    let (first, second) = (calendar("n", "off", 1), calendar("n", "off", 2));
    assert_eq!(conflict(&*store, vec![put(&second)]), wrong(1, None));
    commit(&*store, vec![put(&first)]).unwrap();
    assert_eq!(conflict(&*store, vec![put(&first)]), wrong(0, Some(1)));
    commit(&*store, vec![put(&second), put(&calendar("n", "also", 1)), put(&calendar("n-1", "off", 1))]).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    assert_eq!(store.load().unwrap().calendars.len(), 3);
    assert_eq!(store.calendar(&namespace, &name).unwrap().as_deref(), Some(&second));
    let listed = store.calendars(&namespace).unwrap();
    assert_eq!(listed.iter().map(|calendar| calendar.spec.name.as_str()).collect::<Vec<_>>(), ["also", "off"]);
    assert_eq!(conflict(&*store, vec![delete(1)]), wrong(1, Some(2)));
    commit(&*store, vec![delete(2)]).unwrap();
    assert_eq!(conflict(&*store, vec![delete(2)]), wrong(2, None));
    assert_eq!(store.calendar(&namespace, &name).unwrap(), None);
    commit(&*store, vec![put(&first)]).unwrap();
    assert_eq!(store.calendars(&namespace).unwrap().len(), 2);
}
