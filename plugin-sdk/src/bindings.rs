//! The bindings generated from `wit/`: one world for what every plugin imports, one for each capability.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::semicolon_if_nothing_returned,
    clippy::wildcard_imports,
    reason = "generated code, which is as its generator writes it"
)]

wit_bindgen::generate!({
    path: "../wit",
    inline: r"
        package sandglass:sdk-base;
        world plugin {
            include sandglass:plugin/base@0.1.0;
            import wasi:clocks/monotonic-clock@0.2.12;
            import wasi:io/poll@0.2.12;
            import wasi:io/streams@0.2.12;
        }
    ",
    world: "sandglass:sdk-base/plugin",
    pub_export_macro: true,
    default_bindings_module: "sandglass_plugin::bindings",
    generate_all,
});

/// What the capabilities `process`, `docker` and `remote` have in common.
#[cfg(any(feature = "process", feature = "docker", feature = "remote"))]
pub mod exec {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-exec;
            world plugin { import sandglass:plugin/exec@0.1.0; }
        ",
        world: "sandglass:sdk-exec/plugin",
        with: {
            "sandglass:plugin/types@0.1.0": crate::bindings::sandglass::plugin::types,
            "wasi:io/error@0.2.12": crate::bindings::wasi::io::error,
            "wasi:io/poll@0.2.12": crate::bindings::wasi::io::poll,
            "wasi:io/streams@0.2.12": crate::bindings::wasi::io::streams,
        },
        generate_all,
    });
}

/// The interface of the capability `docker`.
#[cfg(feature = "docker")]
pub mod docker {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-docker;
            world plugin { import sandglass:plugin/docker@0.1.0; }
        ",
        world: "sandglass:sdk-docker/plugin",
        with: {
            "sandglass:plugin/types@0.1.0": crate::bindings::sandglass::plugin::types,
            "sandglass:plugin/exec@0.1.0": crate::bindings::exec::sandglass::plugin::exec,
            "wasi:clocks/monotonic-clock@0.2.12": crate::bindings::wasi::clocks::monotonic_clock,
            "wasi:io/error@0.2.12": crate::bindings::wasi::io::error,
            "wasi:io/poll@0.2.12": crate::bindings::wasi::io::poll,
            "wasi:io/streams@0.2.12": crate::bindings::wasi::io::streams,
        },
        generate_all,
    });
}

/// The interface of the capability `process`.
#[cfg(feature = "process")]
pub mod process {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-process;
            world plugin { import sandglass:plugin/process@0.1.0; }
        ",
        world: "sandglass:sdk-process/plugin",
        with: {
            "sandglass:plugin/types@0.1.0": crate::bindings::sandglass::plugin::types,
            "sandglass:plugin/exec@0.1.0": crate::bindings::exec::sandglass::plugin::exec,
            "wasi:clocks/monotonic-clock@0.2.12": crate::bindings::wasi::clocks::monotonic_clock,
            "wasi:io/error@0.2.12": crate::bindings::wasi::io::error,
            "wasi:io/poll@0.2.12": crate::bindings::wasi::io::poll,
            "wasi:io/streams@0.2.12": crate::bindings::wasi::io::streams,
        },
        generate_all,
    });
}

/// The interfaces of the capabilities `secrets` and `reveal`.
#[cfg(feature = "secrets")]
pub mod secrets {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-secrets;
            world plugin {
                import sandglass:plugin/secrets@0.1.0;
                import sandglass:plugin/secrets-reveal@0.1.0;
            }
        ",
        world: "sandglass:sdk-secrets/plugin",
        with: { "sandglass:plugin/types@0.1.0": crate::bindings::sandglass::plugin::types },
        generate_all,
    });
}

/// The interface of the capability `state`.
#[cfg(feature = "state")]
pub mod state {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-state;
            world plugin { import sandglass:plugin/state@0.1.0; }
        ",
        world: "sandglass:sdk-state/plugin",
        with: {
            "sandglass:plugin/types@0.1.0": crate::bindings::sandglass::plugin::types,
            "wasi:clocks/monotonic-clock@0.2.12": crate::bindings::wasi::clocks::monotonic_clock,
            "wasi:io/poll@0.2.12": crate::bindings::wasi::io::poll,
        },
        generate_all,
    });
}

/// The interface of the capability `remote`.
#[cfg(feature = "remote")]
pub mod remote {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-remote;
            world plugin { import sandglass:plugin/remote@0.1.0; }
        ",
        world: "sandglass:sdk-remote/plugin",
        with: {
            "sandglass:plugin/types@0.1.0": crate::bindings::sandglass::plugin::types,
            "sandglass:plugin/exec@0.1.0": crate::bindings::exec::sandglass::plugin::exec,
            "wasi:clocks/monotonic-clock@0.2.12": crate::bindings::wasi::clocks::monotonic_clock,
            "wasi:io/error@0.2.12": crate::bindings::wasi::io::error,
            "wasi:io/poll@0.2.12": crate::bindings::wasi::io::poll,
            "wasi:io/streams@0.2.12": crate::bindings::wasi::io::streams,
        },
        generate_all,
    });
}

/// The interface of the capability `mail`.
#[cfg(feature = "mail")]
pub mod mail {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-mail;
            world plugin { import sandglass:plugin/mail@0.1.0; }
        ",
        world: "sandglass:sdk-mail/plugin",
        with: { "sandglass:plugin/types@0.1.0": crate::bindings::sandglass::plugin::types },
        generate_all,
    });
}

/// The interface by which requests of the capability `http` choose certificates.
#[cfg(feature = "http")]
pub mod tls {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-tls;
            world plugin { import sandglass:plugin/tls@0.1.0; }
        ",
        world: "sandglass:sdk-tls/plugin",
        with: { "sandglass:plugin/types@0.1.0": crate::bindings::sandglass::plugin::types },
        additional_derives: [PartialEq, Eq],
        generate_all,
    });
}

/// The interface of the capability `artifacts`.
#[cfg(feature = "artifacts")]
pub mod artifacts {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-artifacts;
            world plugin { import sandglass:plugin/artifacts@0.1.0; }
        ",
        world: "sandglass:sdk-artifacts/plugin",
        with: { "sandglass:plugin/types@0.1.0": crate::bindings::sandglass::plugin::types },
        generate_all,
    });
}

/// The interfaces of the capability `http`.
#[cfg(feature = "http")]
pub mod http {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-http;
            world plugin { import wasi:http/outgoing-handler@0.2.12; }
        ",
        world: "sandglass:sdk-http/plugin",
        with: {
            "wasi:clocks/monotonic-clock@0.2.12": crate::bindings::wasi::clocks::monotonic_clock,
            "wasi:io/error@0.2.12": crate::bindings::wasi::io::error,
            "wasi:io/poll@0.2.12": crate::bindings::wasi::io::poll,
            "wasi:io/streams@0.2.12": crate::bindings::wasi::io::streams,
        },
        generate_all,
    });
}

/// The interface that plugins export which can say what a run would do.
#[cfg(feature = "plan")]
pub mod planner {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r"
            package sandglass:sdk-planner;
            world planning-plugin { export sandglass:plugin/planner@0.1.0; }
        ",
        world: "sandglass:sdk-planner/planning-plugin",
        pub_export_macro: true,
        default_bindings_module: "sandglass_plugin::bindings::planner",
        with: { "sandglass:plugin/types@0.1.0": crate::bindings::sandglass::plugin::types },
        generate_all,
    });
}
