//! Escape sequences of terminals: what may reach one, and what is taken out.

/// A text without escape sequences and control characters other than tabs and line ends.
pub(crate) fn strip(text: &str) -> String {
    filtered(text, Keep::Nothing)
}

/// A text whose only escape sequences are those of colours, so that nothing in it moves the cursor, changes the window's
/// title or answers for the keyboard.
pub(crate) fn colours_only(text: &str) -> String {
    filtered(text, Keep::Colours)
}

fn filtered(text: &str, keep: Keep) -> String {
    let mut filter = Filter::new(keep);
    String::from_utf8_lossy(&filter.pass(text.as_bytes())).into_owned()
}

/// Which escape sequences stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// None.
    Nothing,
    /// Those that set colours and the like (ECMA-48's SGR).
    Colours,
}

/// The longest sequence that stays; a longer one sets no colours.
const LONGEST: usize = 64;

/// Takes escape sequences (ECMA-48) and control characters out of a stream of bytes, whatever pieces it comes in.
#[derive(Debug)]
pub(crate) struct Filter {
    keep: Keep,
    state: State,
    /// The sequence that is being read, while it may still stay.
    sequence: Vec<u8>,
    /// Whether something was kept that may have left the terminal coloured.
    coloured: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// After the first byte of what may be a control character of two bytes in UTF-8 (U+0080 to U+009F).
    TwoBytes,
    /// After ESC.
    Escape,
    /// After ESC and a byte that announces one more.
    Intermediate,
    /// In a control sequence: ESC [ … final byte.
    Control,
    /// In a string, such as a window's title: until BEL, ESC \ or the end of its line, so that one that is never closed
    /// does not swallow all that follows.
    String,
    /// After ESC in a string.
    StringEscape,
}

impl Filter {
    pub(crate) fn new(keep: Keep) -> Self {
        Self { keep, state: State::Text, sequence: Vec::new(), coloured: false }
    }

    /// Whether what was kept may have left the terminal coloured.
    pub(crate) fn left_coloured(&self) -> bool {
        self.coloured
    }

    /// What stays of the next bytes.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.step(byte, &mut kept);
        }
        kept
    }

    fn step(&mut self, byte: u8, kept: &mut Vec<u8>) {
        self.state = match (self.state, byte) {
            (State::TwoBytes, 0x9b) => self.begin(),
            (State::TwoBytes, 0x90 | 0x98 | 0x9d..=0x9f) => State::String,
            (State::TwoBytes, 0x80..=0x9f) => State::Text,
            (State::TwoBytes, _) => {
                kept.push(0xc2);
                self.state = State::Text;
                return self.step(byte, kept);
            }
            (State::String, 0x1b) => State::StringEscape,
            (State::String, 0x07) | (State::StringEscape, b'\\') => State::Text,
            (State::String | State::StringEscape, byte) if byte != b'\n' => State::String,
            (_, 0x1b) => State::Escape,
            (State::Escape, b'[') => self.begin(),
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::String,
            (State::Escape | State::Intermediate, 0x20..=0x2f) => State::Intermediate,
            (State::Control, 0x20..=0x3f) => {
                if self.sequence.len() < LONGEST {
                    self.sequence.push(byte);
                }
                State::Control
            }
            (State::Control, b'm') => {
                self.end(kept);
                State::Text
            }
            (State::Escape | State::Intermediate | State::Control, 0x20..) => State::Text,
            (_, b'\n' | b'\r' | b'\t') => {
                kept.push(byte);
                State::Text
            }
            (_, 0..0x20 | 0x7f) => State::Text,
            (State::Text, 0xc2) => State::TwoBytes,
            (State::Text | State::String | State::StringEscape, _) => {
                kept.push(byte);
                State::Text
            }
        };
    }

    fn begin(&mut self) -> State {
        self.sequence.clear();
        State::Control
    }

    /// A control sequence ends with `m`: it sets colours if it holds numbers alone.
    fn end(&mut self, kept: &mut Vec<u8>) {
        let plain = self.sequence.len() < LONGEST
            && self.sequence.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':'));
        if self.keep == Keep::Colours && plain {
            kept.extend_from_slice(b"\x1b[");
            kept.extend_from_slice(&self.sequence);
            kept.push(b'm');
            self.coloured = !matches!(self.sequence.as_slice(), b"" | b"0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(text: &str, keep: Keep) -> String {
        let whole = filtered(text, keep);
        for cut in 1..text.len() {
            let mut filter = Filter::new(keep);
            let kept: Vec<u8> = text.as_bytes().chunks(cut).flat_map(|piece| filter.pass(piece)).collect();
            assert_eq!(String::from_utf8(kept).unwrap(), whole, "in pieces of {cut}");
        }
        whole
    }

    #[test]
    fn sequences_are_taken_out_whatever_the_pieces() {
        let text = "\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\link\u{1b}(B\tä°\n\u{8}end";
        assert_eq!(in_pieces(text, Keep::Nothing), "red alink\tä°\nend");
        assert_eq!(in_pieces(text, Keep::Colours), "\u{1b}[1;31mred\u{1b}[0m alink\tä°\nend");
    }

    #[test]
    fn nothing_but_colours_reaches_a_terminal() {
        for hostile in [
            "\u{1b}[2J",
            "\u{1b}[10;10H",
            "\u{1b}[?25l",
            "\u{1b}[6n",
            "\u{1b}[>4;2m",
            "\u{1b}c",
            "\u{1b}]52;c;aGk=\u{7}",
            "\u{1b}P+q\u{1b}\\",
            "\u{9b}2J",
            "\u{9d}0;title\u{7}",
            "\u{7}\u{8}\u{b}\u{7f}\u{84}",
        ] {
            assert_eq!(in_pieces(&format!("a{hostile}b"), Keep::Colours), "ab", "{hostile:?}");
        }
        assert_eq!(in_pieces("\u{9b}32mgreen", Keep::Colours), "\u{1b}[32mgreen");
        assert_eq!(in_pieces("\u{1b}]0;never closed\nthe next line", Keep::Colours), "\nthe next line");
    }

    #[test]
    fn colours_that_stay_on_are_known() {
        let mut filter = Filter::new(Keep::Colours);
        filter.pass(b"\x1b[31mred");
        assert!(filter.left_coloured());
        filter.pass(b"\x1b[0m");
        assert!(!filter.left_coloured());
    }
}
