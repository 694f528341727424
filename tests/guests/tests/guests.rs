//! Every test guest can be built, and is a component that says who it is.

use std::fs;
use std::path::PathBuf;

use sandglass_test_guests::GuestError;

/// What a component begins with (component model, binary format), other than a core module.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn check(name: &str, guest: Result<PathBuf, GuestError>) {
    let path = match guest {
        Ok(path) => path,
        Err(error @ GuestError::NoTool { .. }) => {
            eprintln!("skipped: {name}: {error}");
            return;
        }
        Err(error) => panic!("{name} cannot be built: {error}"),
    };
    let bytes = fs::read(&path).expect("the guest was just built");
    assert!(bytes.starts_with(COMPONENT), "{name} is no component");
    let manifest = b"sandglass:manifest";
    assert!(bytes.windows(manifest.len()).any(|window| window == manifest), "{name} has no manifest");
}

#[test]
fn noop_is_a_component() {
    check("noop", sandglass_test_guests::noop());
}

#[test]
fn hostile_is_a_component() {
    check("hostile", sandglass_test_guests::hostile());
}

#[test]
fn user_is_a_component() {
    check("user", sandglass_test_guests::user());
}

#[test]
fn javascript_is_a_component() {
    check("javascript", sandglass_test_guests::javascript());
}

#[test]
fn python_is_a_component() {
    check("python", sandglass_test_guests::python());
}
