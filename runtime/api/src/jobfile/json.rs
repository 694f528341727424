//! JSON (RFC 8259) into the tree. A reader of our own, because serde_json does not tell where values are.

use super::error::NodeError;
use super::node::{Budget, MapBuilder, Node, Scalar, Span, Value};

pub(super) fn read(text: &str) -> Result<Node, NodeError> {
    let mut reader = Reader { text, at: 0, line: 1, column: 1, budget: Budget::default() };
    reader.skip_space();
    let node = reader.value(1)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(node),
        Some(found) => Err(reader.fault(format!("expected the end of the file, found '{found}'"))),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    column: usize,
    budget: Budget,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        if char == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(char)
    }

    fn span(&self) -> Span {
        Span::new(self.line, self.column, 1)
    }

    fn fault(&self, message: impl Into<String>) -> NodeError {
        NodeError::at(message, self.span())
    }

    /// Says what was expected and what is there instead.
    fn expected(&self, what: &str) -> NodeError {
        match self.peek() {
            None => self.fault(format!("expected {what}, but the file ends here")),
            Some(found) => self.fault(format!("expected {what}, found '{}'", found.escape_debug())),
        }
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|char| matches!(char, ' ' | '\t' | '\n' | '\r')) {
            self.next();
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, NodeError> {
        let start = self.span();
        self.budget.take(1, depth, start)?;
        match self.peek() {
            Some('{') => self.map(start, depth),
            Some('[') => self.list(start, depth),
            Some('"') => self.string(),
            Some('-' | '0'..='9') => self.number(),
            Some(char) if char.is_ascii_alphabetic() => self.word(),
            Some('\'') => Err(self.expected("a value").hint("JSON wants double quotes: \"…\"")),
            _ => Err(self.expected("a value")),
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Node, NodeError> {
        self.next();
        let mut map = MapBuilder::default();
        self.skip_space();
        if self.peek() == Some('}') {
            self.next();
            return Ok(Node::new(start, Value::Map(map.finish())));
        }
        loop {
            self.skip_space();
            if self.peek() != Some('"') {
                let error = self.expected("a key in double quotes");
                return Err(if self.peek() == Some('}') { error.hint("remove the comma before it") } else { error });
            }
            let key = self.string()?;
            self.skip_space();
            if self.peek() != Some(':') {
                return Err(self.expected("':' after the key"));
            }
            self.next();
            self.skip_space();
            let value = self.value(depth + 1)?;
            let text = key.as_text().unwrap_or_default().to_owned();
            map.insert(text, key.span, value)?;
            self.skip_space();
            match self.peek() {
                Some(',') => self.next(),
                Some('}') => {
                    self.next();
                    return Ok(Node::new(start, Value::Map(map.finish())));
                }
                _ => return Err(self.expected("',' or '}' after the value")),
            };
        }
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Node, NodeError> {
        self.next();
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(']') {
            self.next();
            return Ok(Node::new(start, Value::List(items)));
        }
        loop {
            self.skip_space();
            if !items.is_empty() && self.peek() == Some(']') {
                return Err(self.expected("a value").hint("remove the comma before it"));
            }
            items.push(self.value(depth + 1)?);
            self.skip_space();
            match self.peek() {
                Some(',') => self.next(),
                Some(']') => {
                    self.next();
                    return Ok(Node::new(start, Value::List(items)));
                }
                _ => return Err(self.expected("',' or ']' after the value")),
            };
        }
    }

    /// The characters of a number or word, taken as one piece.
    fn token(&mut self) -> (String, Span) {
        let (from, start) = (self.at, self.span());
        while self.peek().is_some_and(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '+' | '.' | '_')) {
            self.next();
        }
        let text = &self.text[from..self.at];
        (text.to_owned(), Span { length: text.len().max(1), ..start })
    }

    fn number(&mut self) -> Result<Node, NodeError> {
        let (text, span) = self.token();
        match serde_json::from_str::<serde_json::Number>(&text) {
            Ok(number) => Ok(Node::scalar(span, text, Scalar::Number(number))),
            Err(_) => Err(NodeError::at(format!("'{text}' is not a number"), span)),
        }
    }

    fn word(&mut self) -> Result<Node, NodeError> {
        let (text, span) = self.token();
        let kind = match text.as_str() {
            "null" => Scalar::Null,
            "true" => Scalar::Bool(true),
            "false" => Scalar::Bool(false),
            _ => {
                let message = format!("expected a value, found '{text}'");
                return Err(NodeError::at(message, span).hint("text stands in double quotes: \"…\""));
            }
        };
        Ok(Node::scalar(span, text, kind))
    }

    fn string(&mut self) -> Result<Node, NodeError> {
        let start = self.span();
        self.next();
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(NodeError::at("the text that begins here has no closing quote", start)),
                Some('"') => {
                    self.next();
                    let length = if self.line == start.position.line { self.column - start.position.column } else { 1 };
                    return Ok(Node::text(Span { length, ..start }, text));
                }
                Some('\\') => text.push(self.escape()?),
                Some('\n') => {
                    return Err(NodeError::at("the text that begins here has no closing quote on its line", start));
                }
                Some(char) if (char as u32) < 0x20 => {
                    return Err(self.fault(format!("'{}' must be written as an escape here", char.escape_debug())));
                }
                Some(char) => {
                    self.next();
                    text.push(char);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, NodeError> {
        let start = self.span();
        self.next();
        let escaped = match self.next() {
            Some(char @ ('"' | '\\' | '/')) => char,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => return self.unicode(start),
            _ => return Err(NodeError::at("unknown escape: write \\\\ for a backslash", start)),
        };
        Ok(escaped)
    }

    fn unicode(&mut self, start: Span) -> Result<char, NodeError> {
        let invalid = || NodeError::at("expected four hexadecimal digits that name a character", start);
        let first = self.four_digits().ok_or_else(invalid)?;
        // A character beyond the first 65,536 is two escapes, a surrogate each.
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first).ok_or_else(invalid);
        }
        if self.next() != Some('\\') || self.next() != Some('u') {
            return Err(invalid());
        }
        let second = self.four_digits().filter(|second| (0xDC00..0xE000).contains(second)).ok_or_else(invalid)?;
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or_else(invalid)
    }

    fn four_digits(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |value, _| Some(value << 4 | self.next()?.to_digit(16)?))
    }
}
