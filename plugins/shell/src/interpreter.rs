//! How interpreters are told to run a text or a script's file.

use sandglass_plugin::process::Command;

/// What runs a text or a script: a program with arguments of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interpreter {
    program: String,
    args: Vec<String>,
}

/// How a family of interpreters is used.
struct Usage {
    /// The names of the family's programs. Where one is missing, another serves as well.
    names: &'static [&'static str],
    /// What comes before a text.
    text: &'static [&'static str],
    /// What comes before the path of a script's file.
    file: &'static [&'static str],
    /// How the name of a script's file must end, as some programs want it.
    suffix: &'static str,
}

const USAGES: &[Usage] = &[
    usage(&["python", "python3"], &["-c"]),
    usage(&["node", "nodejs"], &["-e"]),
    usage(&["perl"], &["-e"]),
    usage(&["ruby"], &["-e"]),
    usage(&["lua"], &["-e"]),
    usage(&["bun"], &["-e"]),
    usage(&["Rscript"], &["-e"]),
    usage(&["osascript"], &["-e"]),
    usage(&["php"], &["-r"]),
    Usage { file: &["run"], suffix: ".ts", ..usage(&["deno"], &["eval"]) },
    Usage {
        names: &["pwsh", "powershell"],
        text: &["-NoProfile", "-NonInteractive", "-Command"],
        file: &["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"],
        suffix: ".ps1",
    },
    Usage { names: &["cmd"], text: &["/D", "/C"], file: &["/D", "/C"], suffix: ".cmd" },
];

/// Shells agree on `-c` (POSIX `sh`), and who is not known is taken for one.
const SHELL: Usage = usage(&[], &["-c"]);

const fn usage(names: &'static [&'static str], text: &'static [&'static str]) -> Usage {
    Usage { names, text, file: &[], suffix: "" }
}

impl Interpreter {
    /// A name such as `bash`, or an absolute path; words after it are arguments.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut words = text.split_whitespace().map(str::to_owned);
        let program = words.next().unwrap_or_default();
        let is_path = program.starts_with('/') || program.get(1..3).is_some_and(|start| start == ":\\");
        if program.is_empty() || (program.contains('/') && !is_path) {
            return Err("expected a name such as bash, or an absolute path; words after it are its arguments");
        }
        Ok(Self { program, args: words.collect() })
    }

    /// What the first line of a script names, as in `#!/usr/bin/env python3`.
    pub(crate) fn of_script(script: &str) -> Option<Self> {
        let line = script.lines().next()?.strip_prefix("#!")?.trim();
        let line = match line.split_once(char::is_whitespace) {
            Some((program, rest)) if program.ends_with("/env") => {
                rest.trim_start().trim_start_matches("-S ").trim_start()
            }
            _ => line,
        };
        Self::parse(line).ok()
    }

    /// What runs commands if nobody says.
    pub(crate) fn default_of(platform: &str) -> Self {
        let program = if platform == "windows" { "cmd" } else { "sh" };
        Self { program: program.to_owned(), args: Vec::new() }
    }

    /// Its program, as it was named.
    pub(crate) fn program(&self) -> &str {
        &self.program
    }

    /// Runs a text.
    pub(crate) fn run_text(&self, text: &str) -> Vec<Command> {
        self.commands(|usage| usage.text.iter().copied().chain([text]).map(str::to_owned).collect())
    }

    /// Runs a script's file.
    pub(crate) fn run_file(&self, path: &str, args: &[String]) -> Vec<Command> {
        self.commands(|usage| {
            let before = usage.file.iter().map(|&word| word.to_owned());
            before.chain([path.to_owned()]).chain(args.iter().cloned()).collect()
        })
    }

    /// How the name of a script's file must end.
    pub(crate) fn suffix(&self) -> &'static str {
        self.usage().suffix
    }

    /// One command for each program that would serve, the wanted one first.
    fn commands(&self, rest: impl Fn(&Usage) -> Vec<String>) -> Vec<Command> {
        let usage = self.usage();
        let others = usage.names.iter().filter(|_| usage.names.contains(&self.program.as_str()));
        let others = others.filter(|name| **name != self.program).map(|name| (*name).to_owned());
        let programs = std::iter::once(self.program.clone()).chain(others);
        programs.map(|program| Command::new(program).args(self.args.clone()).args(rest(usage))).collect()
    }

    /// An interpreter may be given by path, and with a version, as in `/usr/bin/python3.12`.
    fn usage(&self) -> &'static Usage {
        let name = self.program.rsplit(['/', '\\']).next().unwrap_or_default();
        let name = name.strip_suffix(".exe").unwrap_or(name);
        let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        USAGES.iter().find(|usage| usage.names.contains(&bare)).unwrap_or(&SHELL)
    }
}
