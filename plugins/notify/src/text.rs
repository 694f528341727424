//! Texts made harmless and short enough.

/// `text` with every character as `escape` writes it, where that gives something, in at most `most` units of UTF-16, which
/// is what services count in; what is cut ends in `…`. An escaped character is never cut in two.
pub(crate) fn fitted(text: &str, most: usize, escape: impl Fn(char) -> Option<&'static str>) -> String {
    let mut fitted = String::new();
    let mut units = 0;
    // Where the text would end if it had to be cut.
    let mut end = 0;
    for character in text.chars() {
        let mut room = [0; 4];
        let written = match escape(character) {
            Some(escaped) => escaped,
            // Nothing that moves a cursor or turns the direction of writing belongs in a message.
            None if is_hidden(character) => " ",
            None => character.encode_utf8(&mut room),
        };
        units += written.encode_utf16().count();
        if units > most {
            fitted.truncate(end);
            fitted.push('…');
            return fitted;
        }
        fitted.push_str(written);
        if units < most {
            end = fitted.len();
        }
    }
    fitted
}

/// The same for text that is shown as it stands.
pub(crate) fn plain(text: &str, most: usize) -> String {
    fitted(text, most, |_| None)
}

/// The last lines of `text` that are short enough, with every character as `escape` writes it.
pub(crate) fn last_lines(text: &str, most: usize, escape: impl Fn(char) -> Option<&'static str> + Copy) -> String {
    let mut rest = text;
    loop {
        let fits = fitted(rest, usize::MAX, escape);
        match rest.split_once('\n') {
            Some((_, later)) if fits.encode_utf16().count() > most => rest = later,
            _ => return fitted(rest, most, escape),
        }
    }
}

/// The same on one line.
pub(crate) fn line(text: &str, most: usize) -> String {
    fitted(text, most, |character| (character == '\n').then_some(" "))
}

fn is_hidden(character: char) -> bool {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control() && character != '\n'
}

#[cfg(test)]
mod tests {
    use super::{fitted, last_lines, line, plain};

    #[test]
    fn what_is_too_long_is_cut_at_a_character() {
        assert_eq!(plain("abc", 3), "abc");
        assert_eq!(plain("abcd", 3), "ab…");
        // A character beyond the first plane is two units.
        assert_eq!(plain("a😀b", 4), "a😀b");
        assert_eq!(plain("a😀b", 3), "a…");
        let escape = |character| (character == '&').then_some("&amp;");
        assert_eq!(fitted("a&&", 11, escape), "a&amp;&amp;");
        assert_eq!(fitted("a&&", 10, escape), "a&amp;…");
        assert_eq!(fitted("&&", 5, escape), "…");
    }

    #[test]
    fn of_what_was_printed_the_end_is_shown() {
        let escape = |character| (character == '`').then_some("''");
        assert_eq!(last_lines("a\nb`\nc", 6, escape), "b''\nc");
        assert_eq!(last_lines("a\nb`\nc", 5, escape), "b''\nc");
        assert_eq!(last_lines("a\nb`\nc", 4, escape), "c");
        assert_eq!(last_lines("abcd", 3, escape), "ab…");
    }

    #[test]
    fn what_cannot_be_seen_is_a_space() {
        assert_eq!(plain("a\u{1b}[31m\r\nb\u{202e}c", 99), "a [31m \nb c");
        assert_eq!(line("a\nb", 99), "a b");
    }
}
