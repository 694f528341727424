//! Scripts: put into the run's own folder, and given to what runs them.

use std::fs::{self, File};
use std::io::Read;

use sandglass_plugin::process::{Command, locate};
use sandglass_plugin::{Failure, PLACEHOLDER, files};

use crate::interpreter::Interpreter;

/// The script's file in the run's own folder, but for how its name ends.
const NAME: &str = ".sandglass-script";
/// The most that a script's file may have to be copied, in bytes.
const SIZE: u64 = 4 << 20;

/// Runs a script's text from a file, as every interpreter takes one: with arguments, and with its own standard input.
pub(crate) fn run_text(
    text: &str,
    args: &[String],
    interpreter: Option<Interpreter>,
    platform: &str,
) -> Result<Vec<Command>, Failure> {
    if text.contains(PLACEHOLDER) {
        let message = "a secret in a script would stand in a file; list it under `secrets`, and the script has it in a \
                       variable of its name";
        return Err(Failure::new("secret", message).never_retry());
    }
    let interpreter = interpreter.or_else(|| Interpreter::of_script(text));
    let interpreter = interpreter.unwrap_or_else(|| Interpreter::default_of(platform));
    let name = format!("{NAME}{}", interpreter.suffix());
    // Asked first, as it says what is missing if there is no folder.
    let path = locate(&files::in_work(&name))?;
    fs::write(files::work().join(&name), text)
        .map_err(|error| Failure::new("script", format!("the script cannot be put into the run's folder: {error}")))?;
    Ok(interpreter.run_file(&path, args))
}

/// Runs a script's file: a copy of it if it can be seen from here, else the file itself.
pub(crate) fn run_file(
    path: &str,
    args: &[String],
    interpreter: Option<Interpreter>,
    platform: &str,
) -> Result<Vec<Command>, Failure> {
    match (File::open(path), interpreter) {
        (Ok(file), interpreter) => {
            let text = read(file).map_err(|why| Failure::new("script", format!("{path:?} cannot be run: {why}")))?;
            run_text(&text, args, interpreter, platform)
        }
        (Err(_), Some(interpreter)) => Ok(interpreter.run_file(path, args)),
        (Err(_), None) => Ok(vec![Command::new(path).args(args.to_vec())]),
    }
}

/// The text of a script's file, if it can be seen from here.
pub(crate) fn seen(path: &str) -> Option<String> {
    File::open(path).ok().and_then(|file| read(file).ok())
}

fn read(file: File) -> Result<String, String> {
    let mut bytes = Vec::new();
    file.take(SIZE + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > SIZE {
        return Err("a script has at most 4 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "a script is text in UTF-8".to_owned())
}
