//! Targets and groups as they are read, and what a fleet of them answers.

mod fleet;

use serde_json::{Value, json};

use super::*;
use crate::time::Timestamp;

/// A digest that no machine has.
fn fingerprint() -> String {
    format!("SHA256:{}", "A".repeat(43))
}

/// A public key of the kind `algorithm`, as it stands in a file.
fn public_key(algorithm: &str) -> String {
    use base64::Engine as _;
    let length = u32::try_from(algorithm.len()).unwrap().to_be_bytes();
    let blob = [&length[..], algorithm.as_bytes(), &[0, 0, 0, 4], b"1234"].concat();
    format!("{algorithm} {}", base64::prelude::BASE64_STANDARD.encode(blob))
}

/// A target with whatever it cannot be without, and what `more` says.
fn written(name: &str, more: Value) -> Value {
    let mut spec = json!({ "name": name, "address": "10.0.0.5", "account": "deploy", "host_key": fingerprint() });
    let (Value::Object(spec_map), Value::Object(more)) = (&mut spec, more) else { panic!("maps") };
    if !["key", "agent"].iter().any(|key| more.contains_key(*key)) {
        spec_map.insert("key".to_owned(), "DEPLOY_KEY".into());
    }
    spec_map.extend(more);
    spec
}

fn read(value: Value) -> Result<TargetSpec, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn kept_target(name: &str, more: Value) -> Arc<Target> {
    let spec = Arc::new(read(written(name, more)).unwrap());
    Arc::new(Target { namespace: Namespace::default(), revision: 1, spec, updated_at: Timestamp::EPOCH })
}

fn kept_group(spec: Value) -> Arc<TargetGroup> {
    let spec = Arc::new(serde_json::from_value(spec).unwrap());
    Arc::new(TargetGroup { namespace: Namespace::default(), revision: 1, spec, updated_at: Timestamp::EPOCH })
}

#[test]
fn a_target_reads_and_writes() {
    let short = read(written("web-1", json!({}))).unwrap();
    assert_eq!((short.port.get(), short.platform), (22, Platform::Linux));
    let whole = json!({
        "name": "web-1", "description": "front", "address": "web-1.example.com", "port": 2222, "account": "deploy",
        "platform": "windows", "labels": { "role": "web", "zone": "eu" },
        "host_key": [fingerprint(), public_key("ssh-ed25519")], "key": "DEPLOY_KEY", "key_passphrase": "DEPLOY_PASS",
        "jump": "bastion", "become": ["root", "www-data"], "engine": "/run/podman/podman.sock",
    });
    let spec = read(whole.clone()).unwrap();
    assert_eq!(serde_json::to_value(&spec).unwrap(), whole);
    assert_eq!(spec.secrets().map(|name| name.as_str()).collect::<Vec<_>>(), ["DEPLOY_KEY", "DEPLOY_PASS"]);
    let agent = read(written("a", json!({ "agent": "/run/agent.sock" }))).unwrap();
    assert_eq!((agent.secrets().count(), serde_json::to_value(&agent).unwrap().get("key")), (0, None));
}

#[test]
fn what_is_no_target_is_refused_with_what_to_do() {
    let many: Vec<Value> = (0..17).map(|_| fingerprint().into()).collect();
    for (more, says) in [
        (
            json!({ "address": "10.0.0.5:22" }),
            "not a valid address: write a host name or an IP address, without a port",
        ),
        (json!({ "address": "-oProxyCommand=x y" }), "not a valid address"),
        (json!({ "address": "" }), "not a valid address"),
        (json!({ "account": "-x" }), "not a valid account"),
        (json!({ "account": "a b" }), "not a valid account"),
        (json!({ "become": ["#0"] }), "not a valid account"),
        (json!({ "port": 0 }), "nonzero"),
        (json!({ "platform": "plan9" }), "unknown variant `plan9`"),
        (json!({ "host_key": [] }), "the list is empty"),
        (json!({ "host_key": many }), "17 host keys: 16 are allowed"),
        (json!({ "labels": { "and": "x" } }), "'and' is not a valid label"),
        (json!({ "labels": { "name": "x" } }), "'name' is not a valid label"),
        (json!({ "labels": { "a b": "x" } }), "'a b' is not a valid label"),
        (json!({ "labels": { "a": "x\ny" } }), "not a valid value of a label"),
        (json!({ "agent": "agent.sock" }), "write its absolute path"),
        (json!({ "agent": "/a", "key": "K" }), "says both 'key' and 'agent'"),
        (json!({ "agent": "/a", "key_passphrase": "K" }), "has a 'key_passphrase' and no 'key'"),
        (json!({ "engine": "unix:///a" }), "write its absolute path on the target"),
        (json!({ "engine": format!("/{}", "a".repeat(103)) }), "not a valid socket of a container engine"),
        (json!({ "password": "x" }), "unknown field `password`"),
    ] {
        let error = read(written("web-1", more.clone())).expect_err(&more.to_string());
        assert!(error.contains(says), "{more}: {error}");
    }
    let mut bare = written("web-1", json!({}));
    bare.as_object_mut().unwrap().remove("key");
    assert!(read(bare.clone()).unwrap_err().contains("says neither 'key' nor 'agent'"));
    bare.as_object_mut().unwrap().remove("host_key");
    assert!(read(bare).unwrap_err().contains("missing field `host_key`"));
}

#[test]
fn addresses_are_names_and_addresses() {
    for good in ["10.0.0.5", "::1", "fe80::1", "web-1", "web_1.example.com", "xn--bcher-kva.example"] {
        assert!(good.parse::<Address>().is_ok(), "{good}");
    }
    for bad in ["10.0.0", "10.0.0.5/24", "[::1]", "user@host", "a b", "-", "ä.example", "host:22", "127.1"] {
        assert!(bad.parse::<Address>().is_err(), "{bad}");
    }
}

#[test]
fn host_keys_are_fingerprints_and_public_keys() {
    let text = public_key("ssh-ed25519");
    let key: HostKey = format!("{text} root@web-1\n").parse().unwrap();
    assert_eq!(key.to_string(), text);
    let both = [key.fingerprint(), key.fingerprint()];
    for two in [both.join(" "), format!("256 {}\n", both.join("\n256 ")), format!("{text}\n{text}")] {
        assert!(two.parse::<HostKey>().unwrap_err().to_string().contains("more than one"), "{two}");
    }
    let HostKey::Public { blob, .. } = &key else { panic!("a public key") };
    let digest: HostKey = key.fingerprint().parse().unwrap();
    assert!(key.matches(blob) && digest.matches(blob));
    assert!(!key.matches(b"other") && !digest.matches(b"other"));
    assert_eq!(digest.fingerprint(), key.fingerprint());
    assert_eq!(format!("{digest}=").parse::<HostKey>().as_ref(), Ok(&digest));
    // As `ssh-keygen -lf` prints it.
    assert_eq!(format!("256 {digest} root@web-1 (ED25519)\n").parse::<HostKey>().as_ref(), Ok(&digest));
    for (bad, says) in [
        ("", "neither a fingerprint nor a public key"),
        ("SHA256:abc", "not 32 bytes in base64"),
        ("MD5:16:27:ac", "an MD5 fingerprint can be forged"),
        ("256 MD5:16:27:ac root@web-1 (ED25519)", "an MD5 fingerprint can be forged"),
        ("web-1 ssh-ed25519 AAAA", "leave a host before it out"),
        ("ssh-dss AAAA", "no kind of key that is known"),
        ("ssh-ed25519 !!", "no base64"),
        ("ssh-ed25519 AAAA", "no key of the kind"),
        (&public_key("ssh-rsa").replace("ssh-rsa", "ssh-ed25519"), "no key of the kind"),
    ] {
        let error = bad.parse::<HostKey>().expect_err(bad).to_string();
        assert!(error.contains(says), "{bad}: {error}");
    }
}

#[test]
fn a_group_reads_and_writes() {
    for good in [
        json!({ "name": "web", "members": ["web-1", "web-*", "group:db"] }),
        json!({ "name": "web", "description": "front", "where": "role == web and zone != us" }),
        json!({ "name": "web", "members": ["*"], "where": "role" }),
    ] {
        let spec: GroupSpec = serde_json::from_value(good.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), good);
    }
    let many: Vec<Value> = (0..=MAX_MEMBERS).map(|number| format!("t{number}").into()).collect();
    for (bad, says) in [
        (json!({ "name": "web" }), "says neither 'members' nor 'where'"),
        (json!({ "name": "web", "members": [] }), "says neither 'members' nor 'where'"),
        (json!({ "name": "web", "members": many }), "501 members: 500 are allowed"),
        (json!({ "name": "web", "where": "role = web" }), "column 6"),
        (json!({ "name": "web", "members": ["role == web"] }), "write it after 'where'"),
        (json!({ "name": "web", "members": ["group:a/b"] }), "'a/b' is not a valid group name"),
        (json!({ "name": "web", "members": ["web/*"] }), "is no pattern of targets"),
        (json!({ "name": "web", "members": ["-"] }), "not a valid target name"),
        (json!({ "name": "web", "targets": ["a"] }), "unknown field `targets`"),
    ] {
        let error = serde_json::from_value::<GroupSpec>(bad.clone()).expect_err(says).to_string();
        assert!(error.contains(says), "{bad}: {error}");
    }
}

#[test]
fn selectors_are_told_apart_by_their_characters() {
    for (text, named) in [
        ("web-1", true),
        ("web-*", true),
        ("*", true),
        ("group:web", true),
        ("role == web", false),
        ("role==web", false),
        ("(role)", false),
        ("not role", false),
    ] {
        let selector: Selector = text.parse().unwrap();
        assert_eq!(matches!(selector, Selector::Named(_)), named, "{text}");
        assert_eq!(selector.to_string().parse(), Ok(selector), "{text}");
    }
    for bad in ["", "web 1", "group:", "group:web-*", "web/1", "role = web"] {
        assert!(bad.parse::<Selector>().is_err(), "{bad}");
    }
}
