//! A text, or a list of texts.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// What parameters often take: one text, or a list of them. Which of the two it was is kept, as a command that is one text is
/// a line for a shell, and one that is a list is a program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// One text.
    Line(String),
    /// A list.
    List(Vec<String>),
}

impl Words {
    /// Whether there is nothing: a line of spaces, or a list that begins with nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Line(line) => line.trim().is_empty(),
            Self::List(list) => list.first().is_none_or(String::is_empty),
        }
    }

    /// The list; a line is a list of one.
    #[must_use]
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::Line(line) => vec![line],
            Self::List(list) => list,
        }
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordsVisitor)
    }
}

/// By hand, as it makes the smaller guest and says what was expected.
struct WordsVisitor;

impl<'de> de::Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a list of texts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Words, E> {
        Ok(Words::Line(text.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = list.next_element()? {
            words.push(word);
        }
        Ok(Words::List(words))
    }
}

impl JsonSchema for Words {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, or a list of texts.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_and_a_list_are_told_apart() {
        let read = |json: &str| serde_json::from_str::<Words>(json);
        assert_eq!(read("\"a b\"").ok(), Some(Words::Line("a b".to_owned())));
        assert_eq!(read("[\"a\", \"b\"]").ok(), Some(Words::List(vec!["a".to_owned(), "b".to_owned()])));
        let wrong = read("7").expect_err("a number is neither").to_string();
        assert!(wrong.contains("a text, or a list of texts"), "{wrong}");
    }
}
