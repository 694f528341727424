//! What a guest's store holds on the host's side.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::attempt::Attempt;
use crate::capability::http::Egress;
use crate::capability::stdio::GuestOutput;
use crate::limiter::Limiter;
use sandglass_core::output::OutputStream;

/// The most host objects (streams, requests, processes, …) that a guest may hold at once.
const TABLE_CAPACITY: usize = 1024;
/// The most random bytes that a guest gets at once.
const RANDOM_SIZE: u64 = 1 << 20;
/// The most that the fields of one HTTP message may have, in bytes.
const HTTP_FIELDS: usize = 64 << 10;

/// The host's side of one guest.
pub(crate) struct Guest {
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    /// Made when the guest first uses it: the smallest plugins do without.
    wasi: Option<Box<WasiCtx>>,
    http: WasiHttpCtx,
    egress: Egress,
}

impl Guest {
    pub(crate) fn new(attempt: Arc<Attempt>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(TABLE_CAPACITY);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HTTP_FIELDS);
        Self {
            table,
            limiter: Limiter::new(attempt.work.limits.memory.get()),
            wasi: None,
            http,
            egress: Egress::new(Arc::clone(&attempt)),
            attempt,
        }
    }
}

/// No sockets, no names, no environment, no input: a guest gets what it is granted through other interfaces.
/// Its folders are given out by [`crate::capability::files`].
fn wasi(attempt: &Arc<Attempt>) -> Box<WasiCtx> {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(GuestOutput::new(Arc::clone(attempt), OutputStream::Stdout))
        .stderr(GuestOutput::new(Arc::clone(attempt), OutputStream::Stderr))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(RANDOM_SIZE);
    Box::new(builder.build())
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| wasi(&self.attempt));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.egress, table: &mut self.table, ctx: &mut self.http }
    }
}
