mod program;

use self::program::program;
use super::*;

fn grants(json: &str) -> Grants {
    serde_json::from_str(json).unwrap()
}

fn effective(plugin: &str, job: Option<&str>) -> EffectiveGrants {
    EffectiveGrants {
        request: Grants::everything(),
        ceiling: Grants::everything(),
        plugin: grants(plugin),
        job: job.map(grants),
        looks_only: false,
    }
}

#[test]
fn what_is_missing_is_told_when_saved() {
    let missing =
        effective(r#"{"http": "public", "docker": "any", "remote": "any", "state": true, "mail": true}"#, None)
            .missing();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].grant, "process: \"any\"");
    assert!(missing[0].to_string().contains("was not granted it when it was added"), "{}", missing[0]);
}

#[test]
fn who_also_runs_containers_here_needs_no_targets() {
    let ask = |request: &str| EffectiveGrants {
        request: grants(request),
        ceiling: Grants::everything(),
        plugin: Grants::everything(),
        job: Some(grants(r#"{"docker": "any"}"#)),
        looks_only: false,
    };
    assert_eq!(ask(r#"{"docker": "any", "remote": "any"}"#).missing(), []);
    assert_eq!(ask(r#"{"remote": "any"}"#).missing()[0].layer, Layer::Job);
}

#[test]
fn what_a_job_leaves_out_of_mail_is_refused_when_it_mails() {
    let all = r#"{"process": "any", "http": "public", "docker": "any", "remote": "any", "state": true, "mail": true}"#;
    let without = all.replace(", \"mail\": true", "");
    assert!(effective(all, Some(all)).mail().is_ok());
    let narrowed = effective(all, Some(&without));
    assert_eq!(narrowed.missing(), []);
    let denial = narrowed.mail().unwrap_err();
    assert_eq!((denial.layer, denial.grant.as_str()), (Layer::Job, "mail: true"));
    let ungranted = effective(&without, None);
    assert_eq!(ungranted.missing(), [ungranted.mail().unwrap_err()]);
    assert_eq!(ungranted.missing()[0].layer, Layer::Plugin);
}

/// A request from `METHOD scheme host port path`.
fn request(text: &str) -> HttpRequest<'_> {
    let parts: Vec<&str> = text.split(' ').collect();
    let [method, scheme, host, port, path] = parts[..] else { panic!("five parts: {text}") };
    HttpRequest { method, scheme, host, port: port.parse().unwrap(), path }
}

fn pattern(text: &str) -> HttpPattern {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn patterns_match_what_they_say() {
    for (text, yes, no) in [
        ("https://a.example", "GET https a.example 443 /x", "GET http a.example 80 /x"),
        ("https://a.example", "GET https A.Example. 443 /", "GET https a.example.. 443 /"),
        ("https://A.Example.", "GET https a.example 443 /", "GET https b.a.example 443 /"),
        ("HTTPS://a.example", "PUT HTTPS a.example 443 /", "PUT ftp a.example 443 /"),
        ("GET,post https://a.example", "POST https a.example 443 /", "PUT https a.example 443 /"),
        ("GET https://a.example", "GET https a.example 443 /", "GETS https a.example 443 /"),
        ("https://a.example", "GET https a.example 443 /", "GET https a.example 8443 /"),
        ("https://a.example:8443", "GET https a.example 8443 /", "GET https a.example 443 /"),
        ("*://a.example", "GET http a.example 80 /", "GET http a.example 443 /"),
        ("*://a.example", "GET https a.example 443 /", "GET http a.example 22 /"),
        ("http://a.example:*", "GET http a.example 22 /", "GET https a.example 22 /"),
        ("http://*", "GET http anything.at.all 80 /", "GET http a..b 80 /"),
        ("http://*", "GET http 10.0.0.1 80 /", "GET http a@b 80 /"),
        ("http://*.a.example", "GET http x.y.a.example 80 /", "GET http a.example 80 /"),
        ("http://*.a.example", "GET http x.a.example 80 /", "GET http xa.example 80 /"),
        ("http://*.a.example", "GET http x.a.example 80 /", "GET http .a.example 80 /"),
        ("http://*.a.example", "GET http x.a.example 80 /", "GET http x.a.example.evil.example 80 /"),
        ("http://api-*.a.example", "GET http api-1.a.example 80 /", "GET http api-1.b.a.example 80 /"),
        ("http://*.api-*.a.example", "GET http x.api-1.a.example 80 /", "GET http api-1.a.example 80 /"),
        ("http://a.*.example", "GET http a.b.example 80 /", "GET http a.b.c.example 80 /"),
        ("http://127.0.0.1:8080/*", "GET http 127.0.0.1 8080 /", "GET http localhost 8080 /"),
        ("http://[::1]:8080", "GET http ::1 8080 /", "GET http 127.0.0.1 8080 /"),
        ("http://[0:0::1]", "GET http [::1] 80 /", "GET http ::2 80 /"),
        ("http://10.0.0.1", "GET http 10.0.0.1 80 /", "GET http ::ffff:10.0.0.1 80 /"),
        ("http://a.example/v1/*", "GET http a.example 80 /v1/x/y", "GET http a.example 80 /v2/x"),
        ("http://a.example/v1/*", "GET http a.example 80 /v1/", "GET http a.example 80 /v1"),
        ("http://a.example/hook", "GET http a.example 80 /hook", "GET http a.example 80 /hook/"),
        ("http://a.example/*/log", "GET http a.example 80 /a/b/log", "GET http a.example 80 /a/b/logs"),
        ("http://a.example/V1", "GET http a.example 80 /V1", "GET http a.example 80 /v1"),
    ] {
        assert!(pattern(text).matches(&request(yes)), "{text} should match {yes}");
        assert!(!pattern(text).matches(&request(no)), "{text} should not match {no}");
        assert_eq!(pattern(&pattern(text).to_string()), pattern(text), "{text} is shown so that it reads the same");
    }
    let empty = HttpRequest { path: "", ..request("GET http a.example 80 /") };
    assert!(pattern("http://a.example/").matches(&empty));
}

#[test]
fn narrow_paths_are_not_left() {
    let (narrow, wide) = (pattern("http://a.example/v1/*"), pattern("http://a.example/*"));
    for path in [
        "/v1/../admin",
        "/v1/x/..",
        "/v1/./x",
        "/v1/%2e%2e/admin",
        "/v1/.%2E/admin",
        "/v1/%2e%2e%2fadmin",
        "/v1%2f..%2fadmin",
        "/v1/%252e%252e/admin",
        "/v1/%25252e%25252e/admin",
        "/v1/%2525252525252e%2e/admin",
        "/v1/..\\admin",
        "/v1/x%5c..%5cadmin",
        "/v1/..;a=b/admin",
        "/v1/..%3ba/admin",
        "/v1/%c0%ae%c0%ae/admin",
        "/v1/x%00",
        "/v1/x\r\n",
        "/v1/x?y",
        "/v1/x#y",
    ] {
        let request = HttpRequest { path, ..request("GET http a.example 80 /") };
        assert!(!narrow.matches(&request), "{path}");
        assert!(wide.matches(&request), "{path}: nothing is narrower than the host");
    }
    for path in
        ["/v1/..a", "/v1/a..", "/v1/...", "/v1/a%2Fb", "/v1/100%25", "/v1/%e2%82%ac", "/v1/%", "/v1/%zz", "/v1//x"]
    {
        assert!(narrow.matches(&HttpRequest { path, ..request("GET http a.example 80 /") }), "{path}");
    }
}

#[test]
fn what_is_no_pattern_is_told_why() {
    for (text, reason) in [
        ("a.example/x", "no scheme"),
        ("ftp://a.example", "scheme is not"),
        ("https://", "no host"),
        ("https://.", "no host"),
        ("https:///x", "no host"),
        ("https://user@a.example", "user names"),
        ("https://user:secret@a.example", "port is not a number"),
        ("https://a.example@evil.example/*", "user names"),
        ("https://a.example:", "port"),
        ("https://a.example:+80", "port"),
        ("https://a.example:65536", "port"),
        ("https://::1", "no host"),
        ("https://[::1", "closing bracket"),
        ("https://[::1]x", "port"),
        ("https://[fe80::1%25eth0]", "no IPv6 address"),
        ("https://[a.example]", "no IPv6 address"),
        ("https://a..example", "no name"),
        ("https://a_b!.example", "no name"),
        ("https://a.example?x", "no name"),
        ("https://a.example\\x", "no name"),
        ("https://bücher.example", "xn--"),
        ("https://127.1", "written out in full"),
        ("https://2130706433", "written out in full"),
        ("https://0x7f.0.0.1", "written out in full"),
        ("https://10.*.*.*", "written out in full"),
        ("https://*.0.0.1", "written out in full"),
        ("https://256.0.0.1", "written out in full"),
        ("https://a.1", "no name"),
        ("https://a.example/v1/../x", "'..'"),
        ("https://a.example/%2e%2e/x", "'..'"),
        ("https://a.example/x?y=1", "no query"),
        (", https://a.example", "methods"),
        ("GET POST https://a.example", "methods"),
        ("G€T https://a.example", "methods"),
        ("", "no scheme"),
    ] {
        let error = text.parse::<HttpPattern>().unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    // As in a URL, this is the path /8 of one host; it names no network.
    assert!(!pattern("http://10.0.0.0/8").matches(&request("GET http 10.1.2.3 80 /8")));
    let error = serde_json::from_str::<Grants>(r#"{"http": [5]}"#).unwrap_err().to_string();
    assert!(error.contains("5 is no request pattern"), "{error}");
    assert!(serde_json::from_str::<Grants>(r#"{"http": "https://a.example"}"#).is_err());
    assert!(serde_json::from_str::<Grants>(r#"{"mail": []}"#).is_err());
}

#[test]
fn a_denied_request_names_the_line_that_allows_it() {
    let none = effective("{}", None);
    for text in [
        "GET https a.example 443 /v1/x",
        "M-SEARCH http a.example 8080 /..",
        "POST http ::1 80 /",
        "POST http [::1] 8080 /",
        "GET http 127.0.0.1 1 /%2e%2e",
    ] {
        let request = request(text);
        let denial = none.http(&request).unwrap_err();
        assert_eq!(denial.layer, Layer::Plugin);
        let line = denial.grant.strip_prefix("http: ").unwrap();
        let granted = effective(&format!("{{\"http\": {line}}}"), None);
        assert!(granted.http(&request).is_ok(), "{line}");
    }
}

#[test]
fn special_addresses_are_reached_only_by_name() {
    let request = request("GET http localhost 8080 /hook");
    let loopback = "127.0.0.1".parse().unwrap();
    let reaches = |plugin: &str, job: Option<&str>| {
        let grants = effective(plugin, job);
        grants.http(&request).is_ok() && grants.address(&request, loopback).is_ok()
    };
    assert!(reaches(r#"{"http": ["http://localhost:8080/*"]}"#, None));
    assert!(reaches(r#"{"http": ["GET http://localhost:8080"]}"#, Some(r#"{"http": "any"}"#)));
    assert!(reaches(r#"{"http": "public"}"#, Some(r#"{"http": ["http://localhost:8080/hook"]}"#)));
    // The address itself is named, and a wildcard lets the name pass.
    assert!(reaches(r#"{"http": ["http://*:8080/hook", "http://127.0.0.1:8080/hook"]}"#, None));
    for (plugin, job) in [
        (r#"{"http": "any"}"#, None),
        (r#"{"http": "public"}"#, None),
        (r#"{"http": ["http://*:8080/*"]}"#, None),
        (r#"{"http": ["http://local*:8080/*"]}"#, None),
        (r#"{"http": "any"}"#, Some(r#"{"http": "any"}"#)),
        (r#"{"http": "any"}"#, Some(r#"{"http": ["http://*:*"]}"#)),
        // The literal pattern is for something else.
        (r#"{"http": ["http://*:8080/*", "POST http://localhost:8080/*"]}"#, None),
        (r#"{"http": ["http://*:8080/*", "http://localhost:8081/*"]}"#, None),
        (r#"{"http": ["http://*:8080/*", "http://127.0.0.1:8080/other"]}"#, None),
        (r#"{"http": ["http://*:8080/*", "http://127.0.0.2:8080/*"]}"#, None),
        // The job limits itself.
        (r#"{"http": ["http://localhost:8080/*"]}"#, Some(r#"{"http": "public"}"#)),
        (r#"{"http": ["http://localhost:8080/*"]}"#, Some("{}")),
    ] {
        assert!(!reaches(plugin, job), "{plugin} {job:?}");
    }
    assert!(effective(r#"{"http": "public"}"#, None).address(&request, "1.1.1.1".parse().unwrap()).is_ok());
    for ceiling in [r#"{"http": "public"}"#, r#"{"http": ["http://*:8080"]}"#, "{}"] {
        let ceiling = grants(ceiling);
        let grants = EffectiveGrants { ceiling, ..effective(r#"{"http": ["http://localhost:8080/*"]}"#, None) };
        let denial = grants.address(&request, loopback).unwrap_err();
        assert_eq!(denial.layer, Layer::Ceiling);
        assert!(denial.to_string().contains("127.0.0.1 (a loopback address)"), "{denial}");
    }
}

#[test]
fn addresses_are_of_the_kind_that_the_registries_say() {
    use AddressKind::{LinkLocal, Loopback, Private, Public, Reserved};
    for (kind, addresses) in [
        (Public, "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0"),
        (Public, "169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0"),
        (Public, "198.17.255.255 198.20.0.0 198.51.99.0 198.51.101.0 203.0.112.0 203.0.114.0 223.255.255.255"),
        (Public, "2606:4700::1111 2001:4860:4860::8888 2001:200:: 2400:: 2a00:1450:: 3ffe:: 3fff:1000::"),
        (Loopback, "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1"),
        (Private, "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.1 ::ffff:10.0.0.1"),
        (Private, "100.64.0.0 100.100.100.200 100.127.255.255"),
        (Private, "fc00::1 fd00:ec2::254 fdff:ffff::1 fec0::1"),
        (LinkLocal, "169.254.0.1 169.254.169.254 168.63.129.16 fe80::1 febf::1 ::ffff:169.254.169.254"),
        // Unspecified (which reaches this machine), "this" network, protocols, documentation, relays, benchmarks.
        (Reserved, "0.0.0.0 0.1.2.3 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255"),
        (Reserved, "198.51.100.1 203.0.113.255 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255"),
        (Reserved, ":: ::127.0.0.1 ::ffff:1.1.1.1 ::ffff:0:127.0.0.1 100::1 ff02::1 ff0e::1"),
        // Translation and tunnels: NAT64, its local form, Teredo, 6to4.
        (Reserved, "64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 2001::1 2001:0:7f00:1:: 2002:7f00:1::"),
        // ORCHIDs, benchmarks, documentation, segment routing, and what was never given out.
        (Reserved, "2001:10::1 2001:2::1 2001:1ff::1 2001:db8::1 3fff::1 3fff:fff::1 5f00::1 4000::1 8000::1 fe00::1"),
    ] {
        for address in addresses.split(' ') {
            assert_eq!(address_kind(address.parse().unwrap()), kind, "{address}");
        }
    }
}

#[test]
fn secrets_are_used_as_the_layers_allow() {
    let grants = |json: &str| serde_json::from_str::<Grants>(json).unwrap();
    let effective = |plugin: &str, job: Option<&str>| EffectiveGrants {
        request: grants(r#"{"secrets": "any", "reveal": "any"}"#),
        ceiling: Grants::everything(),
        plugin: grants(plugin),
        job: job.map(grants),
        looks_only: false,
    };
    let name: SecretName = "TOKEN".parse().unwrap();
    let all = r#"{"secrets": ["TOK*"], "reveal": ["TOKEN"]}"#;
    assert_eq!(effective(all, None).secret(&name), Ok(()));
    assert_eq!(effective(all, None).reveal(&name), Ok(()));
    // A job names the secrets it uses where it uses them, but must say that a plugin may read them.
    assert_eq!(effective(all, Some(r#"{"state": true}"#)).secret(&name), Ok(()));
    assert_eq!(effective(all, Some(r#"{"state": true}"#)).reveal(&name).unwrap_err().layer, Layer::Job);
    assert_eq!(effective(all, Some(r#"{"secrets": ["OTHER"]}"#)).secret(&name).unwrap_err().layer, Layer::Job);
    let denial = effective("{}", None).secret(&name).unwrap_err();
    assert_eq!((denial.layer, denial.grant.as_str()), (Layer::Plugin, "secrets: [TOKEN]"));
    let denial = effective(r#"{"secrets": "any"}"#, None).reveal(&name).unwrap_err();
    assert_eq!((denial.layer, denial.grant.as_str()), (Layer::Plugin, "reveal: [TOKEN]"));
    let everything = EffectiveGrants { request: Grants::default(), ..effective(all, None) };
    assert_eq!(everything.secret(&name).unwrap_err().layer, Layer::Request);
}

/// The mounts of a plugin that was granted `plugin` and whose job has `job`, as text.
fn mounts(request: &str, ceiling: &str, plugin: &str, job: Option<&str>) -> Result<Vec<String>, Denial> {
    let files = |json: &str| grants(&format!("{{\"files\": {json}}}"));
    let (request, ceiling, plugin, job) = (files(request), files(ceiling), files(plugin), job.map(files));
    let mounts = EffectiveGrants { request, ceiling, plugin, job, looks_only: false }.mounts()?;
    let text = |mount: Mount| format!("{}:{}", mount.path, if mount.access == Access::ReadOnly { "ro" } else { "rw" });
    Ok(mounts.into_iter().map(text).collect())
}

#[test]
fn a_run_has_the_folders_that_all_layers_agree_on() {
    let any = r#""any""#;
    for (request, ceiling, plugin, job, expected) in [
        (any, any, any, None, &[][..]),
        (any, any, any, Some(any), &[]),
        (any, any, any, Some(r#"["/srv/in:ro", "/srv/out:rw"]"#), &["/srv/in:ro", "/srv/out:rw"]),
        (
            any,
            r#"["/srv/*:ro", "/srv/out:rw"]"#,
            any,
            Some(r#"["/srv/in:ro", "/srv/out/x:rw"]"#),
            &["/srv/in:ro", "/srv/out/x:rw"],
        ),
        // Written only where every layer lets it be.
        (any, any, r#"["/srv:ro"]"#, Some(r#"["/srv/out:rw"]"#), &["/srv/out:ro"]),
        (r#"["/srv:ro"]"#, any, r#"["/srv:rw"]"#, None, &["/srv:ro"]),
        // The ceiling mounts nothing, nor does a pattern.
        (any, r#"["/srv:rw"]"#, any, None, &[]),
        (any, any, r#"["/srv/*:rw"]"#, None, &[]),
        // What the job leaves out is not there.
        (r#"["/srv/a:rw", "/srv/b:rw"]"#, any, any, Some(r#"["/srv/b:ro"]"#), &["/srv/b:ro"]),
        (r#"["/srv/a:rw", "/srv/b:rw"]"#, any, any, Some("[]"), &[]),
        (any, any, r#"["/:ro"]"#, Some(r#"["/etc:ro"]"#), &["/etc:ro"]),
    ] {
        let found = mounts(request, ceiling, plugin, job).unwrap_or_else(|denial| panic!("{denial}"));
        assert_eq!(found, expected, "{request} {ceiling} {plugin} {job:?}");
    }
    let denial = mounts(any, r#"["/srv/*:rw"]"#, any, Some(r#"["/srv:ro"]"#)).unwrap_err();
    assert_eq!((denial.layer, denial.grant.as_str()), (Layer::Ceiling, "files: [\"/srv:ro\"]"));
    let denial = mounts("[]", any, any, Some(r#"["/srv:ro"]"#)).unwrap_err();
    assert_eq!(denial.layer, Layer::Request);
}

#[test]
fn folders_are_told_by_whole_parts_of_their_paths() {
    let grant = |text: &str| grants(&format!("{{\"files\": [\"{text}\"]}}")).files.unwrap();
    for (text, yes, no) in [
        ("/srv/in:ro", "/srv/in", "/srv/inn"),
        ("/srv/in:ro", "/srv/in/a/b", "/srv"),
        ("/srv/*/x:ro", "/srv/a/x/y", "/srv/a/b/x"),
        ("/srv/a*:ro", "/srv/ab", "/srv/ba"),
        ("/:ro", "/etc", "etc"),
        ("/:ro", "/", "/etc/../x"),
        ("/srv/in:ro", "/srv/in/..a", "/srv/in/.."),
    ] {
        assert!(grant(text).allows(yes, Access::ReadOnly), "{text} {yes}");
        assert!(!grant(text).allows(no, Access::ReadOnly), "{text} {no}");
        assert!(!grant(text).allows(yes, Access::ReadWrite), "{text} {yes}");
    }
    assert!(grant("/srv:rw").allows("/srv/x", Access::ReadOnly));
    for (text, reason) in [
        ("/srv/in", "does not end with"),
        ("/srv/in:rx", "does not end with"),
        ("srv:ro", "not absolute"),
        (":ro", "not absolute"),
        ("/srv/:ro", "'..' part"),
        ("/srv//in:ro", "'..' part"),
        ("/srv/../etc:ro", "'..' part"),
        ("/srv/.:rw", "'..' part"),
        ("/srv\\u0000:rw", "part"),
        ("work:rw", "own folder 'work'"),
        ("/work:ro", "by this name"),
    ] {
        let error = serde_json::from_str::<Grants>(&format!("{{\"files\": [\"{text}\"]}}")).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    let error = serde_json::from_str::<Grants>(r#"{"files": ["/srv:rw", "/srv/in:ro"]}"#).unwrap_err().to_string();
    assert!(error.contains("takes nothing away from '/srv:rw'"), "{error}");
    assert!(serde_json::from_str::<Grants>(r#"{"files": "/srv:ro"}"#).is_err());
    let text = r#"{"files":["/srv/*:ro","/out:rw"]}"#;
    assert_eq!(serde_json::to_string(&grants(text)).unwrap(), text);
}

#[test]
fn folders_that_a_job_would_not_get_are_told_when_it_is_saved() {
    let of = |plugin: &str, job: Option<&str>| {
        let grants = effective(plugin, job);
        grants.missing().into_iter().filter(|denial| denial.grant.starts_with("files")).collect::<Vec<_>>()
    };
    assert_eq!(of(r#"{"files": "any"}"#, Some(r#"{"files": ["/srv/out:rw"]}"#)), []);
    let refused = of(r#"{"files": ["/srv:ro"]}"#, Some(r#"{"files": ["/srv/out:rw"]}"#));
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].layer, refused[0].grant.as_str()), (Layer::Plugin, "files: [\"/srv/out:rw\"]"));
    assert!(refused[0].to_string().contains("writing in the folder /srv/out is denied"), "{}", refused[0]);
    // A plugin that takes what it is given misses nothing; one that names folders needs them.
    assert_eq!(of("{}", None), []);
    let request = grants(r#"{"files": ["/srv:ro"]}"#);
    let needs = EffectiveGrants { request, ..effective("{}", None) };
    assert_eq!(needs.missing().len(), 1);
    assert_eq!(needs.work().unwrap_err().layer, Layer::Plugin);
}

#[test]
fn a_job_that_limits_itself_keeps_its_own_folder() {
    assert_eq!(effective(r#"{"files": []}"#, Some("{}")).work(), Ok(()));
    let none = EffectiveGrants { ceiling: Grants::default(), ..effective(r#"{"files": []}"#, None) };
    assert_eq!(none.work().unwrap_err().grant, "files: []");
}

#[test]
fn a_plan_may_look_and_not_touch() {
    let grants =
        EffectiveGrants { looks_only: true, ..effective(r#"{"process": "any", "http": "any", "mail": true}"#, None) };
    let request = |method| HttpRequest { method, scheme: "https", host: "example.com", port: 443, path: "/" };
    assert!(grants.http(&request("GET")).is_ok() && grants.http(&request("HEAD")).is_ok());
    let denial = grants.http(&request("POST")).unwrap_err();
    let told = "sending POST https://example.com/ is denied: a plan is being made, which touches nothing";
    assert_eq!((denial.layer, denial.to_string().as_str()), (Layer::Plan, told));
    assert!(
        grants.program(&program("/bin/true")).is_err() && grants.mail().is_err() && grants.image("alpine").is_err()
    );
    let target = "web-1".parse().unwrap();
    let plugin = Grants { remote: Some(RemoteGrant::Any), ..Grants::default() };
    let grants = EffectiveGrants { plugin, ..grants };
    let may =
        |deed| grants.remote(&RemoteUse { target: &target, groups: &[], login: "ci", account: None, deed }).is_ok();
    assert!(may(Deed::Enter) && may(Deed::Read("/etc/motd")) && !may(Deed::Write("/etc/motd")) && !may(Deed::Run));
}

#[test]
fn a_server_is_reached_by_any_of_its_requests() {
    let grants = effective(r#"{"http": ["POST https://a.example:8443/v1/*"]}"#, None);
    assert!(grants.http_server(&request("GET https A.example 8443 /")).is_ok());
    for other in ["GET http a.example 8443 /", "GET https a.example 443 /", "GET https b.example 8443 /"] {
        let denial = grants.http_server(&request(other)).unwrap_err();
        assert!(denial.what.contains("choosing certificates for http"), "{denial:?}");
        assert!(denial.grant.ends_with("/*\"]"), "{denial:?}");
    }
    assert!(effective("{}", None).http_server(&request("GET https a.example 443 /")).is_err());
}

#[test]
fn artifacts_are_refused_where_they_are_used() {
    let all = r#"{"process": "any", "http": "public", "docker": "any", "remote": "any", "state": true, "mail": true, "artifacts": true}"#;
    let without = all.replace(", \"artifacts\": true", "");
    let name = "out/app.tar".parse().unwrap();
    assert!(effective(all, Some(all)).publish(&name).is_ok());
    let narrowed = effective(all, Some(&without));
    assert_eq!(narrowed.missing(), []);
    let denial = narrowed.publish(&name).unwrap_err();
    assert_eq!((denial.layer, denial.grant.as_str()), (Layer::Job, "artifacts: true"));
    assert_eq!(denial.what, "publishing the artifact out/app.tar");
    assert_eq!(effective(&without, None).fetch().unwrap_err().layer, Layer::Plugin);
    let planning = EffectiveGrants { looks_only: true, ..effective(all, None) };
    assert!(planning.fetch().is_ok() && planning.publish(&name).is_err());
}
