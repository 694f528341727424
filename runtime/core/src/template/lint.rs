//! Likely slips in templates.

use minijinja::machinery::Token;
use serde_json::{Map, Value};

use super::{engine, is_template};
use crate::schedule::{Warning, WarningCode};
use crate::spec::JobSpec;

/// Interpreters that take what is inserted for a part of their language, and know the quotes of POSIX shells.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ksh", "zsh", "ash"];

/// Warns of parameters that a shell would read as a part of a command: whoever starts a run could make it do anything.
#[must_use]
pub fn lint(spec: &JobSpec) -> Vec<Warning> {
    if spec.action.uses.plugin.as_str() != "shell" {
        return Vec::new();
    }
    let texts = texts(&spec.action.with);
    texts.into_iter().filter_map(|(pointer, text)| warning(&pointer, text, spec)).collect()
}

/// The commands that a POSIX shell reads, with where they are.
fn texts(with: &Map<String, Value>) -> Vec<(String, &str)> {
    let of = |with: &'_ Map<String, Value>| with.get("interpreter").and_then(Value::as_str).map(str::to_owned);
    let common = of(with);
    let is_shell = |interpreter: Option<&str>| {
        let program = interpreter.unwrap_or("sh").split_whitespace().next().unwrap_or_default();
        SHELLS.contains(&program.rsplit('/').next().unwrap_or_default())
    };
    let mut texts = Vec::new();
    for key in ["command", "command_linux", "command_macos"] {
        if let Some(text) = with.get(key).and_then(Value::as_str).filter(|_| is_shell(common.as_deref())) {
            texts.push((format!("/action/with/{key}"), text));
        }
    }
    if let Some(text) = with.get("script").and_then(Value::as_str) {
        // As in `#!/usr/bin/env bash`: the last word that is a program's name tells who reads the rest.
        let first = text.lines().next().and_then(|line| line.strip_prefix("#!"));
        let named = first.and_then(|line| line.split_whitespace().rfind(|word| !word.starts_with('-')));
        if is_shell(common.as_deref().or(named)) {
            texts.push(("/action/with/script".to_owned(), text));
        }
    }
    let commands = with.get("commands").and_then(Value::as_array).into_iter().flatten().enumerate();
    for (index, command) in commands {
        let (place, text, own) = match command {
            Value::Object(step) => ("/command", step.get("command").and_then(Value::as_str), of(step)),
            text => ("", text.as_str(), None),
        };
        if let Some(text) = text.filter(|_| is_shell(own.or_else(|| common.clone()).as_deref())) {
            texts.push((format!("/action/with/commands/{index}{place}"), text));
        }
    }
    texts
}

fn warning(pointer: &str, text: &str, spec: &JobSpec) -> Option<Warning> {
    if !is_template(text) {
        return None;
    }
    let tokens = engine::tokens(text).ok()?;
    let mut inserted = tokens.split(|token| matches!(token, Token::VariableStart)).skip(1);
    let name = inserted.find_map(|tokens| {
        let end = tokens.iter().position(|token| matches!(token, Token::VariableEnd)).unwrap_or(tokens.len());
        unquoted(&tokens[..end], spec)
    })?;
    Some(Warning {
        code: WarningCode::UnquotedParameter,
        pointer: pointer.to_owned(),
        message: format!("the shell reads 'params.{name}' as a part of the command, whatever it holds"),
        hint: format!("write {{{{ params.{name} | quote }}}}, or pass it in 'env' and write \"$NAME\""),
    })
}

/// A parameter that an expression inserts without quotes, if what it holds could be anything.
fn unquoted<'a>(tokens: &[Token<'a>], spec: &JobSpec) -> Option<&'a str> {
    let is_quoted = tokens.windows(2).any(|pair| matches!(pair, [Token::Pipe, Token::Ident("quote")]));
    if is_quoted {
        return None;
    }
    tokens.windows(3).find_map(|part| match part {
        [Token::Ident("params"), Token::Dot, Token::Ident(name)] => {
            spec.parameters.get(name).is_some_and(|parameter| !parameter.is_plain()).then_some(*name)
        }
        _ => None,
    })
}
