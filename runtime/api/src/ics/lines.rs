//! Content lines: unfolded, and divided into name, parameters and value (RFC 5545, section 3.1).

use super::InvalidIcs;

/// One content line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Where it begins, counted from 1.
    pub number: usize,
    /// Its name in capitals.
    pub name: String,
    /// Names in capitals, with their first values.
    pub params: Vec<(String, String)>,
    /// As it is in the file.
    pub value: String,
}

impl Line {
    /// The value of the parameter `name`.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value as text, its escapes resolved.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut letters = self.value.chars();
        while let Some(letter) = letters.next() {
            match (letter, letter == '\\') {
                (_, true) => match letters.next() {
                    Some('n' | 'N') => text.push(' '),
                    other => text.extend(other),
                },
                (letter, false) => text.push(letter),
            }
        }
        text
    }

    /// A complaint about this line.
    pub(super) fn fault(&self, message: impl std::fmt::Display) -> InvalidIcs {
        InvalidIcs::new(self.number, format!("{}: {message}", self.name))
    }

    fn read(number: usize, text: &str) -> Result<Self, InvalidIcs> {
        let fault = |message: String| InvalidIcs::new(number, message);
        let shown: String = text.chars().take(40).collect();
        let end = text
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
            .filter(|end| *end > 0 && matches!(text.as_bytes()[*end], b':' | b';'))
            .ok_or_else(|| fault(format!("'{shown}' is not NAME:VALUE")))?;
        let name = text[..end].to_ascii_uppercase();
        let mut params = Vec::new();
        let mut rest = &text[end..];
        while let Some(param) = rest.strip_prefix(';') {
            let (key, tail) =
                param.split_once('=').ok_or_else(|| fault(format!("a parameter of {name} has no value")))?;
            let (value, tail) = match tail.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(|| fault(format!("a quote in {name} never ends")))?,
                None => tail.split_at(tail.find([';', ':', ',']).unwrap_or(tail.len())),
            };
            params.push((key.to_ascii_uppercase(), value.to_owned()));
            // Further values of a parameter are none of ours.
            rest = &tail[tail.find([';', ':']).unwrap_or(tail.len())..];
        }
        let value = rest.strip_prefix(':').ok_or_else(|| fault(format!("{name} has no value")))?;
        Ok(Self { number, name, params, value: value.trim_end().to_owned() })
    }
}

/// The content lines of a text: a line that begins with a blank goes on where the one before ended.
pub(super) struct Lines<'a> {
    rest: std::iter::Peekable<std::iter::Enumerate<std::str::Lines<'a>>>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // Some programs begin their files with a mark of the encoding.
        Self { rest: text.trim_start_matches('\u{feff}').lines().enumerate().peekable() }
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Line, InvalidIcs>;

    fn next(&mut self) -> Option<Self::Item> {
        let (index, first) = self.rest.find(|(_, line)| !line.trim().is_empty())?;
        let mut line = first.to_owned();
        while let Some((_, more)) = self.rest.next_if(|(_, line)| line.starts_with([' ', '\t'])) {
            line.push_str(&more[1..]);
        }
        Some(Line::read(index + 1, &line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_unfolded_and_divided() {
        let text = "\u{feff}SUMMARY;LANGUAGE=de;X=\"a:b;c\",d:Neu\r\n jahr\\, und\r\n\t mehr\r\n\r\ndtstart:1\r\n";
        let lines: Vec<Line> = Lines::new(text).collect::<Result<_, _>>().unwrap();
        assert_eq!(lines[0].text(), "Neujahr, und mehr");
        assert_eq!(lines[0].param("X"), Some("a:b;c"));
        assert_eq!((lines[1].number, lines[1].name.as_str(), lines[1].value.as_str()), (5, "DTSTART", "1"));
    }
}
