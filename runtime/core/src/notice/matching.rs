//! What the end of a run means to those who may be told.

use super::NoticeKind;
use crate::run::StateName;
use crate::spec::{NoticeOn, Notifier};

/// As what `notifier` tells of a run that ended in `state`, with which its job may have `recovered`. Of what it asks for
/// twice it tells once: of a recovery rather than of a success. None if it does not tell of it.
#[must_use]
pub fn of_end(notifier: &Notifier, state: StateName, recovered: bool) -> Option<NoticeKind> {
    if recovered && notifier.tells_of(NoticeOn::Recovered) {
        return Some(NoticeKind::Recovered);
    }
    let on = match state {
        StateName::Succeeded => NoticeOn::Succeeded,
        StateName::Failed => NoticeOn::Failed,
        StateName::TimedOut => NoticeOn::TimedOut,
        StateName::Cancelled => NoticeOn::Cancelled,
        StateName::Interrupted => NoticeOn::Interrupted,
        StateName::Expired => NoticeOn::Expired,
        StateName::Skipped => NoticeOn::Skipped,
        StateName::Queued | StateName::Running | StateName::RetryWait => return None,
    };
    notifier.tells_of(on).then(|| on.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notifier(on: &str) -> Notifier {
        serde_json::from_str(&format!(r#"{{"on": {on}, "use": "noop"}}"#)).unwrap()
    }

    #[test]
    fn every_end_is_told_to_those_who_ask_for_it() {
        for state in StateName::ALL {
            let word = state.as_str();
            let told = NoticeOn::WORDS.iter().any(|on| on.as_str() == word);
            assert_eq!(told, state.is_terminal(), "{word}");
            if told {
                let found = of_end(&notifier(&format!(r#"["recovered", "{word}"]"#)), state, false);
                assert_eq!(found.map(NoticeKind::as_str), Some(word));
            }
            let others: Vec<&str> =
                NoticeOn::WORDS.into_iter().map(NoticeOn::as_str).filter(|on| *on != word).collect();
            assert_eq!(of_end(&notifier(&serde_json::to_string(&others).unwrap()), state, false), None, "{word}");
        }
    }

    #[test]
    fn a_recovery_is_told_once() {
        let kinds = [r#"["recovered"]"#, r#"["succeeded", "recovered"]"#, r#"["succeeded"]"#, r#"["failed"]"#]
            .map(|on| of_end(&notifier(on), StateName::Succeeded, true).map(NoticeKind::as_str));
        assert_eq!(kinds, [Some("recovered"), Some("recovered"), Some("succeeded"), None]);
        assert_eq!(of_end(&notifier(r#"["recovered"]"#), StateName::Succeeded, false), None);
    }
}
