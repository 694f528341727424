//! Looking at a component before it is added: what it says of itself, and why it may be refused.

use sandglass_core::id::Digest;
use sandglass_core::plugin::{ActionInfo, Manifest};

/// What is known of a component that could be added.
#[derive(Clone, PartialEq, Debug)]
pub struct Inspection {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// What it says of itself in its custom section `sandglass:manifest`; guests in languages whose tools cannot write
    /// one have none.
    pub manifest: Option<Manifest>,
    /// Its actions, in its own order.
    pub actions: Vec<ActionInfo>,
}

/// Why a component was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedComponent {
    /// It is larger than components may be.
    #[error(
        "the component has {size} bytes and may have at most {limit}; build it for size, without debug information"
    )]
    TooLarge {
        /// Its size, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// It is no WebAssembly.
    #[error("the file is no WebAssembly component: {0}")]
    NotWasm(String),
    /// It is machine code that somebody compiled beforehand.
    #[error("the file is compiled machine code, which is never loaded; add the .wasm file that it was made from")]
    Precompiled,
    /// It is a core module.
    #[error(
        "the file is a core WebAssembly module; build it as a component, for example with the target wasm32-wasip2"
    )]
    CoreModule,
    /// It does not validate, or cannot be compiled.
    #[error("the component is malformed: {0}")]
    Malformed(String),
    /// It needs an interface that is not offered.
    #[error("the component imports {import}, which this version does not offer{hint}")]
    Import {
        /// The import's name.
        import: String,
        /// What to do, if there is something: begins with a separator.
        hint: String,
    },
    /// It lacks the export that makes it a plugin.
    #[error("the component does not export sandglass:plugin/action@0.1.0 as this version knows it: {0}")]
    NoAction(String),
    /// It needs more memories, tables or instances than a guest may have.
    #[error("the component needs more than a guest may have: {0}")]
    Resources(String),
    /// Its manifest cannot be understood.
    #[error("the component's sandglass:manifest section cannot be understood: {0}")]
    Manifest(String),
    /// It failed to describe itself.
    #[error("the component failed to describe its actions: {0}")]
    Describe(String),
    /// What it says of an action is wrong.
    #[error("the component describes the action '{action}' wrongly: {problem}")]
    Action {
        /// The action's name.
        action: String,
        /// What is wrong.
        problem: String,
    },
}

/// Something wrong with an action's parameters, as the plugin itself sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issue {
    /// JSON pointer (RFC 6901) into the parameters.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}
