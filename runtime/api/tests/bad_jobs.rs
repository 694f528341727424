//! Every file in `bad-jobs` is refused with exactly the words beside it. `UPDATE_EXPECTED=1` writes those words anew.

use std::path::{Path, PathBuf};

use sandglass_api::jobfile::{Format, parse};

fn bad_jobs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-jobs");
    let entries = std::fs::read_dir(folder).expect("the folder comes with the crate");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| Format::of_path(path).is_some()).collect();
    paths.sort();
    paths
}

#[test]
fn bad_job_files_are_refused_in_the_expected_words() {
    let paths = bad_jobs();
    assert!(paths.len() > 20, "the folder is not complete");
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are plain");
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        let format = Format::of_path(&path).expect("filtered above");
        let errors = parse(&text, format, name).expect_err(name);
        let words: Vec<String> = errors.iter().map(|error| format!("{error}\n")).collect();
        let words = words.join("\n");
        let beside = path.with_file_name(format!("{name}.txt"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&beside, &words).expect("the folder can be written");
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if words != expected {
            wrong.push(format!("{name}: expected\n{expected}\nbut the words are\n{words}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
