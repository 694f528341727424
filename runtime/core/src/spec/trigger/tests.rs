use super::*;

fn read(json: &str) -> Result<Trigger, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn a_trigger_has_one_kind() {
    assert!(matches!(read(r#"{"every": "10m"}"#).unwrap().kind, TriggerKind::Every { from: None, .. }));
    assert!(matches!(read(r#"{"at": "2026-12-24T18:00:00"}"#).unwrap().kind, TriggerKind::At(LocalOrUtc::Local(_))));
    assert!(matches!(read(r#"{"at": "2026-12-24T18:00:00Z"}"#).unwrap().kind, TriggerKind::At(LocalOrUtc::Utc(_))));
    for (bad, complaint) in [
        ("{}", "has none of them"),
        (r#"{"cron": "0 2 * * *", "every": "10m"}"#, "has cron and every"),
        (r#"{"every": "10ms"}"#, "shortest interval is 1s"),
        (r#"{"at": "noon"}"#, "'noon' is not a date and time"),
        (r#"{"chron": "0 2 * * *"}"#, "unknown field `chron`"),
        (r#"{"startup": false}"#, "can only be true"),
        (r#"{"monthly": {"at": "00:00"}}"#, "'monthly' needs either 'day'"),
        (r#"{"yearly": {"month": 1, "day": 1, "weekday": "first mon", "at": "00:00"}}"#, "'yearly' needs either 'day'"),
        (r#"{"weekly": {"days": [], "at": "00:00"}}"#, "the list is empty"),
        (r#"{"daily": "24:00"}"#, "'24:00' is not a time of day"),
        (r#"{"cron": {}}"#, "at least one of second"),
        (r#"{"cron": {"hour": "1 2"}}"#, "cron field hour: '1 2' is not the value of one field"),
    ] {
        let error = read(bad).unwrap_err();
        assert!(error.contains(complaint), "{bad}: {error}");
    }
}

#[test]
fn a_modifier_that_makes_no_sense_is_refused_by_name() {
    for (bad, complaint) in [
        (r#"{"cron": "0 2 * * *", "from": "2026-12-24T18:00:00Z"}"#, "'from' does not go with 'cron'"),
        (r#"{"every": "1h", "seconds": true}"#, "'seconds' does not go with 'every'"),
        (r#"{"every": "1h", "gap": "shift"}"#, "'gap' does not go with 'every'"),
        (r#"{"every": "1h", "timezone": "Europe/Berlin"}"#, "'timezone' does not go with 'every'"),
        (r#"{"at": "2026-12-24T18:00:00Z", "fold": "last"}"#, "'fold' does not go with 'at'"),
        (r#"{"at": "2026-12-24T18:00:00", "end_at": "2027-01-01T00:00:00"}"#, "'end_at' does not go with 'at'"),
        (r#"{"startup": true, "jitter": "5m"}"#, "'jitter' does not go with 'startup'"),
        (r#"{"startup": true, "calendars": {"exclude": ["a"]}}"#, "'calendars' does not go with 'startup'"),
        (r#"{"daily": "03:00", "jitter": "0s"}"#, "'jitter: 0s' is not allowed"),
        (r#"{"daily": "03:00", "jitter": "25h"}"#, "'jitter: 1d1h' is not allowed"),
    ] {
        let error = read(bad).unwrap_err();
        assert!(error.contains(complaint), "{bad}: {error}");
    }
}

#[test]
fn triggers_are_written_as_they_are_read() {
    for text in [
        r#"{"cron":"0 2 * * 1-5"}"#,
        r#"{"every":"10m","from":"2027-01-01T00:00:00Z"}"#,
        r#"{"daily":"03:00"}"#,
        r#"{"daily":["03:00","15:30:10"],"gap":"skip","fold":"both"}"#,
        r#"{"weekly":{"days":["mon","wed"],"at":"02:00"},"timezone":"America/New_York"}"#,
        r#"{"monthly":{"day":["last",-3,15],"at":"00:00"},"jitter":"5m"}"#,
        r#"{"monthly":{"weekday":"first mon","at":"00:00"},"start_at":"2027-01-01T00:00:00"}"#,
        r#"{"yearly":{"month":"mar","day":1,"at":"00:00"},"end_at":"2030-01-01T00:00:00Z"}"#,
        r#"{"at":"2026-12-24T18:00:00","calendars":{"exclude":["holidays"],"shift":"next"}}"#,
        r#"{"startup":true}"#,
    ] {
        let trigger = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(serde_json::to_string(&trigger).unwrap(), text);
    }
}

#[test]
fn a_map_of_cron_fields_is_an_expression() {
    for (fields, expression) in [
        (r#"{"hour": 2}"#, "0 2 * * *"),
        (r#"{"hour": 2, "minute": 30, "day_of_week": "mon-sun"}"#, "30 2 * * mon-sun"),
        (r#"{"minute": 30}"#, "30 * * * *"),
        (r#"{"hour": [2, "5-7"]}"#, "0 2,5-7 * * *"),
        (r#"{"day_of_month": 1}"#, "0 0 1 * *"),
        (r#"{"month": "jun"}"#, "0 0 1 jun *"),
        (r#"{"month": "jun", "day_of_week": "mon#1"}"#, "0 0 * jun mon#1"),
        (r#"{"second": [0, 30], "hour": 2}"#, "0,30 * 2 * * *"),
    ] {
        let trigger = read(&format!(r#"{{"cron": {fields}}}"#)).unwrap();
        assert!(matches!(&trigger.kind, TriggerKind::Cron(cron) if cron.to_string() == expression), "{trigger:?}");
    }
}

#[test]
fn a_shift_needs_calendars() {
    for calendars in [r#"{"shift":"next"}"#, r#"{"shift":"previous","exclude":[]}"#] {
        let error = read(&format!(r#"{{"daily":"03:00","calendars":{calendars}}}"#)).unwrap_err().to_string();
        assert!(error.contains("'calendars.shift' moves fires off dates"), "{error}");
    }
}

#[test]
fn local_times_that_cannot_be_are_refused_by_name() {
    for (text, complaint) in [
        ("+262142-12-31T23:59:59", "'+262142-12-31T23:59:59' is out of range"),
        ("9999-12-31T23:59:59", "the years 1970 to 9998"),
        ("1969-12-31 23:59", "'1969-12-31 23:59' is out of range"),
        ("2027-12-31T23:59:60", "'2027-12-31T23:59:60' has a second 60"),
    ] {
        for key in ["at", "daily\":\"03:00\",\"start_at"] {
            let error = read(&format!(r#"{{"{key}":"{text}"}}"#)).unwrap_err().to_string();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }
    assert!(read(r#"{"at":"9998-12-31T23:59:59.999999"}"#).is_ok() && read(r#"{"at":"1970-01-01T00:00"}"#).is_ok());
}
