//! Where a compiler for components comes from.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bounded::run_bounded;

/// The target that plugins are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// Debian's packages that together build components where rustup's servers are out of reach.
pub const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "rust-web-src", "libstd-rust-web-dev", "wasi-libc"];

/// The environment variable that settles which toolchain is used: `target` or `debian`.
pub const TOOLCHAIN_VARIABLE: &str = "SANDGLASS_WASM_TOOLCHAIN";

/// How long a compiler may take to say something about itself.
const QUESTION: Duration = Duration::from_secs(30);
/// How long fetching the target through rustup may take.
const DOWNLOAD: Duration = Duration::from_secs(120);
/// Older compilers than this one, by minor version, do not build the workspace.
const OLDEST_MINOR: u32 = 95;

/// A compiler for components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toolchain {
    /// The compiler that builds everything else has the target's standard library.
    Target,
    /// Debian's compiler, which builds the standard library from source.
    Debian(DebianParts),
}

/// What is needed of Debian's packages, and of the toolchain beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebianParts {
    /// The compiler.
    pub rustc: PathBuf,
    /// The folder with the C library and the start files.
    pub libc: PathBuf,
    /// The folder with `wasm-component-ld`, which comes with rustup's toolchain.
    pub linker: PathBuf,
}

/// No toolchain was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no compiler for WebAssembly components was found. Either of these helps:\n  \
     rustup target add {TARGET}\n  \
     apt-get install -y --no-install-recommends {packages}   (Debian)\n\
     `cargo xtask setup` does what works on this machine. What was tried:\n  {tried}",
    packages = DEBIAN_PACKAGES.join(" "),
    tried = .tried.join("\n  ")
)]
pub struct Missing {
    /// What was looked for, and what was found wrong with it.
    pub tried: Vec<String>,
}

impl Toolchain {
    /// The first toolchain that works, in this order: the compiler's own target, Debian's packages if they are all there,
    /// and else the target fetched through rustup. Answers at once when one of the first two is there.
    ///
    /// # Errors
    /// When there is none; the message says what helps.
    pub fn find() -> Result<Self, Missing> {
        match Self::find_installed() {
            Ok(toolchain) => Ok(toolchain),
            Err(mut missing) if env::var_os(TOOLCHAIN_VARIABLE).is_none() => match add_target() {
                Ok(()) => Ok(Self::Target),
                Err(why) => {
                    missing.tried.push(why);
                    Err(missing)
                }
            },
            Err(missing) => Err(missing),
        }
    }

    /// A toolchain that is there without fetching anything.
    ///
    /// # Errors
    /// When there is none.
    pub fn find_installed() -> Result<Self, Missing> {
        let wanted = env::var(TOOLCHAIN_VARIABLE).unwrap_or_default();
        let mut tried = Vec::new();
        if wanted != "debian" {
            match has_target() {
                Ok(()) => return Ok(Self::Target),
                Err(why) => tried.push(why),
            }
        }
        if wanted != "target" {
            match debian() {
                Ok(parts) => return Ok(Self::Debian(parts)),
                Err(why) => tried.push(why),
            }
        }
        Err(Missing { tried })
    }

    /// In words, for progress lines.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Target => format!("the compiler's own target {TARGET}"),
            Self::Debian(parts) => format!("Debian's compiler {}", parts.rustc.display()),
        }
    }
}

/// Fetches the target through rustup, in bounded time.
///
/// # Errors
/// In words, why it did not work.
pub fn add_target() -> Result<(), String> {
    run_bounded(Command::new("rustup").args(["target", "add", TARGET]), DOWNLOAD)
        .map_err(|error| format!("rustup target add {TARGET}: {error}"))?;
    has_target()
}

/// Whether the compiler that builds everything else has the target's standard library.
fn has_target() -> Result<(), String> {
    let folder = ask(&own_rustc(), &["--print", "target-libdir", "--target", TARGET])?;
    let entries =
        std::fs::read_dir(&folder).map_err(|_| format!("the compiler has no target {TARGET}: no {folder}"))?;
    let has_std = entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"));
    if has_std { Ok(()) } else { Err(format!("the compiler has no target {TARGET}: no libstd in {folder}")) }
}

fn debian() -> Result<DebianParts, String> {
    let rustc = PathBuf::from("/usr/bin/rustc");
    let version = ask(&rustc, &["--version"])?;
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).unwrap_or(0);
    if minor < OLDEST_MINOR {
        return Err(format!("{} is too old: {version}", rustc.display()));
    }
    let sysroot = PathBuf::from(ask(&rustc, &["--print", "sysroot"])?);
    exists(&sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml"))?;
    let libc = PathBuf::from("/usr/lib/wasm32-wasi");
    exists(&libc.join("libc.a"))?;
    exists(&libc.join("crt1-reactor.o"))?;
    Ok(DebianParts { rustc, libc, linker: component_linker()? })
}

/// The folder that holds `wasm-component-ld`: in the sysroot of the compiler that builds everything else, or on the path.
fn component_linker() -> Result<PathBuf, String> {
    const LINKER: &str = "wasm-component-ld";
    let own = own_rustc();
    let sysroot = PathBuf::from(ask(&own, &["--print", "sysroot"])?);
    let version = ask(&own, &["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned();
    let own_folder = sysroot.join("lib/rustlib").join(host).join("bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = std::iter::once(own_folder).chain(env::split_paths(&path));
    folders
        .find(|folder| folder.join(LINKER).is_file())
        .ok_or_else(|| format!("{LINKER} comes with rustup's toolchain"))
}

/// The compiler that builds everything else.
fn own_rustc() -> PathBuf {
    env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")).into()
}

fn ask(rustc: &Path, question: &[&str]) -> Result<String, String> {
    let answer = run_bounded(Command::new(rustc).args(question), QUESTION).map_err(|error| error.to_string())?;
    Ok(answer.trim().to_owned())
}

fn exists(path: &Path) -> Result<(), String> {
    if path.exists() { Ok(()) } else { Err(format!("there is no {}", path.display())) }
}
