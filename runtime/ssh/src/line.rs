//! The command line that starts a program under a POSIX shell.
//!
//! What SSH runs is one text, which the account's shell reads. So every word is quoted, and a small script, the same for
//! all programs, takes what may not be seen from the standard input before the program gets it.

use zeroize::Zeroizing;

use crate::error::SshError;
use crate::program::Program;

/// Tells its process id, which the program will have; reads variables, a line each; changes into the folder; becomes the
/// program. `$1` is how many variables there are, `$2` the folder. A shell reads lines of its input a byte at a time, so
/// that the rest is left to the program.
/// Nothing but positions is used besides, so that no variable of the program's is in the way: `$1` becomes the line.
const ENTER: &str = "echo sandglass:$$; set -- \"\" \"$@\"; \
    while [ \"$2\" -gt 0 ]; do \
    IFS= read -r __sandglass_line || exit 255; __sandglass_line=$(printf '%bx' \"$__sandglass_line\"); \
    export \"${__sandglass_line%x}\"; __sandglass_left=$(($2-1)); shift 2; set -- \"\" \"$__sandglass_left\" \"$@\"; done; \
    unset __sandglass_line __sandglass_left; \
    if [ -n \"$3\" ]; then cd -- \"$3\" || exit 254; fi; shift 3; exec \"$@\"";

/// What stands before the process id, on a line of its own.
pub(crate) const MARK: &[u8] = b"sandglass:";

/// Sends the signal `$1` to the process group that the process `$2` is in, so that what it started gets it too.
const SIGNAL: &str = "if [ -r \"/proc/$2/stat\" ]; then IFS= read -r s < \"/proc/$2/stat\"; s=${s##*) }; set -- \"$1\" \"$2\" $s; g=$5; \
    else g=$(ps -o pgid= -p \"$2\" 2> /dev/null | tr -d ' '); fi; \
    if [ -n \"$g\" ]; then kill \"-$1\" \"-$g\"; else kill \"-$1\" \"$2\"; fi";

/// A command line, and what must come before the program's own input.
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) header: Zeroizing<Vec<u8>>,
}

/// The command line for `program`.
///
/// # Errors
///
/// If it has no program, or something that no shell can be told.
pub(crate) fn posix(program: &Program) -> Result<Line, SshError> {
    if program.argv.first().is_none_or(String::is_empty) {
        return Err(SshError::Invalid("there is no program to start".to_owned()));
    }
    let mut header = Zeroizing::new(Vec::new());
    for (name, value) in &program.env {
        if !is_variable(name) {
            return Err(SshError::Invalid(format!("'{name}' cannot be the name of an environment variable")));
        }
        header.extend(name.as_bytes());
        header.push(b'=');
        escape(name, value, &mut header)?;
        header.push(b'\n');
    }
    let count = program.env.len().to_string();
    let mut args = vec![count.as_str(), program.cwd.as_deref().unwrap_or_default()];
    args.extend(program.argv.iter().map(String::as_str));
    Ok(Line { text: script(program.run_as.as_deref(), ENTER, &args)?, header })
}

/// The command line that sends `signal` to the process `pid` and all in its group, as the account `run_as`.
pub(crate) fn signal(run_as: Option<&str>, signal: &str, pid: u32) -> Result<String, SshError> {
    script(run_as, SIGNAL, &[signal, &pid.to_string()])
}

/// The command line that runs a script of ours.
fn script(run_as: Option<&str>, script: &str, args: &[&str]) -> Result<String, SshError> {
    let mut words = match run_as {
        Some(account) => vec!["sudo", "-n", "-u", account, "--"],
        None => Vec::new(),
    };
    words.extend(["sh", "-c", script, "sh"]);
    words.extend(args);
    let mut text = String::new();
    for word in words {
        if word.contains('\0') {
            return Err(SshError::Invalid("a NUL character cannot be given to a program".to_owned()));
        }
        if !text.is_empty() {
            text.push(' ');
        }
        quote(word, &mut text);
    }
    Ok(text)
}

/// Whether a program can be given a variable of this name: some are a shell's own, which ends if one is set.
fn is_variable(name: &str) -> bool {
    const OWN: [&str; 6] = ["UID", "EUID", "PPID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"];
    if OWN.contains(&name) || name.starts_with("__sandglass_") {
        return false;
    }
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

/// As `printf '%b'` reads it, on one line.
fn escape(name: &str, value: &[u8], into: &mut Vec<u8>) -> Result<(), SshError> {
    for byte in value {
        match byte {
            0 => return Err(SshError::Invalid(format!("the environment variable {name} holds a NUL character"))),
            b'\n' => into.extend(b"\\n"),
            b'\\' => into.extend(b"\\\\"),
            // A shell that reads characters would take the end of the line with an incomplete one.
            0x80.. => into.extend(format!("\\0{byte:o}").bytes()),
            byte => into.push(*byte),
        }
    }
    Ok(())
}

/// One word for a POSIX shell, written so that fish, which reads backslashes between quotes, reads it alike.
fn quote(word: &str, into: &mut String) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        into.push_str(word);
        return;
    }
    into.push('\'');
    for character in word.chars() {
        match character {
            '\'' => into.push_str("'\"'\"'"),
            '\\' => into.push_str("'\"\\\\\"'"),
            other => into.push(other),
        }
    }
    into.push('\'');
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// What a real shell makes of it.
    fn run(program: &Program, input: &[u8]) -> String {
        let line = posix(program).unwrap();
        let mut shell =
            Command::new("sh").args(["-c", &line.text]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = shell.stdin.take().unwrap();
        stdin.write_all(&line.header).unwrap();
        stdin.write_all(input).unwrap();
        drop(stdin);
        let said = String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap();
        let (first, rest) = said.split_once('\n').unwrap();
        assert!(first.strip_prefix("sandglass:").unwrap().parse::<u32>().is_ok(), "{first}");
        rest.to_owned()
    }

    fn program(argv: &[&str]) -> Program {
        Program { argv: argv.iter().map(|word| (*word).to_owned()).collect(), ..Program::default() }
    }

    #[test]
    fn words_arrive_as_they_are() {
        let hostile = ["", "a b", "'", "''", "$(id)", "`id`", "\\", "a\nb", "*", "~", "!x", "\"", ";&|<>", "é"];
        let mut argv = vec!["printf", "[%s]"];
        argv.extend(hostile);
        let expected: String = hostile.iter().map(|word| format!("[{word}]")).collect();
        assert_eq!(run(&program(&argv), b""), expected);
    }

    #[test]
    fn variables_come_before_the_input_and_are_in_no_argument() {
        let value = b"a b\\n'\"$(id)\n\nlast\n".to_vec();
        let mut program = program(&["sh", "-c", "printf '%s|' \"$SECRET\" \"$EMPTY\"; cat"]);
        program.env =
            vec![("SECRET".to_owned(), Zeroizing::new(value.clone())), ("EMPTY".to_owned(), Zeroizing::default())];
        assert_eq!(run(&program, b"the input\n"), format!("{}||the input\n", String::from_utf8(value).unwrap()));
        assert!(!posix(&program).unwrap().text.contains("id"));
    }

    #[test]
    fn a_variable_may_have_any_name_and_any_bytes() {
        let mut given = program(&["sh", "-c", "printf '%s|' \"$n\" \"$d\" \"$l\" \"$v\" \"$g\" \"$LAST\"; cat; pwd"]);
        let names = [("n", "0"), ("d", "/etc"), ("l", "x"), ("v", "1.2"), ("g", "caf\u{e9}"), ("LAST", "end")];
        given.env = names.map(|(name, value)| (name.to_owned(), Zeroizing::new(value.as_bytes().to_vec()))).into();
        given.cwd = Some("/".to_owned());
        assert_eq!(run(&given, b"input\n"), "0|/etc|x|1.2|caf\u{e9}|end|input\n/\n");
        given.env = vec![
            ("A".to_owned(), Zeroizing::new(b"caf\xe9".to_vec())),
            ("B".to_owned(), Zeroizing::new(b"b".to_vec())),
        ];
        given.argv[2] = "printf '%s|%s|' \"${#A}\" \"$B\"; cat".to_owned();
        assert_eq!(run(&given, b"input"), "4|b|input");
        for name in ["UID", "PPID", "__sandglass_line"] {
            given.env = vec![(name.to_owned(), Zeroizing::default())];
            assert!(posix(&given).is_err(), "{name}");
        }
    }

    #[test]
    fn the_folder_is_entered() {
        let mut in_root = program(&["pwd"]);
        in_root.cwd = Some("/".to_owned());
        assert_eq!(run(&in_root, b""), "/\n");
        in_root.cwd = Some("/no such folder".to_owned());
        assert_eq!(run(&in_root, b""), "");
    }

    #[test]
    fn an_account_is_switched_to_by_sudo() {
        let mut as_root = program(&["id"]);
        as_root.run_as = Some("root".to_owned());
        assert!(posix(&as_root).unwrap().text.starts_with("sudo -n -u root -- sh -c "));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let mut wrong = program(&["true"]);
        for name in ["", "A B", "1A", "A=B", "A\n"] {
            wrong.env = vec![(name.to_owned(), Zeroizing::default())];
            assert!(posix(&wrong).is_err(), "{name}");
        }
        wrong.env = vec![("A".to_owned(), Zeroizing::new(vec![0]))];
        assert!(posix(&wrong).is_err());
        assert!(posix(&program(&["a\0"])).is_err() && posix(&program(&[])).is_err() && posix(&program(&[""])).is_err());
    }
}
