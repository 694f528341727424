//! How interpreters are told to run a text.

/// The option with which an interpreter runs the text that follows it.
///
/// An interpreter may be given by path; what counts is the last part of it. A version number at the end is ignored, so that
/// `python3.12` is Python. Interpreters that are not known are taken for shells, which agree on `-c` (POSIX `sh`).
pub(crate) fn text_option(interpreter: &str) -> &'static str {
    let name = interpreter.rsplit('/').next().unwrap_or(interpreter);
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    match name {
        "node" | "nodejs" | "bun" | "perl" | "ruby" | "lua" | "Rscript" | "osascript" => "-e",
        "php" => "-r",
        "pwsh" | "powershell" => "-Command",
        _ => "-c",
    }
}
