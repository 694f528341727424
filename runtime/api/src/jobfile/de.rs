//! The tree as a serde data format, so that the job's own types read it and every fault has a place.

use serde::de::{
    DeserializeSeed, EnumAccess, Error, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::de::{Deserializer, VariantAccess};
use serde::forward_to_deserialize_any;

use super::error::NodeError;
use super::keys;
use super::node::{Entry, Node, Scalar, Span, Value};

impl Error for NodeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {}", expectation(expected), finding(&found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        unknown("key", field, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        unknown("value", variant, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self { is_missing: true, ..Self::new(format!("key '{field}' is missing")) }
    }
}

fn unknown(what: &str, word: &str, known: &[&str]) -> NodeError {
    let (message, hint) = keys::unknown(what, word, known);
    NodeError { hint, ..NodeError::new(message) }
}

/// What a visitor expects, without the words of Rust.
fn expectation(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let plain = match text.as_str() {
        "a string" | "string" => "text",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "u8" => "a whole number from 0 to 255",
        "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "a nonzero u16" => "a whole number from 1 to 65535",
        "i32" | "i64" => "a whole number",
        "f64" => "a number",
        _ if text.starts_with("struct ") => "a map",
        _ => return text,
    };
    plain.to_owned()
}

fn finding(found: &Unexpected<'_>) -> String {
    let short = |text: &str| -> String { text.chars().take(60).collect() };
    match found {
        Unexpected::Str(text) => format!("the text '{}'", short(text)),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Bool(value) => format!("{value}"),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = NodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        let result = match &self.value {
            Value::Scalar { text, kind } => match kind {
                Scalar::Null => visitor.visit_unit(),
                Scalar::Bool(value) => visitor.visit_bool(*value),
                Scalar::Text => visitor.visit_borrowed_str(text),
                Scalar::Number(number) => {
                    if let Some(number) = number.as_u64() {
                        visitor.visit_u64(number)
                    } else if let Some(number) = number.as_i64() {
                        visitor.visit_i64(number)
                    } else {
                        visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
                    }
                }
            },
            Value::List(items) => visitor.visit_seq(Items { items: items.iter().enumerate() }),
            Value::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), current: None }),
        };
        result.map_err(|error| error.or_at(self.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        match &self.value {
            Value::Scalar { text, kind: kind @ (Scalar::Number(_) | Scalar::Bool(_)) } => {
                let number = if matches!(kind, Scalar::Number(_)) { "the number " } else { "" };
                let message = format!("expected text, found {number}{text}");
                Err(NodeError::at(message, self.span).hint(format!("put it in quotes: \"{text}\"")))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        let Some(text) = self.as_text() else {
            let message = format!("expected one of {}, found {}", variants.join(", "), self.kind_name());
            return Err(NodeError::at(message, self.span));
        };
        visitor.visit_enum(Word { text, span: self.span }).map_err(|error| error.or_at(self.span))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        visitor.visit_newtype_struct(self)
    }

    /// Only a map is one: serde would also take a list, whose items then mean keys by their place.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        if matches!(self.value, Value::Map(_)) || self.is_null() {
            return self.deserialize_any(visitor);
        }
        let found = match &self.value {
            Value::Scalar { text, kind: Scalar::Text } => {
                format!("the text '{}'", text.chars().take(60).collect::<String>())
            }
            _ => self.kind_name().to_owned(),
        };
        let error = NodeError::at(format!("expected a map, found {found}"), self.span);
        Err(error.hint(format!("write its keys and values; the keys are {}", fields.join(", "))))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct
        map identifier ignored_any
    }
}

/// A closed set's value: all of ours are single words.
struct Word<'de> {
    text: &'de str,
    span: Span,
}

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = NodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), NodeError> {
        let value = seed.deserialize(IntoDeserializer::<NodeError>::into_deserializer(self.text))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'de> {
    type Error = NodeError;

    fn unit_variant(self) -> Result<(), NodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _seed: T) -> Result<T::Value, NodeError> {
        Err(NodeError::at(format!("'{}' needs more than a word", self.text), self.span))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, NodeError> {
        Err(NodeError::at(format!("'{}' needs more than a word", self.text), self.span))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, NodeError> {
        Err(NodeError::at(format!("'{}' needs more than a word", self.text), self.span))
    }
}

struct Items<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = NodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, NodeError> {
        let Some((index, item)) = self.items.next() else { return Ok(None) };
        seed.deserialize(item).map(Some).map_err(|error| error.or_at(item.span).under(&index.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = NodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, NodeError> {
        self.current = self.entries.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key = seed.deserialize(IntoDeserializer::<NodeError>::into_deserializer(entry.key.as_str()));
        key.map(Some).map_err(|error| error.or_at(entry.key_span).under(&entry.key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, NodeError> {
        let entry = self.current.take().expect("serde asks for a value only after its key");
        seed.deserialize(&entry.value).map_err(|error| error.or_at(entry.value.span).under(&entry.key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}
