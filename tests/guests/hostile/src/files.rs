//! An action that tries to do with files what it was not granted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sandglass_plugin::{Action, Context, Failure, Outcome, output, params};

/// The folders that the test made.
#[params]
pub(crate) struct Folders {
    /// Granted read-only; has the file `file` and the folder `folder`.
    read: PathBuf,
    /// Granted read-write; has the links `out` and `absolute` to a file outside, and the named pipe `pipe`.
    write: PathBuf,
    /// Not granted; has the file `secret`.
    outside: PathBuf,
    /// Does nothing but write where it may only read, and fails if it cannot.
    #[serde(default)]
    insist: bool,
}

/// What came of it.
#[output]
#[derive(Default)]
pub(crate) struct Found {
    /// What should work and did not, with the reason.
    failed: Vec<String>,
    /// What should not work and did.
    broken: Vec<String>,
}

impl Found {
    fn can<T>(&mut self, what: &str, tried: io::Result<T>) {
        if let Err(error) = tried {
            self.failed.push(format!("{what}: {error}"));
        }
    }

    fn cannot<T>(&mut self, what: &str, tried: io::Result<T>) {
        if tried.is_ok() {
            self.broken.push(what.to_owned());
        }
    }
}

pub(crate) struct BreakOut;

impl Action for BreakOut {
    const NAME: &'static str = "break-out";
    const TITLE: &'static str = "break-out";
    const DESCRIPTION: &'static str = "Uses its folders, and tries to write where it may not and to leave them.";
    type Params = Folders;
    type Output = Found;

    fn run(folders: Folders, _: &Context) -> Result<Outcome<Found>, Failure> {
        let mut found = Found::default();
        if folders.insist {
            let written = fs::write(folders.read.join("folder/new"), "x");
            return match written {
                Ok(()) => Ok(Outcome::output(found)),
                Err(error) => Err(Failure::new("io", error.to_string())),
            };
        }
        use_own(&mut found, &folders);
        write_read_only(&mut found, &folders.read, &folders.write);
        leave(&mut found, &folders);
        Ok(Outcome::output(found))
    }
}

fn use_own(found: &mut Found, folders: &Folders) {
    let work = Path::new("work");
    found.can("listing work", fs::read_dir(work));
    found.can("writing in work", fs::write(work.join("a"), "a"));
    found.can("making a folder in work", fs::create_dir(work.join("folder")));
    found.can("renaming in work", fs::rename(work.join("a"), work.join("folder/b")));
    found.can("linking in work", fs::hard_link(work.join("folder/b"), work.join("c")));
    found.can("reading in work", read(&work.join("c")));
    found.can("reading what was granted", read(&folders.read.join("file")));
    found.can("listing what was granted", fs::read_dir(&folders.read));
    found.can("writing where it was granted", fs::write(folders.write.join("new"), "new"));
}

fn write_read_only(found: &mut Found, folder: &Path, elsewhere: &Path) {
    let file = folder.join("file");
    found.cannot("writing", OpenOptions::new().write(true).open(&file));
    found.cannot("appending", OpenOptions::new().append(true).open(&file));
    found.cannot("truncating", File::create(&file));
    found.cannot("creating", File::create(folder.join("new")));
    found.cannot("cutting what is open for reading", File::open(&file).and_then(|file| file.set_len(0)));
    found.cannot("writing what is open for reading", File::open(&file).and_then(|mut file| file.write_all(b"x")));
    found.cannot("making a folder", fs::create_dir(folder.join("made")));
    found.cannot("removing a folder", fs::remove_dir(folder.join("folder")));
    found.cannot("removing a file", fs::remove_file(&file));
    found.cannot("renaming", fs::rename(&file, folder.join("renamed")));
    found.cannot("moving out", fs::rename(&file, elsewhere.join("moved")));
    found.cannot("moving in", fs::rename(elsewhere.join("new"), folder.join("moved")));
    found.cannot("linking in", fs::hard_link(elsewhere.join("new"), folder.join("linked")));
    // Through the link the file itself could be written.
    found.cannot("linking out", fs::hard_link(&file, elsewhere.join("linked")));
    found.cannot("linking symbolically", symlink("file", &folder.join("link")));
}

fn leave(found: &mut Found, folders: &Folders) {
    let Folders { read: granted, write, outside, .. } = folders;
    found.cannot("reading what was not granted", read(&outside.join("secret")));
    found.cannot("reading a file of the system", read(Path::new("/etc/passwd")));
    found.cannot("stepping upwards", read(&granted.join("../outside/secret")));
    found.cannot("stepping down and up", read(&granted.join("folder/../../outside/secret")));
    found.cannot("following a link", read(&write.join("out")));
    found.cannot("following an absolute link", read(&write.join("absolute")));
    found.cannot("writing through a link", OpenOptions::new().append(true).open(write.join("out")));
    found.cannot("linking to what was not granted", fs::hard_link(outside.join("secret"), write.join("mine")));
    found.cannot("making an absolute link", symlink("/etc", &write.join("etc")));
    // The link may be made, but leads nowhere.
    let _ = symlink("../outside", &write.join("up"));
    found.cannot("following a link that it made", read(&write.join("up/secret")));
    found.cannot("making a file behind a link", File::create(write.join("up/new")));
    found.cannot("opening a pipe to read", File::open(write.join("pipe")));
    found.cannot("opening a pipe to write", OpenOptions::new().write(true).open(write.join("pipe")));
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[allow(deprecated, reason = "the newer functions are not stable for this target")]
fn symlink(to: &str, at: &Path) -> io::Result<()> {
    fs::soft_link(to, at)
}
