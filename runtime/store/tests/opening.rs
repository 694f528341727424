//! What happens when a store cannot be opened, and what opening leaves behind.

use std::path::Path;

use redb::{Database, ReadableDatabase, TableDefinition};
use sandglass_store::{RedbOptions, RedbStore, Store, StoreError};

fn open(dir: &Path) -> Result<RedbStore, StoreError> {
    RedbStore::open(dir, RedbOptions::default())
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn a_store_in_use_names_its_user() {
    let dir = temporary();
    let first = open(dir.path()).expect("it should open");
    let error = open(dir.path()).expect_err("it is in use");
    assert!(
        matches!(&error, StoreError::Locked { path, pid } if path == dir.path() && *pid == Some(std::process::id()))
    );
    let text = error.to_string();
    assert!(text.contains(&dir.path().display().to_string()), "{text}");
    drop(first);
    open(dir.path()).expect("it is free again");
}

#[test]
fn outputs_without_their_store_are_not_taken_for_a_new_one() {
    let dir = temporary();
    drop(open(dir.path()).expect("it should open"));
    let artifact = dir.path().join("artifacts/a");
    std::fs::create_dir_all(artifact.parent().expect("it has a folder")).expect("a folder can be made");
    std::fs::write(&artifact, "kept").expect("a file can be written");
    let path = dir.path().join("store.redb");
    let whole = std::fs::read(&path).expect("it is there");
    std::fs::remove_file(&path).expect("it is ours");
    for _ in 0..2 {
        let error = open(dir.path()).expect_err("its store is missing");
        assert!(matches!(&error, StoreError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
        // The second time it is there and empty.
        std::fs::write(&path, "").expect("it is ours");
    }
    std::fs::write(&path, whole).expect("it is ours");
    open(dir.path()).expect("it is back");
    assert!(artifact.exists());
}

#[test]
fn a_store_of_another_format_is_refused_and_left_alone() {
    is_refused(1000, |error| matches!(error, StoreError::Newer { found: 1000, .. }));
    is_refused(1, |error| matches!(error, StoreError::Older { found: 1, .. }));
}

fn is_refused(format: u32, as_it_should: impl Fn(&StoreError) -> bool) {
    let dir = temporary();
    drop(open(dir.path()).expect("it should open"));
    let path = dir.path().join("store.redb");
    let database = Database::open(&path).expect("a redb file");
    let txn = database.begin_write().expect("a transaction");
    let meta: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
    txn.open_table(meta).expect("the table").insert(&b"format"[..], &format.to_le_bytes()[..]).expect("an entry");
    txn.commit().expect("a commit");
    drop(database);
    for _ in 0..2 {
        let error = open(dir.path()).expect_err("it is refused");
        assert!(as_it_should(&error), "{error}");
    }
    let database = Database::open(&path).expect("still a redb file");
    let txn = database.begin_read().expect("a transaction");
    let left = txn.open_table(meta).expect("the table").get(&b"format"[..]).expect("a read").expect("an entry");
    assert_eq!(left.value(), format.to_le_bytes());
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let dir = temporary();
    let path = dir.path().join("store.redb");
    let written = b"something else entirely, and long enough to be looked at".repeat(1000);
    std::fs::write(&path, &written).expect("a file");
    assert!(matches!(open(dir.path()), Err(StoreError::Corrupt { .. })));
    assert!(std::fs::read(&path).expect("the file") == written);
    std::fs::remove_file(&path).expect("the file");
    let database = Database::create(&path).expect("a redb file");
    let txn = database.begin_write().expect("a transaction");
    txn.open_table(TableDefinition::<'_, u64, u64>::new("theirs")).expect("a table");
    txn.commit().expect("a commit");
    drop(database);
    assert!(matches!(open(dir.path()), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_store_cut_short_is_refused() {
    let dir = temporary();
    drop(open(dir.path()).expect("it should open"));
    let path = dir.path().join("store.redb");
    let bytes = std::fs::read(&path).expect("the file");
    for length in [10, 100, 4096, bytes.len() / 2] {
        std::fs::write(&path, &bytes[..length]).expect("the file");
        let error = open(dir.path()).expect_err("it is cut short");
        assert!(matches!(error, StoreError::Corrupt { .. }), "{length}: {error:?}");
    }
}

#[test]
fn a_closed_store_says_so() {
    let dir = temporary();
    let store = open(dir.path()).expect("it should open");
    store.load().expect("it should load");
    store.close().expect("it should close");
    store.close().expect("closing twice is fine");
    assert!(matches!(store.load(), Err(StoreError::Closed)));
    open(dir.path()).expect("it is free again");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_look() {
    use std::os::unix::fs::PermissionsExt;
    let dir = temporary();
    let inner = dir.path().join("some/data");
    let _store = open(&inner).expect("it should open");
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for entry in std::fs::read_dir(&inner).expect("the directory") {
        assert_eq!(mode(&entry.expect("an entry").path()), 0o600);
    }
}
