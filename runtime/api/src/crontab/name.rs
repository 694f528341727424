//! Names for jobs that had none.

use std::collections::HashSet;

use sandglass_core::id::JobName;

const LONGEST: usize = 60;
/// Words before the program that a command is about.
const BEFORE: [&str; 16] = [
    "sudo", "nice", "ionice", "nohup", "timeout", "flock", "exec", "env", "test", "[", "cd", "sh", "bash", "python",
    "python3", "perl",
];

/// Names that are taken.
#[derive(Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name for the command of a line: after the program that it is about.
    pub(super) fn next(&mut self, command: &str, line: usize) -> String {
        let name = of_command(command).unwrap_or_else(|| format!("line-{line}"));
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !self.0.contains(name));
        let name = free.expect("there is no end of numbers");
        self.0.insert(name.clone());
        name
    }
}

fn of_command(command: &str) -> Option<String> {
    let words = command.split(|c: char| c.is_whitespace() || "&|;()<>".contains(c)).filter(|word| !word.is_empty());
    let base = |word: &str| word.trim_matches(['"', '\'']).rsplit('/').next().unwrap_or_default().to_owned();
    let is_about =
        |word: &&str| !word.contains('=') && !word.starts_with(['-', '$']) && !BEFORE.contains(&base(word).as_str());
    let about = words.filter(is_about);
    // Rather a program by its path than a word that may be an argument of what is passed over; of a folder that the command
    // begins in, the program in it.
    let is_program = |word: &&str| word.parse::<f64>().is_err();
    let mut programs = about.filter(is_program);
    let first = programs.next()?;
    let in_folder = command.trim_start().starts_with("cd ");
    let word = if in_folder { programs.next().unwrap_or(first) } else { first };
    let slug: String = base(word).chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let slug = slug.trim_matches('-').chars().take(LONGEST).collect::<String>().to_ascii_lowercase();
    slug.parse::<JobName>().is_ok().then_some(slug)
}
