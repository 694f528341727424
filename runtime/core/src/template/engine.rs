//! The engine: one template read, looked at and evaluated.

use std::collections::BTreeSet;
use std::io::Write;

use chrono_tz::Tz;
use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::{bounds, filters};

/// What a template is as a whole.
pub(super) enum Shape<'a> {
    /// One expression and nothing else: it keeps its kind.
    Expression(&'a str),
    /// A text with values in it.
    Text,
}

/// What is left of an attempt's bounds.
pub(super) struct Budget {
    /// In steps of the engine.
    pub(super) steps: u64,
    /// In bytes.
    pub(super) output: usize,
}

/// Comments would be another meaning for `{#`, which shells know as `${#name}`.
fn syntax() -> SyntaxConfig {
    let mut builder = SyntaxConfig::builder();
    builder.comment_delimiters("{\u{1}", "\u{1}}").keep_trailing_newline(true);
    builder.build().expect("the marks are different from each other")
}

/// The parts of `text` between the marks, without their places.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    tokenize(text, false, syntax()).map(|read| read.map(|(token, _)| token).map_err(|error| words(&error))).collect()
}

impl<'a> Shape<'a> {
    /// Reads `text` and looks at its bounds. Fails with what is wrong, in words.
    pub(super) fn of(text: &'a str) -> Result<Self, String> {
        let read: Result<Vec<_>, Error> = tokenize(text, false, syntax()).collect();
        let (tokens, spans): (Vec<Token<'_>>, Vec<_>) = read.map_err(|error| words(&error))?.into_iter().unzip();
        bounds::check(&tokens)?;
        let starts = tokens.iter().filter(|token| matches!(token, Token::VariableStart)).count();
        let inner = match (tokens.first(), tokens.last(), spans.first(), spans.last()) {
            (Some(Token::VariableStart), Some(Token::VariableEnd), Some(first), Some(last)) if starts == 1 => {
                text.get(first.end_offset as usize..last.start_offset as usize)
            }
            _ => None,
        };
        Ok(inner.map_or(Self::Text, Self::Expression))
    }
}

/// An engine with our filters; `zone` is that of dates.
pub(super) fn environment<'a>(zone: Tz) -> Environment<'a> {
    let mut environment = Environment::empty();
    environment.set_syntax(syntax());
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_formatter(|out, _, value| {
        let text = text_of(value)?;
        out.write_str(&text).map_err(Error::from)
    });
    filters::add(&mut environment, zone);
    environment
}

/// A value as it stands in a text: texts as they are, nothing for none, and JSON for lists and maps.
fn text_of(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::new(ErrorKind::UndefinedError, "a value is not there")),
        ValueKind::None => Ok(String::new()),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => filters::json(value),
        _ => Ok(value.to_string()),
    }
}

/// The names that `text` uses without making them: `params.target`, `run.id`, `namespace`.
pub(super) fn names(environment: &Environment<'_>, text: &str) -> Result<BTreeSet<String>, String> {
    let template = environment.template_from_str(text).map_err(|error| words(&error))?;
    Ok(template.undeclared_variables(true).into_iter().collect())
}

/// Fills in `text` with what is in `values`.
pub(super) fn evaluate(text: &str, values: &Value, zone: Tz, budget: &mut Budget) -> Result<serde_json::Value, String> {
    match Shape::of(text)? {
        Shape::Expression(inner) => expression(inner, values, zone, budget),
        Shape::Text => evaluate_text(text, values, zone, budget).map(serde_json::Value::String),
    }
}

fn expression(inner: &str, values: &Value, zone: Tz, budget: &mut Budget) -> Result<serde_json::Value, String> {
    let mut environment = environment(zone);
    environment.set_fuel(Some(budget.steps));
    let compiled = environment.compile_expression(inner).map_err(|error| words(&error))?;
    let value = compiled.eval(values.clone()).map_err(|error| words(&error))?;
    // An expression does not repeat anything: it has no more steps than characters.
    budget.steps = budget.steps.saturating_sub(inner.len() as u64);
    if value.is_undefined() {
        return Err("it comes to a value that is not there; give one with the filter 'default'".to_owned());
    }
    let mut out = Limited::new(budget.output);
    let written = serde_json::to_writer(&mut out, &value);
    if out.is_over {
        return Err(too_large());
    }
    written.map_err(|error| error.to_string())?;
    budget.output -= out.bytes.len();
    serde_json::from_slice(&out.bytes).map_err(|error| error.to_string())
}

/// As [`evaluate`], but always to a text.
pub(super) fn evaluate_text(text: &str, values: &Value, zone: Tz, budget: &mut Budget) -> Result<String, String> {
    Shape::of(text)?;
    let mut environment = environment(zone);
    environment.set_fuel(Some(budget.steps));
    let template = environment.template_from_str(text).map_err(|error| words(&error))?;
    let mut out = Limited::new(budget.output);
    let rendered = template.render_captured_to(values.clone(), &mut out);
    if out.is_over {
        return Err(too_large());
    }
    let captured = rendered.map_err(|error| words(&error))?;
    if let Some((used, _)) = captured.state().fuel_levels() {
        budget.steps = budget.steps.saturating_sub(used);
    }
    budget.output -= out.bytes.len();
    String::from_utf8(out.bytes).map_err(|error| error.to_string())
}

fn too_large() -> String {
    format!("what the job's templates come to is larger than {} MiB", super::MAX_OUTPUT >> 20)
}

/// What the engine says, without its own frame.
pub(super) fn words(error: &Error) -> String {
    let line = error.line().filter(|line| *line > 1).map(|line| format!(" (in line {line} of the text)"));
    let what = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => format!(
            "it takes more than the {} steps that all templates of a job have: let a program do this",
            super::MAX_STEPS
        ),
        (ErrorKind::UndefinedError, None) => {
            "it uses a value that is not there; give one with the filter 'default'".to_owned()
        }
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    };
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{what}{}{}", cause.unwrap_or_default(), line.unwrap_or_default())
}

/// Takes bytes up to a limit.
pub(super) struct Limited {
    pub(super) bytes: Vec<u8>,
    pub(super) is_over: bool,
    limit: usize,
}

impl Limited {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), is_over: false, limit }
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.limit - self.bytes.len() {
            self.is_over = true;
            return Err(std::io::Error::other("it is too large"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
