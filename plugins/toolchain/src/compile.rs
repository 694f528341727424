//! The nested cargo call that builds a plugin.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::find::{TARGET, Toolchain};

/// How plugins are linked, whatever compiles them: enough memory that none is asked for at the start, which is two to three
/// times as fast, and a bounded stack.
const LINK_ARGUMENTS: [&str; 2] = ["--initial-memory=2097152", "-zstack-size=524288"];

/// What is built: a plugin, or a program with a `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Artifact {
    /// A library of crate type `cdylib` that exports actions.
    #[default]
    Plugin,
    /// A program.
    Program,
}

/// Why a plugin was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Cargo could not be started.
    #[error("cargo could not be started")]
    Start(#[source] std::io::Error),
    /// Cargo said no.
    #[error("building {package} for {TARGET} failed:\n{output}")]
    Failed {
        /// The package.
        package: String,
        /// What cargo wrote.
        output: String,
    },
    /// Cargo succeeded, but there is no component.
    #[error("building {package} left no component at {path}; is its crate type `cdylib`?")]
    NoComponent {
        /// The package.
        package: String,
        /// Where the component was looked for.
        path: PathBuf,
    },
}

/// One package to be built as a component.
#[derive(Debug, Clone)]
pub struct Build {
    /// The folder with the workspace's, or the only, `Cargo.toml`.
    pub root: PathBuf,
    /// The package's name.
    pub package: String,
    /// What it is.
    pub artifact: Artifact,
    /// Cargo's profile.
    pub profile: String,
    /// A target folder of its own: sharing the outer cargo's would wait for its lock for ever.
    pub target_dir: PathBuf,
    /// Cargo's messages go to standard error as they come, instead of into the error.
    pub show_progress: bool,
}

impl Build {
    /// A plugin of a workspace, in the workspace's profile `plugin`.
    #[must_use]
    pub fn plugin(root: &Path, package: &str, target_dir: &Path) -> Self {
        Self {
            root: root.to_owned(),
            package: package.to_owned(),
            artifact: Artifact::Plugin,
            profile: "plugin".to_owned(),
            target_dir: target_dir.to_owned(),
            show_progress: false,
        }
    }

    /// Builds the package and answers where its component is.
    ///
    /// # Errors
    /// When cargo fails or leaves no component.
    pub fn run(&self, toolchain: &Toolchain) -> Result<PathBuf, BuildError> {
        let mut command = self.command(toolchain);
        if self.show_progress {
            command.stderr(Stdio::inherit());
        }
        let output = command.stdin(Stdio::null()).output().map_err(BuildError::Start)?;
        if !output.status.success() {
            let output = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(BuildError::Failed { package: self.package.clone(), output });
        }
        let path = self.component();
        if fs::exists(&path).unwrap_or(false) {
            Ok(path)
        } else {
            Err(BuildError::NoComponent { package: self.package.clone(), path })
        }
    }

    /// The cargo call itself, for whoever wants to show it.
    #[must_use]
    pub fn command(&self, toolchain: &Toolchain) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        scrub(&mut command);
        command.current_dir(&self.root).arg("build").args(["--target", TARGET]);
        command.args(["--package", &self.package, "--profile", &self.profile]);
        command.arg("--target-dir").arg(&self.target_dir);
        match self.artifact {
            Artifact::Plugin => command.arg("--lib"),
            Artifact::Program => command.arg("--bins"),
        };
        let mut flags: Vec<OsString> = Vec::new();
        if let Toolchain::Debian(parts) = toolchain {
            command.args(["-Z", "build-std=std,panic_abort"]);
            command.env("RUSTC", &parts.rustc).env("RUSTC_BOOTSTRAP", "1");
            command.env("PATH", path_with(&[&parts.linker, &parts.linker.join("gcc-ld")]));
            let start = match self.artifact {
                Artifact::Plugin => "crt1-reactor.o",
                Artifact::Program => "crt1-command.o",
            };
            let mut native = OsString::from("-Lnative=");
            native.push(&parts.libc);
            let mut crt = OsString::from("-Clink-arg=");
            crt.push(parts.libc.join(start));
            flags.extend([native, crt, OsString::from("-Clink-self-contained=no")]);
        }
        flags.extend(LINK_ARGUMENTS.iter().map(|argument| OsString::from(format!("-Clink-arg={argument}"))));
        flags.extend(source_folders().iter().map(|folder| {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(folder);
            flag.push("=");
            flag
        }));
        // Unrolled, the rounds of SHA-256 take eight times the room, which a guest has better use for.
        flags.extend(["--cfg", "sha2_backend_soft=\"compact\""].map(OsString::from));
        // Cargo's own separator, so that a path with spaces stays one flag.
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join(&OsString::from("\u{1f}")));
        command
    }

    fn component(&self) -> PathBuf {
        let profile = if self.profile == "dev" { "debug" } else { &self.profile };
        let name = match self.artifact {
            Artifact::Plugin => self.package.replace('-', "_"),
            Artifact::Program => self.package.clone(),
        };
        self.target_dir.join(TARGET).join(profile).join(format!("{name}.wasm"))
    }
}

/// Where cargo keeps the sources of dependencies. Their names for places where a guest may panic are left out of it: they tell
/// of the machine that it was built on, and there are many.
fn source_folders() -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let entries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let mut folders: Vec<PathBuf> = entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

/// Takes away what an outer cargo, or the user's settings for the outer build, would impose on the nested one.
fn scrub(command: &mut Command) {
    const IMPOSED: [&str; 7] = [
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "CARGO_ENCODED_RUSTFLAGS",
    ];
    const FAMILIES: [&str; 7] =
        ["CARGO_BUILD_", "CARGO_TARGET_", "CARGO_PROFILE_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_", "DEP_"];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if IMPOSED.contains(&&*text) || FAMILIES.iter().any(|family| text.starts_with(family)) {
            command.env_remove(&name);
        }
    }
}

fn path_with(folders: &[&Path]) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let all = folders.iter().map(|folder| folder.to_path_buf()).chain(env::split_paths(&path));
    // Only a folder with the separator in its name cannot be joined; then the path stays as it is.
    env::join_paths(all).unwrap_or(path)
}
