//! The built-in plugins: components that the build script made from source, embedded in the program.

/// A plugin that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// The name that jobs use.
    pub name: &'static str,
    /// The component.
    pub wasm: &'static [u8],
}

/// Every built-in plugin.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn { name: "shell", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/shell.wasm")) },
    BuiltIn { name: "http", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/http.wasm")) },
    BuiltIn { name: "notify", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/notify.wasm")) },
    BuiltIn { name: "docker", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/docker.wasm")) },
    BuiltIn { name: "deploy", wasm: include_bytes!(concat!(env!("OUT_DIR"), "/deploy.wasm")) },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The most that a built-in plugin may have, in bytes: each is compiled on the first start, and is in every program.
    const MOST: usize = 300_000;

    #[test]
    fn built_in_plugins_stay_small() {
        for built_in in BUILT_IN {
            let (name, bytes) = (built_in.name, built_in.wasm.len());
            assert!(bytes <= MOST, "the plugin {name} has {bytes} bytes, {} too many", bytes - MOST);
        }
    }
}
