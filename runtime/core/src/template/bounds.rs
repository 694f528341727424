//! What keeps a small template from becoming a large value.
//!
//! The engine counts steps, but one step may double a text. So nothing that grows may be given a name and used again:
//! there is no `set`, a `for` goes over what is there already, and what joins texts may be used a few times only. Whatever
//! is left grows at most by what the template's own length says.

use minijinja::machinery::Token;

use super::filters;
use crate::spelling::unknown;

/// The most tokens between the marks of one template.
const MAX_TOKENS: usize = 4000;
/// The most operators that join, and the most commas, of one template.
const MAX_JOINS: usize = 32;
const MAX_COMMAS: usize = 256;

/// Statements that a template may hold.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];
/// Tests after `is`.
pub(super) const TESTS: [&str; 3] = ["defined", "undefined", "none"];

/// Refuses what is unbounded or unknown among the tokens of a template; says why and what to do.
pub(super) fn check(tokens: &[Token<'_>]) -> Result<(), String> {
    if tokens.len() > MAX_TOKENS {
        return Err(format!("it is too long: {MAX_TOKENS} words and signs are allowed; put it into several"));
    }
    let count = |wanted: fn(&Token<'_>) -> bool| tokens.iter().filter(|token| wanted(token)).count();
    if count(|token| matches!(token, Token::Tilde | Token::Plus)) > MAX_JOINS {
        return Err(format!("it has too many '~' and '+': {MAX_JOINS} are allowed"));
    }
    if count(|token| matches!(token, Token::Comma)) > MAX_COMMAS {
        return Err(format!("it has too many commas: {MAX_COMMAS} are allowed"));
    }
    if tokens.iter().any(|token| matches!(token, Token::Mul)) {
        return Err(
            "'*' is not allowed, as it repeats texts: multiply with a filter, such as 'params.n | times(2)'".to_owned()
        );
    }
    for (index, pair) in tokens.windows(2).enumerate() {
        match pair {
            [Token::BlockStart, Token::Ident(word)] if !STATEMENTS.contains(word) => {
                return Err(format!("'{{% {word} %}}' is not allowed: there are if, for and raw"));
            }
            [Token::BlockStart, Token::Ident("for")] => check_for(&tokens[index + 2..])?,
            [Token::Pipe, Token::Ident(name)] if !filters::NAMES.contains(name) => {
                return Err(unknown("filter", name, &filters::NAMES));
            }
            [Token::Ident("is"), Token::Ident(name)] if *name != "not" && !TESTS.contains(name) => {
                return Err(unknown("test", name, &TESTS));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses a `for` that goes over something made by the template itself, but for lists of plain values.
fn check_for(tokens: &[Token<'_>]) -> Result<(), String> {
    let refused = || {
        Err("'for' goes over a value, such as 'params.names', or a list of plain values: nothing can be joined or \
             made in it"
            .to_owned())
    };
    let (mut before_is_value, mut in_list) = (false, false);
    for token in tokens {
        match token {
            Token::BlockEnd => break,
            Token::Tilde | Token::Plus | Token::BraceOpen | Token::Ident("recursive") => return refused(),
            Token::BracketOpen if in_list => return refused(),
            Token::BracketOpen if !before_is_value => in_list = true,
            Token::BracketClose => in_list = false,
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Float(_) | Token::Comma | Token::Minus => {}
            _ if in_list => return refused(),
            _ => {}
        }
        let is_word = matches!(token, Token::Ident(word) if *word != "in" && *word != "if");
        before_is_value = is_word || matches!(token, Token::BracketClose | Token::ParenClose);
    }
    Ok(())
}
