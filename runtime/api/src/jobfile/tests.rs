//! What good files mean, and that no file whatever does harm.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Format, MAX_BYTES, parse, parse_one, read};

/// The canonical form of the only job in a YAML text.
fn yaml(text: &str) -> Value {
    match parse_one(text, Format::Yaml, "test.yaml") {
        Ok(job) => serde_json::to_value(job).unwrap(),
        Err(errors) => panic!("{}", errors.iter().map(|error| format!("{error}\n")).collect::<String>()),
    }
}

fn first_error(text: &str, format: Format) -> String {
    parse(text, format, "test").unwrap_err().remove(0).to_string()
}

#[test]
fn the_three_formats_mean_the_same() {
    let from_yaml = r#"
name: nightly-backup
description: Dump the orders database
tags: [backup]
timezone: Europe/Berlin
triggers:
  - cron: "0 2 * * *"
  - every: 10m
    from: 2026-01-01T00:00:00Z
  - at: 2026-12-24T18:00:00
action:
  use: shell
  with: { command: "./backup.sh --target $TARGET", interpreter: bash }
env: { TARGET: s3 }
working_dir: /srv/backup
timeout: 1h
retry: { max_attempts: 3, initial: 30s, factor: 1.5 }
overlap: allow_all
catch_up: { policy: none, window: 6h }
priority: 7
limits: { memory: 64MiB, fuel: 10G, output: 10MiB }
grants: { process: [/bin/bash], http: public, state: true }
"#;
    let from_toml = r#"
name = "nightly-backup"
description = "Dump the orders database"
tags = ["backup"]
timezone = "Europe/Berlin"
triggers = [
  { cron = "0 2 * * *" },
  { every = "10m", from = 2026-01-01T00:00:00Z },
  { at = 2026-12-24T18:00:00 },
]
working_dir = "/srv/backup"
timeout = "1h"
overlap = "allow_all"
priority = 7

[action]
use = "shell"
with = { command = "./backup.sh --target $TARGET", interpreter = "bash" }

[env]
TARGET = "s3"

[retry]
max_attempts = 3
initial = "30s"
factor = 1.5

[catch_up]
policy = "none"
window = "6h"

[limits]
memory = "64MiB"
fuel = "10G"
output = "10MiB"

[grants]
process = ["/bin/bash"]
http = "public"
state = true
"#;
    let job = parse_one(from_yaml, Format::Yaml, "a.yaml").unwrap();
    assert_eq!(job, parse_one(from_toml, Format::Toml, "a.toml").unwrap());
    let from_json = serde_json::to_string_pretty(&job).unwrap();
    assert_eq!(job, parse_one(&from_json, Format::Json, "a.json").unwrap());
}

#[test]
fn the_form_of_plan_z_is_a_job() {
    let job = yaml(
        "name: nightly-backup\nschedule: \"0 2 * * *\"\ncommand: /usr/local/bin/backup.sh\n\
         command_windows: backup.ps1\ntimeout: 3600\nenv:\n  BACKUP_TARGET: s3\n  PORT: 8080\n  DEBUG: True\n",
    );
    assert_eq!(job["triggers"], json!([{ "cron": "0 2 * * *" }]));
    let with = json!({ "command": "/usr/local/bin/backup.sh", "command_windows": "backup.ps1" });
    assert_eq!(job["action"], json!({ "use": "shell", "with": with }));
    assert_eq!(job["timeout"], "1h");
    assert_eq!(job["env"], json!({ "BACKUP_TARGET": "s3", "PORT": "8080", "DEBUG": "True" }));
}

#[test]
fn schedules_have_short_forms() {
    for (schedule, trigger) in [
        ("\"*/5 * * * *\"", json!([{ "cron": "*/5 * * * *" }])),
        ("{ trigger: interval, minutes: 5 }", json!([{ "every": "5m" }])),
        ("{ trigger: interval, hours: 1, seconds: 30 }", json!([{ "every": "1h30s" }])),
        ("{ trigger: cron, expression: \"0 2 * * *\" }", json!([{ "cron": "0 2 * * *" }])),
        ("{ trigger: cron, hour: 10, minute: 30, second: 0 }", json!([{ "cron": "30 10 * * *" }])),
        ("{ trigger: cron, hour: 2, day_of_week: mon-fri }", json!([{ "cron": "0 2 * * mon-fri" }])),
        ("{ trigger: cron, minute: 30 }", json!([{ "cron": "30 * * * *" }])),
        ("{ trigger: cron, day_of_week: sun }", json!([{ "cron": "0 0 * * sun" }])),
        ("{ trigger: cron, month: 6, day: 1 }", json!([{ "cron": "0 0 1 6 *" }])),
        ("{ trigger: date, run_date: 2026-12-24T18:00:00 }", json!([{ "at": "2026-12-24T18:00:00" }])),
        ("{ every: 10m }", json!([{ "every": "10m" }])),
        ("[\"0 2 * * *\", { every: 1h }]", json!([{ "cron": "0 2 * * *" }, { "every": "1h" }])),
        ("{ cron: { hour: 2, minute: 30 } }", json!([{ "cron": "30 2 * * *" }])),
        ("{ cron: { hour: [2, 4], day_of_week: mon#1 } }", json!([{ "cron": "0 2,4 * * mon#1" }])),
        ("{ cron: { second: 10, minute: 0 } }", json!([{ "cron": "10 0 * * * *", "seconds": true }])),
        ("{ cron: \"*/10 * * * * *\", seconds: true }", json!([{ "cron": "*/10 * * * * *", "seconds": true }])),
        ("{ daily: 03:00, jitter: 300 }", json!([{ "daily": "03:00", "jitter": "5m" }])),
        (
            "{ weekly: { days: Monday, at: [02:00, 14:00:30] } }",
            json!([{ "weekly": { "days": "mon", "at": ["02:00", "14:00:30"] } }]),
        ),
        (
            "{ monthly: { day: -1, at: 00:00 }, gap: end }",
            json!([{ "monthly": { "day": "last", "at": "00:00" }, "gap": "end" }]),
        ),
        ("{ startup: true }", json!([{ "startup": true }])),
    ] {
        let job = yaml(&format!("{{ name: a, command: date, schedule: {schedule} }}"));
        assert_eq!(job["triggers"], trigger, "{schedule}");
    }
}

#[test]
fn actions_have_short_forms() {
    for (text, action) in [
        ("command: date", json!({ "use": "shell", "with": { "command": "date" } })),
        (
            "{ commands: [cd /srv, make], tags: [a] }",
            json!({ "use": "shell", "with": { "commands": ["cd /srv", "make"] } }),
        ),
        (
            "{ commands: [make, { name: lint, command: make lint, env: { A: 1 } }], stop_on_failure: false }",
            json!({ "use": "shell", "with": {
                "commands": ["make", { "name": "lint", "command": "make lint", "env": { "A": "1" } }],
                "stop_on_failure": false,
            }}),
        ),
        (
            "{ command_windows: dir, command_macos: ls, interpreter_macos: zsh }",
            json!({ "use": "shell", "with": {
                "command_windows": "dir", "command_macos": "ls", "interpreter_macos": "zsh",
            }}),
        ),
        (
            "{ script: \"print(1)\", interpreter: python3 }",
            json!({ "use": "shell", "with": { "script": "print(1)", "interpreter": "python3" } }),
        ),
        (
            "script: |\n  #!/usr/bin/env python3\n  print(1)\n",
            json!({ "use": "shell", "with": { "script": "#!/usr/bin/env python3\nprint(1)\n" } }),
        ),
        ("http: https://a.example/", json!({ "use": "http", "with": { "url": "https://a.example/" } })),
        (
            "http: POST https://a.example/",
            json!({ "use": "http", "with": { "method": "POST", "url": "https://a.example/" } }),
        ),
        (
            "http: { url: \"https://a.example/\", body: hi }",
            json!({ "use": "http", "with": { "url": "https://a.example/", "body": "hi" } }),
        ),
        ("docker_image: postgres:15", json!({ "use": "docker", "with": { "image": "postgres:15" } })),
        (
            "{ docker_image: \"postgres:15\", command: ./backup.sh, command_windows: backup.ps1 }",
            json!({ "use": "docker", "with": { "image": "postgres:15", "command": "./backup.sh" } }),
        ),
        (
            "{ command: a, docker_image: alpine, command_linux: b }",
            json!({ "use": "docker", "with": { "image": "alpine", "command": "b" } }),
        ),
        ("action: { use: notify@1.0/slack }", json!({ "use": "notify@1.0/slack" })),
    ] {
        let text = match text.strip_prefix('{').filter(|_| text.ends_with('}')) {
            Some(rest) => format!("{{ name: a, {rest}"),
            None => format!("name: a\n{text}"),
        };
        assert_eq!(yaml(&text)["action"], action, "{text}");
    }
}

#[test]
fn an_image_goes_with_a_command_alone() {
    for (text, reason) in [
        ("docker_image: alpine\nhttp: https://a.example/", "'docker_image' and 'http' both say what the job does"),
        ("docker_image: alpine\ncommands: [a, b]", "an image goes with 'command' or 'script'"),
        ("docker_image: [alpine]", "expected the name of an image"),
        ("docker_image: alpine\ncommand: a\ninterpreter: bash", "'interpreter' goes with"),
    ] {
        let error = parse(&format!("name: a\n{text}\n"), Format::Yaml, "test").unwrap_err().remove(0).to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn one_file_may_hold_many_jobs() {
    let names = |text: &str, format| -> Vec<String> {
        parse(text, format, "test").unwrap().iter().map(|job| job.name.to_string()).collect()
    };
    let list = "- { name: a, command: date }\n- { name: b, command: date }\n";
    assert_eq!(names(list, Format::Yaml), ["a", "b"]);
    assert_eq!(names("name: a\ncommand: date\n---\n---\nname: b\ncommand: date\n", Format::Yaml), ["a", "b"]);
    assert_eq!(names("jobs:\n  - { name: a, command: date }\n", Format::Yaml), ["a"]);
    assert_eq!(names("[[jobs]]\nname = 'a'\ncommand = 'date'\n", Format::Toml), ["a"]);
    assert_eq!(names(r#"[{"name": "a", "command": "date"}]"#, Format::Json), ["a"]);
    assert_eq!(names("\u{feff}{name: a, command: date}", Format::Yaml), ["a"]);
    let two = parse_one(list, Format::Yaml, "test").unwrap_err();
    assert_eq!(two[0].message, "expected one job here, found 2");
}

#[test]
fn anchors_and_merge_keys_work() {
    let text = "- &base\n  name: a\n  command: date\n  timeout: 5m\n- { <<: *base, name: b }\n";
    let jobs = parse(text, Format::Yaml, "test").unwrap();
    assert_eq!(jobs[1].name.as_str(), "b");
    assert_eq!(jobs[0].timeout, jobs[1].timeout);
}

#[test]
fn json_escapes_are_resolved() {
    let text = r#"{"name": "a", "description": "\u00e4\n\ud83d\ude00\/\\", "command": "date"}"#;
    let job = parse(text, Format::Json, "test").unwrap().remove(0);
    assert_eq!(job.description.unwrap(), "ä\n😀/\\");
    for bad in [r#""\ud83d""#, r#""\u12""#, r#""\x""#, "\"a\tb\"", "01", "1.", "nul", "[1 2]", "{\"a\" 1}"] {
        assert!(super::json::read(bad).is_err(), "{bad}");
    }
}

#[test]
fn every_value_can_be_found_again() {
    let text = "name: a\ncommand: |\n  date\nretry:\n  max_attempts: 3\n";
    let job = read(text, Format::Yaml, "test").unwrap().remove(0);
    let line = |pointer| job.locate(pointer).line;
    assert_eq!([line("/retry/max_attempts"), line("/action/with/command"), line("/action/use")], [5, 3, 2]);
    assert_eq!([line("/action/with/command/0"), line("/nothing"), line("")], [3, 1, 1]);
}

#[test]
fn bombs_are_refused() {
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let below = format!("*a{}", level - 1);
        aliases += &format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(", "));
    }
    assert!(first_error(&aliases, Format::Yaml).contains("too many values"));
    assert!(first_error(&"[".repeat(100_000), Format::Json).contains("nested too deeply"));
    let deep = first_error(&format!("{}{}", "[".repeat(70), "]".repeat(70)), Format::Yaml);
    assert!(deep.contains("nested too deeply"), "{deep}");
    let endless = first_error(&"[".repeat(100_000), Format::Yaml);
    assert!(endless.contains("limit") || endless.contains("deeply"), "{endless}");
    assert!(!first_error(&format!("a = {}", "[".repeat(100_000)), Format::Toml).is_empty());
    assert!(first_error(&format!("a = {}{}", "[".repeat(70), "]".repeat(70)), Format::Toml).contains("too deeply"));
    assert!(first_error(&" ".repeat(MAX_BYTES + 1), Format::Yaml).contains("too large"));
    let dashes = "- ".repeat(100_000);
    assert!(!first_error(&dashes, Format::Yaml).is_empty());
}

#[test]
fn the_known_keys_are_those_of_the_type() {
    let schema = crate::schema::job();
    let mut properties: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut keys = super::document::KEYS.to_vec();
    properties.sort_unstable();
    keys.sort_unstable();
    assert_eq!(properties, keys);
}

#[test]
fn grants_are_read_from_lines() {
    let grants = super::grants("process: [/usr/bin/tar]\nhttp: public", "--grant").unwrap();
    assert_eq!(serde_json::to_value(grants).unwrap(), json!({ "process": ["/usr/bin/tar"], "http": "public" }));
    assert!(super::grants("", "--grant").unwrap().is_empty());
    let error = super::grants("proces: any", "--grant").unwrap_err();
    assert_eq!(
        (error.message.as_str(), error.hint.as_deref()),
        ("unknown key 'proces'", Some("did you mean 'process'?"))
    );
    assert!(super::grants("process: tar", "--grant").is_err());
}

/// Pieces of job files, so that random texts get past the first character.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "name: ",
        "command: ",
        "schedule: ",
        "triggers:\n",
        "- ",
        "  ",
        "\n",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "&a ",
        "*a ",
        "<<: ",
        "|\n",
        ">\n",
        "---\n",
        "...\n",
        "#",
        ": ",
        ",",
        "retry: ",
        "env: ",
        "0 2 * * *",
        "1h",
        "\t",
        "= ",
        "[[jobs]]\n",
        "[env]\n",
        "\\u",
        "d83d",
        "\u{feff}",
        "é",
        "😀",
        "\u{0}",
        "\r",
        "!!str ",
        "? ",
        "%YAML 1.2\n",
        "1e999",
        "-",
        "0x",
        "9".repeat(30).leak(),
    ];
    prop_oneof![4 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Whatever a file holds, it is read or refused, and every refusal can be shown.
    #[test]
    fn no_text_does_harm(pieces in prop::collection::vec(piece(), 0..30)) {
        let text = pieces.concat();
        for format in [Format::Yaml, Format::Toml, Format::Json] {
            if let Err(errors) = read(&text, format, "random") {
                prop_assert!(!errors.is_empty());
                for error in errors {
                    prop_assert!(error.to_string().contains("random:"));
                }
            }
        }
    }
}

#[test]
fn a_schedule_is_a_line_of_text() {
    for (text, trigger) in [
        ("0 2 * * *", json!({ "cron": "0 2 * * *" })),
        ("every 5m", json!({ "every": "5m" })),
        ("at 2026-12-24T18:00:00", json!({ "at": "2026-12-24T18:00:00" })),
        ("daily 03:00", json!({ "daily": "03:00" })),
        ("daily at 03:00, 15:30", json!({ "daily": ["03:00", "15:30"] })),
        ("startup", json!({ "startup": true })),
        ("@reboot", json!({ "startup": true })),
        ("@daily", json!({ "cron": "@daily" })),
    ] {
        let trigger: sandglass_core::spec::Trigger = serde_json::from_value(trigger).unwrap();
        assert_eq!(super::trigger(text, "here").unwrap(), trigger, "{text}");
        let map = serde_json::to_string(&trigger).unwrap();
        assert_eq!(super::trigger(&map, "here").unwrap(), trigger, "{map}");
        let file = format!("name: a\ncommand: x\nschedule: \"{text}\"\n");
        assert_eq!(parse(&file, Format::Yaml, "f.yaml").unwrap()[0].triggers, [trigger], "{text}");
    }
    let map = "{weekly: {days: [mon, wed], at: \"02:00\"}, gap: skip}";
    assert_eq!(super::trigger(map, "here").unwrap().kind.key(), "weekly");
    for bad in ["", "every", "every now", "at noon", "daily 25:00", "often", "{cron: 5}", "[1, 2]", "61 * * * *"] {
        assert!(super::trigger(bad, "here").is_err(), "{bad}");
    }
}

#[test]
fn slips_in_schedules_are_told_with_what_was_meant() {
    for (text, hint) in [
        ("daily", "@daily"),
        ("hourly", "@hourly"),
        ("02:30", "daily 02:30"),
        ("5 minutes", "every 5m"),
        ("1.5h", "every 5m"),
        ("Mon..Fri *-*-* 02:00", "OnCalendar"),
        ("{", "brackets"),
        ("*/10 * * * * *", "seconds: true}"),
    ] {
        let error = super::trigger(text, "here").unwrap_err();
        assert!(error.hint.as_deref().is_some_and(|given| given.contains(hint)), "{text}: {error}");
    }
    assert_eq!(super::trigger("61 * * * *", "here").unwrap_err().hint, None);
    let job = "name: a\ncommand: x\ntriggers: [\"0 2 * * *\"]\n";
    assert!(first_error(job, Format::Yaml).contains("'schedule'"), "{}", first_error(job, Format::Yaml));
}

#[test]
fn a_list_is_no_map() {
    for part in [
        "window: [\"10:00\", \"12:00\"]",
        "window: \"22:00-06:00\"",
        "catch_up: [all, 5]",
        "catch_up: all",
        "triggers: [{daily: \"02:30\", calendars: [[we]]}]",
        "triggers: [{daily: \"02:30\", calendars: [holidays]}]",
        "triggers: [{weekly: [[mon], \"02:30\"]}]",
        "retry: [3]",
    ] {
        let error = first_error(&format!("name: a\ncommand: x\n{part}\n"), Format::Yaml);
        assert!(error.contains("expected a map, found") && error.contains("keys are"), "{part}: {error}");
    }
}

#[test]
fn calendars_stand_beside_jobs() {
    let text = "calendars:\n  - { name: holidays, dates: [2027-01-01], weekdays: [sun] }\njobs:\n  - name: a\n    command: x\n";
    let contents = super::read_all(text, Format::Yaml, "f.yaml").unwrap();
    assert_eq!((contents.jobs.len(), contents.calendars[0].spec.name.as_str()), (1, "holidays"));
    assert_eq!(contents.calendars[0].position().line, 2);
    let alone = "calendars:\n  holidays: { yearly: [\"12-25\"] }\n  weekend: { weekdays: [sat, sun] }\n";
    let contents = super::read_all(alone, Format::Yaml, "f.yaml").unwrap();
    let names: Vec<&str> = contents.calendars.iter().map(|calendar| calendar.spec.name.as_str()).collect();
    assert_eq!((contents.jobs.len(), names), (0, vec!["holidays", "weekend"]));
    for file in [alone, "name: a\nweekdays: [sat]\n", "[{name: a, weekdays: [sat]}, {name: b, weekdays: [sun]}]"] {
        assert!(!super::read_calendars(file, Format::Yaml, "f.yaml").unwrap().is_empty(), "{file}");
    }
    // Where only jobs can be, and files that are wrong.
    assert!(first_error(text, Format::Yaml).contains("calendars cannot stand here"));
    for (file, fault) in [
        ("calendars: 5\n", "f.yaml:1:12: expected a list of calendars, found a number"),
        ("calendars: [{name: a, dates: [2027-13-01]}]\n", "f.yaml:1:31: '2027-13-01' is not a date"),
        ("calendars: [{name: a}]\ntimeout: 5\n", "f.yaml:2:1: key 'timeout' cannot stand beside 'calendars'"),
        ("calendars: [{name: a}, {name: a}]\n", "f.yaml:1:31: calendar 'a' is in this file twice"),
    ] {
        let error = super::read_all(file, Format::Yaml, "f.yaml").unwrap_err().remove(0).to_string();
        assert!(error.starts_with(fault), "{file}: {error}");
    }
    assert!(super::read_calendars("calendars: []\njobs: [{name: a, command: x}]\n", Format::Yaml, "f").is_err());
    assert!(super::read_calendars("", Format::Yaml, "f").is_err());
}

#[test]
fn a_job_has_at_most_100_triggers() {
    let job = |count: usize| json!({ "name": "a", "command": "true", "triggers": vec![json!({ "every": 9 }); count] });
    assert!(parse(&job(100).to_string(), Format::Json, "test").is_ok());
    let [error] = parse(&job(101).to_string(), Format::Json, "test").unwrap_err().try_into().unwrap();
    assert_eq!(error.pointer, "/triggers");
    assert!(error.to_string().contains("101 triggers are too many: 100 are allowed"), "{error}");
    let text = "name: a\ncommand: 'true'\ntriggers: [{daily: '03:00', calendars: {exclude: [x, y, x]}}]";
    let error = first_error(text, Format::Yaml);
    assert!(error.contains("3:57") && error.contains("calendar 'x' stands here twice"), "{error}");
}
