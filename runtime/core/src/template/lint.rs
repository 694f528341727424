//! Likely slips in templates.

use minijinja::machinery::Token;

use super::{engine, is_template};
use crate::schedule::{Warning, WarningCode};
use crate::spec::JobSpec;

/// Interpreters that take what is inserted for a part of their language, and know the quotes of POSIX shells.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ksh", "zsh", "ash"];

/// Warns of parameters that a shell would read as a part of a command: whoever starts a run could make it do anything.
#[must_use]
pub fn lint(spec: &JobSpec) -> Vec<Warning> {
    let with = &spec.action.with;
    let text = |key: &str| with.get(key).and_then(serde_json::Value::as_str);
    let interpreter = text("interpreter").unwrap_or("sh");
    let is_shell = SHELLS.contains(&interpreter.rsplit('/').next().unwrap_or_default());
    let Some(command) = text("command").filter(|command| is_shell && is_template(command)) else { return Vec::new() };
    if spec.action.uses.plugin.as_str() != "shell" {
        return Vec::new();
    }
    let Ok(tokens) = engine::tokens(command) else { return Vec::new() };
    let inserted = tokens.split(|token| matches!(token, Token::VariableStart)).skip(1);
    let unquoted = inserted.filter_map(|tokens| {
        let end = tokens.iter().position(|token| matches!(token, Token::VariableEnd)).unwrap_or(tokens.len());
        unquoted(&tokens[..end], spec)
    });
    let name = unquoted.into_iter().next();
    name.map(|name| Warning {
        code: WarningCode::UnquotedParameter,
        pointer: "/action/with/command".to_owned(),
        message: format!("the shell reads 'params.{name}' as a part of the command, whatever it holds"),
        hint: format!("write {{{{ params.{name} | quote }}}}, or pass it in 'env' and write \"$NAME\""),
    })
    .into_iter()
    .collect()
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
