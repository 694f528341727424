use super::*;

pub(super) fn program(path: &str) -> ProgramUse<'_> {
    ProgramUse { path, args: &[], digest: None }
}

#[test]
fn a_file_is_looked_into_where_a_layer_asks_for_its_digest_and_all_others_agree() {
    let good = crate::id::Digest::of(b"good");
    let job = format!(r#"{{"process": ["/opt/app@sha256:{good}"]}}"#);
    let both = effective(r#"{"process": ["/opt/*"]}"#, Some(&job));
    assert!(both.program(&program("/opt/app")).is_err() && both.may_start(&program("/opt/app")));
    assert!(both.program(&ProgramUse { digest: Some(good), ..program("/opt/app") }).is_ok());
    assert!(!both.may_start(&program("/opt/other")));
    let narrow = effective(r#"{"process": ["/usr/*"]}"#, Some(&job));
    assert!(!narrow.may_start(&program("/opt/app")));
    assert!(!EffectiveGrants { looks_only: true, ..both }.may_start(&program("/opt/app")));
}

#[test]
fn all_layers_must_agree_on_a_program() {
    let both = effective(r#"{"process": "any"}"#, Some(r#"{"process": ["/bin/bash"]}"#));
    assert!(both.program(&program("/bin/bash")).is_ok());
    let denial = both.program(&program("/usr/bin/tar")).unwrap_err();
    assert_eq!(denial.layer, Layer::Job);
    assert_eq!(denial.grant, "process: [\"/usr/bin/tar\"]");
    let none = effective("{}", None);
    assert_eq!(none.program(&program("/bin/bash")).unwrap_err().layer, Layer::Plugin);
    assert!(!none.any_process());
}

#[test]
fn a_granted_program_cannot_be_made_to_run_another_by_its_environment() {
    let some = effective(r#"{"process": ["/usr/bin/tar"]}"#, None);
    assert_eq!(some.variable("LD_PRELOAD").unwrap_err().layer, Layer::Plugin);
    for name in ["BASH_ENV", "BASH_FUNC_ls%%", "HOME", "TAR_OPTIONS", "XDG_CONFIG_HOME", "_JAVA_OPTIONS"] {
        assert!(some.variable(name).is_err(), "{name}");
    }
    for name in
        ["MAKEFILES", "MAKEFLAGS", "RESTIC_PASSWORD_COMMAND", "BORG_PASSCOMMAND", "BORG_RSH", "RSH", "SVN_SSH", "CC"]
    {
        assert!(some.variable(name).is_err(), "{name}");
    }
    for name in ["BORG_PASSPHRASE", "BORG_REPO", "RESTIC_PASSWORD", "RESTIC_REPOSITORY", "AWS_ACCESS_KEY_ID", "TZ"] {
        assert!(some.variable(name).is_ok(), "{name}");
    }
    for name in ["PGPASSWORD", "LANG", "SSH_AUTH_SOCK", "RSYNC_PASSWORD", "APP_HOME"] {
        assert!(some.variable(name).is_ok(), "{name}");
    }
    assert!(some.variable("TARGET").is_ok());
    assert!(effective(r#"{"process": "any"}"#, None).variable("LD_PRELOAD").is_ok());
    let job = effective(r#"{"process": "any"}"#, Some(r#"{"process": ["/usr/bin/tar"]}"#));
    assert_eq!(job.variable("PATH").unwrap_err().layer, Layer::Job);
}

#[test]
fn no_argument_leads_out_of_the_folder_that_its_pattern_names() {
    let cat =
        effective(r#"{"process": [["/usr/bin/cat", "/srv/in/*"], ["/usr/bin/tar", "--file=/srv/*", "**"]]}"#, None);
    let allows = |path: &str, args: &[&str]| {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        cat.program(&ProgramUse { path, args: &args, digest: None }).is_ok()
    };
    for arg in ["/srv/in/a", "/srv/in/a/b", "/srv/in/a..b/c", "/srv/in/.."] {
        assert_eq!(allows("/usr/bin/cat", &[arg]), !arg.ends_with(".."), "{arg}");
    }
    assert!(!allows("/usr/bin/cat", &["/srv/in/../../etc/shadow"]));
    assert!(allows("/usr/bin/tar", &["--file=/srv/a.tar", ".."]));
    assert!(!allows("/usr/bin/tar", &["--file=/srv/../etc/a.tar"]));
    let climbing = effective(r#"{"process": [["/usr/bin/cat", "../in/*"]]}"#, None);
    let args = ["../in/a".to_owned()];
    assert!(climbing.program(&ProgramUse { path: "/usr/bin/cat", args: &args, digest: None }).is_ok());
}
