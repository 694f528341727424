//! Reading a component's bytes before anything of it is compiled: what kind of file it is, its manifest, and whether it begins
//! with code.

use sandglass_core::plugin::Manifest;
use wasmparser::{Encoding, Parser, Payload};

use crate::inspect::RefusedComponent;

/// The custom section that holds a plugin's manifest.
const MANIFEST: &str = "sandglass:manifest";
/// The most that a component may have, in bytes.
const SIZE: u64 = 64 << 20;
/// The most that a manifest may have, in bytes.
const MANIFEST_SIZE: usize = 64 << 10;

/// What is read.
#[derive(PartialEq, Debug)]
pub(super) struct Sections {
    /// Its manifest, if it has one.
    pub(super) manifest: Option<Manifest>,
    /// Whether a module in it has a start function, so that making an instance runs code of the component.
    pub(super) begins_with_code: bool,
}

/// Refuses what is not a component, and reads what it tells.
///
/// The section of the manifest may be the component's own or, as compilers write it, one of a module inside it.
pub(super) fn read(wasm: &[u8]) -> Result<Sections, RefusedComponent> {
    let size = wasm.len() as u64;
    if size > SIZE {
        return Err(RefusedComponent::TooLarge { size, limit: SIZE });
    }
    if wasmtime::Engine::detect_precompiled(wasm).is_some() {
        return Err(RefusedComponent::Precompiled);
    }
    if !wasm.starts_with(b"\0asm") {
        let text = wasm.trim_ascii_start().starts_with(b"(");
        let what = if text { "it is WebAssembly text; convert it first" } else { "it does not begin as one" };
        return Err(RefusedComponent::NotWasm(what.to_owned()));
    }
    let (mut manifest, mut begins_with_code) = (None, false);
    let mut first = true;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| RefusedComponent::Malformed(error.to_string()))? {
            Payload::Version { encoding: Encoding::Module, .. } if first => {
                return Err(RefusedComponent::CoreModule);
            }
            Payload::Version { .. } => first = false,
            Payload::CustomSection(section) if section.name() == MANIFEST => {
                let one = parse(section.data())?;
                if manifest.replace(one).is_some() {
                    return Err(RefusedComponent::Manifest("there are two of them".to_owned()));
                }
            }
            Payload::StartSection { .. } | Payload::ComponentStartSection { .. } => begins_with_code = true,
            _ => {}
        }
    }
    Ok(Sections { manifest, begins_with_code })
}

fn parse(data: &[u8]) -> Result<Manifest, RefusedComponent> {
    if data.len() > MANIFEST_SIZE {
        let problem = format!("it has {} bytes and may have at most {MANIFEST_SIZE}", data.len());
        return Err(RefusedComponent::Manifest(problem));
    }
    serde_json::from_slice(data).map_err(|error| RefusedComponent::Manifest(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn what_is_no_component_is_refused() {
        assert!(matches!(read(b""), Err(RefusedComponent::NotWasm(_))));
        assert!(matches!(read(b"(component)"), Err(RefusedComponent::NotWasm(_))));
        assert!(matches!(read(b"\0asm"), Err(RefusedComponent::Malformed(_))));
        assert_eq!(read(&component("(module)")), Err(RefusedComponent::CoreModule));
        assert!(matches!(read(&vec![0; SIZE as usize + 1]), Err(RefusedComponent::TooLarge { .. })));
        let nothing = Sections { manifest: None, begins_with_code: false };
        assert_eq!(read(&component("(component)")), Ok(nothing));
    }

    #[test]
    fn start_functions_are_found_at_any_depth() {
        let begins =
            |module: &str| read(&component(&format!("(component (component {module}))"))).unwrap().begins_with_code;
        assert!(begins("(core module (func $f) (start $f))"));
        assert!(!begins("(core module (memory 1) (data (i32.const 0) \"x\") (func $f))"));
    }

    #[test]
    fn the_manifest_is_found_at_any_depth() {
        let manifest = r#"{\22name\22: \22hello\22, \22version\22: \221.0.0\22}"#;
        for text in [
            format!("(component (@custom \"{MANIFEST}\" \"{manifest}\"))"),
            format!("(component (core module (@custom \"{MANIFEST}\" \"{manifest}\")))"),
        ] {
            assert_eq!(read(&component(&text)).unwrap().manifest.unwrap().name.as_str(), "hello");
        }
        let twice = format!(
            "(component (@custom \"{MANIFEST}\" \"{manifest}\") (core module (@custom \"{MANIFEST}\" \"{manifest}\")))"
        );
        assert!(matches!(read(&component(&twice)), Err(RefusedComponent::Manifest(_))));
        let bad = format!("(component (@custom \"{MANIFEST}\" \"nonsense\"))");
        assert!(matches!(read(&component(&bad)), Err(RefusedComponent::Manifest(_))));
    }
}
