//! Finding or installing what building and testing need. Says what it does, and does nothing when all is there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use sandglass_guest_build::{DEBIAN_PACKAGES, Missing, Toolchain, add_target};
use sandglass_test_guests::{GuestError, componentize_js, componentize_py, tools_dir};

use crate::{Result, run};

const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js@~0.23.0";
const COMPONENTIZE_PY: &str = "componentize-py==0.25.*";
/// Schedulers that ours is compared with, of the versions whose rules the tests know, and the time zone database of the
/// release that is compiled into the program.
const REFERENCES: [&str; 3] = ["cronsim==2.8", "croniter==7.0.0", "tzdata==2025.2"];

/// What every build needs: a compiler for components.
pub(crate) fn build_tools() -> Result {
    let mut missing = match Toolchain::find_installed() {
        Ok(toolchain) => {
            say(&format!("components are built with {}", toolchain.describe()));
            return Ok(());
        }
        Err(missing) => missing,
    };
    say("no compiler for components yet: asking rustup for its target");
    match add_target() {
        Ok(()) => say("rustup installed its target"),
        Err(why) => {
            say(&format!("that did not work: {why}"));
            missing.tried.push(why);
            debian_packages(&mut missing)?;
        }
    }
    let toolchain = Toolchain::find_installed()?;
    say(&format!("components are built with {}", toolchain.describe()));
    Ok(())
}

/// Debian's packages with a compiler for components.
fn debian_packages(missing: &mut Missing) -> Result {
    debian(&DEBIAN_PACKAGES).map_err(|error| {
        missing.tried.push(error.to_string());
        missing.clone().into()
    })
}

/// Installs packages of Debian, as root or through sudo.
pub(crate) fn debian(packages: &[&str]) -> Result {
    if !answers("apt-get", &["--version"]) {
        return Err("apt-get: this is no Debian".into());
    }
    let root = answers("sh", &["-c", "test \"$(id -u)\" = 0"]);
    if !root && !answers("sudo", &["-n", "true"]) {
        return Err("apt-get: needs root, or sudo without a password".into());
    }
    let apt_get = || {
        let mut command = Command::new(if root { "apt-get" } else { "sudo" });
        if !root {
            command.arg("apt-get");
        }
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    say(&format!("installing with apt-get: {}", packages.join(" ")));
    let install =
        |command: &mut Command| run::program(command.args(["install", "-y", "--no-install-recommends"]).args(packages));
    if install(&mut apt_get()).is_ok() {
        return Ok(());
    }
    say("that did not work: fetching the lists of packages first");
    run::program(apt_get().arg("update"))?;
    install(&mut apt_get())
}

/// A container engine, and what the one image of the tests is made of.
const ENGINE: [&str; 2] = ["docker.io", "busybox-static"];

/// Another engine with the same interface, and what runs its containers.
const PODMAN: [&str; 3] = ["podman", "runc", "conmon"];

/// SSH servers, and what switches accounts on them.
const SSH: [&str; 2] = ["openssh-server", "sudo"];

/// What tests need beyond that: the tools for guests in JavaScript and Python, schedulers in Python to compare ours with,
/// container engines and SSH servers. Without them, those tests are skipped.
pub(crate) fn test_tools() -> Result {
    let tools = tools_dir();
    fs::create_dir_all(&tools)?;
    tool("componentize-js", componentize_js().as_deref(), || javascript_tool(&tools))?;
    tool("componentize-py", componentize_py().as_deref(), || python_tool(&tools, "python", &[COMPONENTIZE_PY]))?;
    let python = tools.join("reference/bin/python");
    let there = answers(&python.to_string_lossy(), &["-c", "import cronsim, croniter, tzdata"]);
    let found = there.then_some(python.as_path());
    tool("reference schedulers", found, || python_tool(&tools, "reference", &REFERENCES))?;
    let engine = answers("dockerd", &["--version"]) && answers("busybox", &["true"]);
    let found = engine.then_some(Path::new("dockerd"));
    tool("container engine", found, || Ok(debian(&ENGINE).inspect_err(|why| say(&why.to_string())).is_ok()))?;
    let found = answers("podman", &["--version"]).then_some(Path::new("podman"));
    tool("Podman", found, || Ok(debian(&PODMAN).inspect_err(|why| say(&why.to_string())).is_ok()))?;
    let sshd = Path::new("/usr/sbin/sshd");
    let found = (sshd.exists() && answers("sudo", &["--version"])).then_some(sshd);
    tool("SSH server", found, || Ok(debian(&SSH).inspect_err(|why| say(&why.to_string())).is_ok()))
}

fn tool(name: &str, found: Option<&Path>, install: impl FnOnce() -> Result<bool>) -> Result {
    if let Some(path) = found {
        say(&format!("{name} is there: {}", path.display()));
    } else {
        say(&format!("installing {name}"));
        if !install()? {
            say(&format!("{name} cannot be had here; the tests that need it are skipped"));
        }
    }
    Ok(())
}

/// False when there is no npm.
fn javascript_tool(tools: &Path) -> Result<bool> {
    if !answers("npm", &["--version"]) {
        return Ok(false);
    }
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(tools);
    run::program(npm.arg(COMPONENTIZE_JS))?;
    Ok(true)
}

/// Installs packages for one purpose. False when there is no Python with its venv.
fn python_tool(tools: &Path, purpose: &str, packages: &[&str]) -> Result<bool> {
    let folder = tools.join(purpose);
    if !answers("python3", &["-c", "import venv, ensurepip"]) {
        return Ok(false);
    }
    run::program(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run::program(Command::new(folder.join("bin/python")).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    Ok(true)
}

/// Builds the test guests, each only if its sources have changed.
pub(crate) fn guests() -> Result {
    type Guest = fn() -> std::result::Result<std::path::PathBuf, GuestError>;
    let guests: [(&str, Guest); 5] = [
        ("noop", sandglass_test_guests::noop),
        ("hostile", sandglass_test_guests::hostile),
        ("user", sandglass_test_guests::user),
        ("javascript", sandglass_test_guests::javascript),
        ("python", sandglass_test_guests::python),
    ];
    for (name, build) in guests {
        say(&format!("building the guest {name}"));
        match build() {
            Ok(path) => {
                let kilobytes = fs::metadata(&path)?.len() / 1000;
                say(&format!("{name}: {kilobytes} kB, {}", path.display()));
            }
            Err(error @ GuestError::NoTool { .. }) => say(&format!("{name}: skipped: {error}")),
            Err(error) => return Err(Box::new(error)),
        }
    }
    Ok(())
}

/// Whether a program is there and says yes.
fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let silent = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

fn say(line: &str) {
    eprintln!("setup: {line}");
}
