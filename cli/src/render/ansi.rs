//! Escape sequences of terminals: taken out where no terminal reads.

/// A text without escape sequences and control characters other than tabs and line ends.
pub(crate) fn strip(text: &str) -> String {
    let mut stripper = Stripper::default();
    String::from_utf8(stripper.strip(text.as_bytes())).unwrap_or_default()
}

/// Takes escape sequences (ECMA-48) out of a stream of bytes, whatever pieces it comes in.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Stripper {
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and a byte that announces one more.
    Intermediate,
    /// In a control sequence: ESC [ … final byte.
    Control,
    /// In a string, such as a window's title: until BEL or ESC \.
    String,
    /// After ESC in a string.
    StringEscape,
}

impl Stripper {
    pub(crate) fn strip(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::String, 0x1b) => State::StringEscape,
                (State::String, 0x07) | (State::StringEscape, b'\\') => State::Text,
                (State::String | State::StringEscape, _) => State::String,
                (_, 0x1b) => State::Escape,
                (State::Escape, b'[') => State::Control,
                (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::String,
                (State::Escape | State::Intermediate, 0x20..=0x2f) => State::Intermediate,
                (State::Control, 0x20..=0x3f) => State::Control,
                (State::Escape | State::Intermediate | State::Control, 0x20..) => State::Text,
                (_, b'\n' | b'\r' | b'\t') => {
                    kept.push(byte);
                    State::Text
                }
                (_, 0..0x20 | 0x7f) => State::Text,
                (State::Text, _) => {
                    kept.push(byte);
                    State::Text
                }
            };
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_taken_out_whatever_the_pieces() {
        let text = "\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\link\u{1b}(B\tä\n\u{8}end";
        for cut in 1..text.len() {
            let mut stripper = Stripper::default();
            let kept: Vec<u8> = text.as_bytes().chunks(cut).flat_map(|piece| stripper.strip(piece)).collect();
            assert_eq!(String::from_utf8(kept).unwrap(), "red alink\tä\nend");
        }
    }
}
