//! From text to expression: tokens with their columns, then one function for each line of the grammar.

use super::{InvalidExpression, MAX_DEPTH, MAX_EXPRESSION_BYTES, Node};
use crate::target::text::{RESERVED, is_label};

/// A word, a quoted value, or a sign, and the column where it begins.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Token {
    column: usize,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Word(String),
    Quoted(String),
    /// `==`, `!=`, `(`, `)` or `,`.
    Sign(&'static str),
}

/// Whether a bare value may have this character.
pub(super) fn is_bare(char: char) -> bool {
    char.is_alphanumeric() || "-_./:@+*".contains(char)
}

pub(super) fn too_long() -> InvalidExpression {
    fault(MAX_EXPRESSION_BYTES, format!("it is too long: {MAX_EXPRESSION_BYTES} bytes are allowed"))
}

fn fault(column: usize, message: impl Into<String>) -> InvalidExpression {
    InvalidExpression { column, message: message.into() }
}

/// Reads a whole expression.
pub(super) fn expression(text: &str) -> Result<Node, InvalidExpression> {
    if text.len() > MAX_EXPRESSION_BYTES {
        return Err(too_long());
    }
    let mut reader = Reader { tokens: tokens(text)?, next: 0, end: text.chars().count() + 1 };
    let node = reader.any(0)?;
    match reader.peek() {
        None => Ok(node),
        Some(Token { column, kind }) => {
            let hint = if *kind == Kind::Sign(")") { "no bracket is open here" } else { "put 'and' or 'or' before it" };
            Err(fault(*column, format!("{} cannot follow here: {hint}", kind.shown())))
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, InvalidExpression> {
    let mut tokens = Vec::new();
    let mut chars = (1..).zip(text.chars()).peekable();
    while let Some((column, char)) = chars.next() {
        let is_next = |chars: &mut std::iter::Peekable<_>, wanted| chars.next_if(|(_, char)| *char == wanted).is_some();
        let kind = match char {
            _ if char.is_whitespace() => continue,
            '(' => Kind::Sign("("),
            ')' => Kind::Sign(")"),
            ',' => Kind::Sign(","),
            '=' if is_next(&mut chars, '=') => Kind::Sign("=="),
            '!' if is_next(&mut chars, '=') => Kind::Sign("!="),
            '=' => return Err(fault(column, "'=' alone means nothing: write '==' to compare")),
            '!' => return Err(fault(column, "'!' alone means nothing: write '!=' or 'not'")),
            '"' | '\'' => Kind::Quoted(quoted(&mut chars, char, column)?),
            _ if is_bare(char) => {
                let mut word = String::from(char);
                while let Some((_, char)) = chars.next_if(|(_, char)| is_bare(*char)) {
                    word.push(char);
                }
                Kind::Word(word)
            }
            _ => {
                let shown = char.escape_debug();
                return Err(fault(column, format!("'{shown}' cannot stand here: put a value that has it in quotes")));
            }
        };
        tokens.push(Token { column, kind });
    }
    Ok(tokens)
}

/// The rest of a value in quotes. In double quotes `\"` and `\\` stand for a quote and a backslash.
fn quoted(
    chars: &mut impl Iterator<Item = (usize, char)>,
    quote: char,
    begin: usize,
) -> Result<String, InvalidExpression> {
    let mut value = String::new();
    while let Some((column, char)) = chars.next() {
        match char {
            _ if char == quote => return Ok(value),
            '\\' if quote == '"' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                _ => return Err(fault(column, "a backslash in double quotes stands before a quote or a backslash")),
            },
            _ if char.is_control() => return Err(fault(column, "a value cannot have control characters")),
            _ => value.push(char),
        }
    }
    Err(fault(begin, "the quote is not closed"))
}

struct Reader {
    tokens: Vec<Token>,
    next: usize,
    /// The column behind the text.
    end: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn column(&self) -> usize {
        self.peek().map_or(self.end, |token| token.column)
    }

    /// What stands here, for people.
    fn found(&self) -> String {
        self.peek().map_or_else(|| "the end".to_owned(), |token| token.kind.shown())
    }

    fn take(&mut self, wanted: &Kind) -> bool {
        let is_wanted = self.peek().is_some_and(|token| token.kind == *wanted);
        self.next += usize::from(is_wanted);
        is_wanted
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.take(&Kind::Word(word.to_owned()))
    }

    fn any(&mut self, depth: usize) -> Result<Node, InvalidExpression> {
        self.joined("or", |reader| reader.all(depth), Node::Any)
    }

    fn all(&mut self, depth: usize) -> Result<Node, InvalidExpression> {
        self.joined("and", |reader| reader.one(depth), Node::All)
    }

    fn joined(
        &mut self,
        word: &str,
        part: impl Fn(&mut Self) -> Result<Node, InvalidExpression>,
        join: fn(Vec<Node>) -> Node,
    ) -> Result<Node, InvalidExpression> {
        let first = part(self)?;
        let mut more = Vec::new();
        while self.take_word(word) {
            more.push(part(self)?);
        }
        if more.is_empty() {
            return Ok(first);
        }
        more.insert(0, first);
        Ok(join(more))
    }

    fn one(&mut self, depth: usize) -> Result<Node, InvalidExpression> {
        let column = self.column();
        if depth > MAX_DEPTH {
            return Err(fault(column, format!("it is nested too deeply: {MAX_DEPTH} levels are allowed")));
        }
        if self.take_word("not") {
            return Ok(Node::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.take(&Kind::Sign("(")) {
            let node = self.any(depth + 1)?;
            return if self.take(&Kind::Sign(")")) {
                Ok(node)
            } else {
                Err(fault(self.column(), format!("expected ')', found {}", self.found())))
            };
        }
        self.test()
    }

    fn test(&mut self) -> Result<Node, InvalidExpression> {
        let column = self.column();
        let label = match self.peek().map(|token| &token.kind) {
            Some(Kind::Word(word)) if is_label(word) && !RESERVED.contains(&word.as_str()) => word.clone(),
            _ => return Err(fault(column, format!("expected a label, found {}", self.found()))),
        };
        self.next += 1;
        if self.take(&Kind::Sign("==")) {
            return Ok(Node::Is(label, self.value()?));
        }
        if self.take(&Kind::Sign("!=")) {
            return Ok(Node::IsNot(label, self.value()?));
        }
        if !self.take_word("in") {
            return Ok(Node::Has(label));
        }
        if !self.take(&Kind::Sign("(")) {
            let message = format!("expected '(' and values after 'in', found {}", self.found());
            return Err(fault(self.column(), message));
        }
        let mut values = vec![self.value()?];
        while self.take(&Kind::Sign(",")) {
            values.push(self.value()?);
        }
        if self.take(&Kind::Sign(")")) {
            return Ok(Node::In(label, values));
        }
        Err(fault(self.column(), format!("expected ',' or ')', found {}", self.found())))
    }

    fn value(&mut self) -> Result<String, InvalidExpression> {
        let column = self.column();
        let value = match self.peek().map(|token| &token.kind) {
            Some(Kind::Word(word)) if RESERVED.contains(&word.as_str()) => {
                return Err(fault(column, format!("expected a value, found '{word}': put it in quotes if it is one")));
            }
            Some(Kind::Word(value) | Kind::Quoted(value)) => value.clone(),
            _ => return Err(fault(column, format!("expected a value, found {}", self.found()))),
        };
        self.next += 1;
        Ok(value)
    }
}

impl Kind {
    /// For people.
    fn shown(&self) -> String {
        match self {
            Self::Word(text) => format!("'{text}'"),
            Self::Quoted(text) => format!("the value \"{text}\""),
            Self::Sign(sign) => format!("'{sign}'"),
        }
    }
}
