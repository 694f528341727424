//! What a component's file says of itself, read without running any of it: the custom section `sandglass:manifest`.

use sandglass_core::plugin::Manifest;

const SECTION: &str = "sandglass:manifest";
/// The first eight bytes of a component, and of a core module.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
const MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";
/// How deeply modules may lie in components.
const MAX_DEPTH: usize = 8;

/// Why the file tells nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is no component at all.
    NotAComponent,
    /// It is a core module, which must be made a component first.
    CoreModule,
    /// It is cut off or damaged.
    Damaged,
    /// Its manifest cannot be understood.
    Manifest(String),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAComponent => f.write_str("it is not a WebAssembly component"),
            Self::CoreModule => f.write_str("it is a core module, not a component: build it for wasm32-wasip2"),
            Self::Damaged => f.write_str("it is cut off or damaged"),
            Self::Manifest(why) => write!(f, "its manifest cannot be understood: {why}"),
        }
    }
}

/// The manifest of the component in `bytes`; none if it has none, as components in other languages than Rust may.
pub(crate) fn manifest(bytes: &[u8]) -> Result<Option<Manifest>, Unreadable> {
    match bytes.get(..8) {
        Some(header) if header == COMPONENT => {}
        Some(header) if header == MODULE => return Err(Unreadable::CoreModule),
        _ => return Err(Unreadable::NotAComponent),
    }
    let Some(section) = find(bytes, 0)? else { return Ok(None) };
    serde_json::from_slice(section).map(Some).map_err(|error| Unreadable::Manifest(error.to_string()))
}

/// The manifest's section in a component or module, or in one that lies in it.
fn find(bytes: &[u8], depth: usize) -> Result<Option<&[u8]>, Unreadable> {
    let is_component = bytes.get(..8) == Some(&COMPONENT);
    let mut rest = bytes.get(8..).ok_or(Unreadable::Damaged)?;
    while let Some((&id, tail)) = rest.split_first() {
        let (size, tail) = number(tail)?;
        if size > tail.len() {
            return Err(Unreadable::Damaged);
        }
        let (section, tail) = tail.split_at(size);
        rest = tail;
        match id {
            0 => {
                let (length, name) = number(section)?;
                if name.get(..length) == Some(SECTION.as_bytes()) {
                    return Ok(Some(&name[length..]));
                }
            }
            // A nested module or component.
            1 | 4 if is_component && depth < MAX_DEPTH => {
                if let Some(found) = find(section, depth + 1)? {
                    return Ok(Some(found));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

/// A number in LEB128, and what follows it.
fn number(bytes: &[u8]) -> Result<(usize, &[u8]), Unreadable> {
    let mut value: u64 = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = usize::try_from(value).map_err(|_| Unreadable::Damaged)?;
            return Ok((value, &bytes[index + 1..]));
        }
    }
    Err(Unreadable::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let size = u8::try_from(content.len()).unwrap();
        assert!(size < 128, "one byte of LEB128");
        [&[id, size], content].concat()
    }

    #[test]
    fn a_manifest_is_found_inside_a_nested_module() {
        let json = br#"{"name":"a","version":"1.0.0"}"#;
        let custom = [&[18], b"sandglass:manifest".as_slice(), json].concat();
        let module = [&MODULE, section(0, &custom).as_slice()].concat();
        let component = [&COMPONENT, section(0, b"\x01x").as_slice(), &section(1, &module)].concat();
        let found = manifest(&component).unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.version.as_str()), ("a", "1.0.0"));
        for cut in 8..component.len() {
            let _ = manifest(&component[..cut]);
        }
        assert_eq!(manifest(&component[..component.len() - 1]), Err(Unreadable::Damaged));
    }

    #[test]
    fn what_is_no_component_is_told_apart() {
        assert_eq!(manifest(b"hello world"), Err(Unreadable::NotAComponent));
        assert_eq!(manifest(&MODULE), Err(Unreadable::CoreModule));
        assert_eq!(manifest(&COMPONENT), Ok(None));
    }
}
