//! Words of job files: the nearest known one to a slip, and those that a later version will know.

use sandglass_core::spelling::nearest;

/// Keys and values of features that this version lacks. They are refused by name, so that a file that relies on one of
/// them is not run without it.
const LATER: &[&str] = &[
    // Of jobs.
    "enabled",
    "group",
    "groups",
    "host",
    "hosts",
    "paused",
    "target",
    "targets",
    // Of triggers.
    "event",
    "file",
    "threshold",
    "webhook",
    // Of retries, catch-up and limits.
    "processes",
];

/// Whether a later version will know `word`.
pub(super) fn is_later(word: &str) -> bool {
    LATER.contains(&word)
}

/// An unknown key or value in words: what was meant, or what there is.
pub(super) fn unknown(what: &str, word: &str, known: &[&str]) -> (String, Option<String>) {
    const SHOWN: usize = 30;
    let word: String = word.chars().take(80).collect();
    let slip = |near: &str| strsim::damerau_levenshtein(&word, near) == 1;
    if is_later(&word) && !known.iter().any(|near| slip(near)) {
        let message = format!("{what} '{word}' is not supported yet");
        return (message, Some("remove it; this version would not act on it".to_owned()));
    }
    let message = format!("unknown {what} '{word}'");
    let hint = match nearest(&word, known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None if known.is_empty() => return (message, None),
        None => {
            let more = if known.len() > SHOWN { ", …" } else { "" };
            format!("expected one of: {}{more}", known[..known.len().min(SHOWN)].join(", "))
        }
    };
    (message, Some(hint))
}
