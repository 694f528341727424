//! Plugins and their components.

use std::sync::Arc;

use sandglass_core::batch::Write;
use sandglass_core::capability::Grants;
use sandglass_core::id::Digest;
use sandglass_core::plugin::{ActionInfo, Manifest, Plugin};

use super::Subject;
use super::sample::{at, commit, conflict};
use crate::error::ConflictKind;

fn plugin(name: &str, wasm: &[u8]) -> Plugin {
    Plugin {
        manifest: Manifest {
            name: name.parse().unwrap(),
            version: "1.2.3".to_owned(),
            description: "Does something".to_owned(),
            capabilities: Grants::everything(),
        },
        digest: Digest::of(wasm),
        size_bytes: wasm.len() as u64,
        actions: vec![ActionInfo {
            name: "run".to_owned(),
            title: "Run".to_owned(),
            description: String::new(),
            params_schema: serde_json::json!({"type": "object", "properties": {"x": {"maximum": 0.1}}}),
            output_schema: None,
            examples: vec![serde_json::json!({"x": 0.05})],
            idempotent: true,
        }],
        granted: Grants::default(),
        built_in: false,
        added_at: at(5),
    }
}

pub(super) fn kept(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let mut rng = fastrand::Rng::with_seed(5);
    // Longer than any piece it may be cut into.
    let large: Arc<[u8]> = (0..3_000_000).map(|_| rng.u8(..)).collect();
    let small: Arc<[u8]> = b"\0asm"[..].into();
    let empty: Arc<[u8]> = [][..].into();
    let put = |plugin: &Plugin, wasm: &Arc<[u8]>| Write::PutPlugin {
        plugin: Arc::new(plugin.clone()),
        wasm: Arc::clone(wasm),
    };
    let [a, b, c] = [plugin("a", &large), plugin("b", &small), plugin("c", &empty)];
    commit(&*store, vec![put(&a, &large), put(&b, &small)]).unwrap();
    commit(&*store, vec![put(&c, &empty)]).unwrap();
    let names = |plugins: Vec<Arc<Plugin>>| plugins.iter().map(|p| p.manifest.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(store.plugins().unwrap()), ["a", "b", "c"]);
    assert_eq!(*store.plugin(&a.manifest.name).unwrap().unwrap(), a);
    for wasm in [&large, &small, &empty] {
        assert_eq!(store.component(&Digest::of(wasm)).unwrap().as_ref(), Some(wasm));
    }
    assert_eq!(store.component(&Digest::of(b"other")).unwrap(), None);
    // Replaced: the new one counts, the old bytes stay for runs that are about to start.
    let newer = plugin("a", &small);
    commit(&*store, vec![put(&newer, &small)]).unwrap();
    assert_eq!(*store.plugin(&a.manifest.name).unwrap().unwrap(), newer);
    assert!(store.component(&a.digest).unwrap().is_some());
    let remove = |plugin: &Plugin| Write::RemovePlugin { name: plugin.manifest.name.clone(), digest: plugin.digest };
    assert_eq!(conflict(&*store, vec![remove(&a)]), ConflictKind::Plugin(a.manifest.name.clone()));
    commit(&*store, vec![remove(&newer), remove(&c)]).unwrap();
    assert_eq!(conflict(&*store, vec![remove(&c)]), ConflictKind::Plugin(c.manifest.name.clone()));
    drop(store);
    subject.restart();
    let store = subject.open();
    assert_eq!(names(store.load().unwrap().plugins), ["b"]);
    assert_eq!(store.component(&a.digest).unwrap(), None, "nobody wants it after a change of opener");
    assert_eq!(store.component(&b.digest).unwrap(), Some(small));
    assert_eq!(store.stats().unwrap().plugins, 1);
}
