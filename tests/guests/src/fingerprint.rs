//! Whether sources have changed since a guest was built.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// More files than this are no guest's sources but a mistake.
const MOST_FILES: usize = 5000;

/// A number that changes when a file under one of the sources appears, goes, or gets another content.
pub(crate) fn of(root: &Path, sources: &[&str]) -> io::Result<u64> {
    let mut files = Vec::new();
    for source in sources {
        collect(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if files.len() > MOST_FILES {
        return Err(io::Error::other("too many source files"));
    }
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        // What tools leave beside the sources is none of them.
        if !path.ends_with("__pycache__") && !path.ends_with("node_modules") {
            collect(&path, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    #[test]
    fn a_change_of_content_changes_the_number() {
        let root = std::env::temp_dir().join(format!("sandglass-fingerprint-{}", std::process::id()));
        fs::create_dir_all(root.join("src")).expect("a folder can be made");
        fs::write(root.join("src/a"), "1").expect("a file can be written");
        let before = super::of(&root, &["src"]).expect("the folder can be read");
        assert_eq!(super::of(&root, &["src"]).expect("the folder can be read"), before);
        fs::write(root.join("src/a"), "2").expect("a file can be written");
        assert_ne!(super::of(&root, &["src"]).expect("the folder can be read"), before);
        fs::remove_dir_all(&root).expect("the folder can be removed");
    }
}
