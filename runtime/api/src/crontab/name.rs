//! Names for jobs that had none.

use std::collections::{HashMap, HashSet};

use sandglass_core::id::JobName;

const LONGEST: usize = 60;
/// Words before the program that a command is about.
const BEFORE: [&str; 16] = [
    "sudo", "nice", "ionice", "nohup", "timeout", "flock", "exec", "env", "test", "[", "cd", "sh", "bash", "python",
    "python3", "perl",
];

/// Names that are taken.
#[derive(Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// The last number behind each.
    numbers: HashMap<String, usize>,
}

impl Names {
    /// A name for the command of a line: after the program that it is about.
    pub(super) fn next(&mut self, command: &str, line: usize) -> String {
        let name = of_command(command).unwrap_or_else(|| format!("line-{line}"));
        if self.taken.insert(name.clone()) {
            return name;
        }
        let number = self.numbers.entry(name.clone()).or_insert(1);
        loop {
            *number += 1;
            let numbered = format!("{name}-{number}");
            if self.taken.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

fn of_command(command: &str) -> Option<String> {
    let words = command.split(|c: char| c.is_whitespace() || "&|;()<>".contains(c)).filter(|word| !word.is_empty());
    let base = |word: &str| word.trim_matches(['"', '\'']).rsplit('/').next().unwrap_or_default().to_owned();
    let is_about =
        |word: &&str| !word.contains('=') && !word.starts_with(['-', '$']) && !BEFORE.contains(&base(word).as_str());
    let about = words.filter(is_about);
    // A number is an argument of what is passed over, and so is the folder that a command begins in.
    let is_program = |word: &&str| !word.starts_with(|c: char| c.is_ascii_digit());
    let mut programs = about.filter(is_program);
    let first = programs.next()?;
    let in_folder = command.trim_start().starts_with("cd ");
    let word = if in_folder { programs.next().unwrap_or(first) } else { first };
    let slug: String = base(word).chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let slug = slug.trim_matches('-').chars().take(LONGEST).collect::<String>().to_ascii_lowercase();
    slug.parse::<JobName>().is_ok().then_some(slug)
}
