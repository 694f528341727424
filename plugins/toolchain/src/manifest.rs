//! The manifest of components that other languages' tools made.

/// The custom section that holds a plugin's manifest.
pub const MANIFEST_SECTION: &str = "sandglass:manifest";

/// Adds a manifest to a component. A custom section may stand at the end of any component (WebAssembly core
/// specification, section 5.5.3), so that nothing else of it needs to be read.
#[must_use]
pub fn add_manifest(mut component: Vec<u8>, manifest: &[u8]) -> Vec<u8> {
    const CUSTOM: u8 = 0;
    let mut content = Vec::with_capacity(manifest.len() + 32);
    push_length(&mut content, MANIFEST_SECTION.len());
    content.extend_from_slice(MANIFEST_SECTION.as_bytes());
    content.extend_from_slice(manifest);
    component.push(CUSTOM);
    push_length(&mut component, content.len());
    component.extend_from_slice(&content);
    component
}

/// Unsigned LEB128.
fn push_length(bytes: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::add_manifest;

    #[test]
    fn a_section_is_appended() {
        let bytes = add_manifest(vec![9], &[b'x'; 200]);
        assert_eq!(bytes[..4], [9, 0, 0xdb, 0x01]);
        assert_eq!(&bytes[4..23], b"\x12sandglass:manifest");
        assert_eq!(bytes.len(), 23 + 200);
    }
}
