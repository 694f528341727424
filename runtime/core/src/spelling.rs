//! What was probably meant by a word that is not known.

/// The word nearest to `word` of those that are known, if it is near enough to be a slip of it.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let slips = |candidate: &str| strsim::damerau_levenshtein(&word, &candidate.replace('-', "_"));
    let best = known.into_iter().map(|candidate| (slips(candidate), candidate)).min()?;
    // About one slip in three characters, so that unlike words are not put forward.
    (best.0 <= (word.chars().count().max(best.1.len()) / 3).max(1)).then_some(best.1)
}

/// Says that there is no `what` of this name, and what was meant or what there is.
#[must_use]
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no {what} '{name}'; did you mean '{near}'?"),
        None => format!("there is no {what} '{name}'; there are: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_known_and_other_words_are_not() {
        let known = ["timeout", "time_zone", "retry"];
        for (word, near) in [("timout", "timeout"), ("Time-Zone", "time_zone"), ("rety", "retry")] {
            assert_eq!(nearest(word, known), Some(near));
        }
        assert_eq!(nearest("secrets", known), None);
        assert_eq!(unknown("key", "timout", &known), "there is no key 'timout'; did you mean 'timeout'?");
        assert_eq!(unknown("key", "x", &["aaa", "bbb"]), "there is no key 'x'; there are: aaa, bbb");
    }
}
