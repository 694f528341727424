//! What was probably meant by a text that names no time zone.

use chrono_tz::{TZ_VARIANTS, Tz};

/// The zone that the value of the environment variable `TZ` names: `Europe/Berlin`, also with a colon before it or as the
/// path of its file. Nothing means UTC (POSIX.1-2024, section 8.3). None for rules such as `CET-1CEST`, which name no zone.
pub(super) fn of_environment(value: &str) -> Option<Tz> {
    let text = value.trim().trim_start_matches(':');
    if text.is_empty() {
        return Some(Tz::UTC);
    }
    let name = text.rsplit_once("zoneinfo/").map_or(text, |(_, name)| name);
    name.parse().ok()
}

/// How to mend `text`: the zone that was probably meant, else how zones are written.
pub(super) fn mend(text: &str) -> String {
    match nearest(text) {
        Some(name) => format!("did you mean {name}?"),
        None => "write an IANA name such as Europe/Berlin or UTC".to_owned(),
    }
}

/// The name that is nearest to `text`, by itself or by its city alone, if it is near at all.
fn nearest(text: &str) -> Option<&'static str> {
    let word = text.trim().to_ascii_lowercase().replace(' ', "_");
    // A longer text is no slip in a name.
    if word.is_empty() || word.len() > 40 {
        return None;
    }
    let slips = |name: &'static str| {
        let name = name.to_ascii_lowercase();
        let city = name.rsplit('/').next().unwrap_or_default();
        strsim::damerau_levenshtein(&word, &name).min(strsim::damerau_levenshtein(&word, city))
    };
    // Of names as near as each other, one of a continent before those kept for old programs, such as Poland.
    let old = |name: &str| !name.contains('/') || ["US/", "Etc/"].iter().any(|region| name.starts_with(region));
    let names = TZ_VARIANTS.iter().map(|zone| zone.name());
    let (found, _, name) = names.map(|name| (slips(name), old(name), name)).min()?;
    (found <= (word.chars().count() / 4).max(1)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_zones_in_several_ways() {
        for text in
            ["Europe/Berlin", ":Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin", " :/etc/zoneinfo/Europe/Berlin"]
        {
            assert_eq!(of_environment(text), Some(Tz::Europe__Berlin), "{text}");
        }
        assert_eq!((of_environment(""), of_environment(":")), (Some(Tz::UTC), Some(Tz::UTC)));
        assert_eq!((of_environment("CET-1CEST"), of_environment("/etc/localtime")), (None, None));
    }

    #[test]
    fn the_zone_that_was_meant_is_found() {
        for (text, meant) in [
            ("Europe/Berlni", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("America/NewYork", "America/New_York"),
            ("New York", "America/New_York"),
            ("Asia/Calcuta", "Asia/Calcutta"),
        ] {
            assert_eq!(nearest(text), Some(meant), "{text}");
        }
        for text in ["", "Mars/Olympus", "Middle-earth", &"x".repeat(1000)] {
            assert_eq!(nearest(text), None, "{text}");
        }
    }
}
