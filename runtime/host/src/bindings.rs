//! The Rust face of the WIT package: generated from `wit/`, with `wasi:*` types taken from wasmtime's own crates.
//!
//! The world is the host's own, so that plugins of any world that uses these interfaces fit it: only the export is
//! required of a plugin, and only what it imports is looked up.

mod generated {
    #![allow(missing_docs, unreachable_pub, reason = "generated code")]
    #![allow(clippy::all, reason = "generated code")]

    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package sandglass:host;
            world plugin {
                import sandglass:plugin/types@0.1.0;
                import sandglass:plugin/exec@0.1.0;
                import sandglass:plugin/logging@0.1.0;
                import sandglass:plugin/progress@0.1.0;
                import sandglass:plugin/run-context@0.1.0;
                import sandglass:plugin/process@0.1.0;
                import sandglass:plugin/docker@0.1.0;
                import sandglass:plugin/remote@0.1.0;
                import sandglass:plugin/secrets@0.1.0;
                import sandglass:plugin/secrets-reveal@0.1.0;
                import sandglass:plugin/state@0.1.0;
                import sandglass:plugin/mail@0.1.0;
                import sandglass:plugin/tls@0.1.0;
                import sandglass:plugin/artifacts@0.1.0;
                export sandglass:plugin/action@0.1.0;
            }
        ",
        world: "sandglass:host/plugin",
        imports: {
            "sandglass:plugin/logging.enabled": trappable,
            "sandglass:plugin/progress.report": trappable,
            "sandglass:plugin/run-context": trappable,
            "sandglass:plugin/process.platform": trappable,
            default: async | trappable,
        },
        exports: { default: async },
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "sandglass:plugin/exec.task": crate::capability::exec::Task,
            "sandglass:plugin/remote.operation": crate::capability::remote::Operation,
            "sandglass:plugin/remote.session": crate::capability::remote::Session,
            "sandglass:plugin/secrets.secret": crate::capability::secrets::Secret,
        },
        trappable_error_type: {
            "sandglass:plugin/types.error" => crate::capability::CallError,
        },
        require_store_data_send: true,
    });
}

pub(crate) use generated::exports::sandglass::plugin::action;
pub(crate) use generated::sandglass::plugin::{
    artifacts, docker, exec, logging, mail, process, progress, remote, run_context, secrets, secrets_reveal, state,
    tls, types,
};
pub(crate) use generated::{Plugin, PluginPre};

/// What a plugin may export besides. In a world of its own, as it is looked up in those only that have it.
mod planning {
    #![allow(missing_docs, unreachable_pub, reason = "generated code")]
    #![allow(clippy::all, reason = "generated code")]

    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package sandglass:host-planning;
            world planning { export sandglass:plugin/planner@0.1.0; }
        ",
        world: "sandglass:host-planning/planning",
        exports: { default: async },
        with: { "sandglass:plugin/types": super::generated::sandglass::plugin::types },
        require_store_data_send: true,
    });
}

pub(crate) use planning::PlanningPre;
pub(crate) use planning::exports::sandglass::plugin::planner;
