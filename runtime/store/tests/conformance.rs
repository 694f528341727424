//! The redb store passes the suite, on a file and in memory.

use sandglass_store::conformance::{Subject, check};
use sandglass_store::{RedbOptions, RedbStore, Store};

struct OnFile {
    dir: tempfile::TempDir,
    store: Option<RedbStore>,
}

impl Subject for OnFile {
    fn open(&mut self) -> Box<dyn Store> {
        let open = || RedbStore::open(self.dir.path(), RedbOptions::default()).expect("the store should open");
        Box::new(self.store.get_or_insert_with(open).another_opener())
    }

    fn restart(&mut self) {
        self.store = None;
    }
}

struct InMemory(RedbStore);

impl Subject for InMemory {
    fn open(&mut self) -> Box<dyn Store> {
        Box::new(self.0.another_opener())
    }

    fn restart(&mut self) {}
}

#[test]
fn on_a_file() {
    check(&mut || Box::new(OnFile { dir: tempfile::tempdir().expect("a temporary directory"), store: None }));
}

#[test]
fn in_memory() {
    check(&mut || Box::new(InMemory(RedbStore::in_memory().expect("a store in memory"))));
}
