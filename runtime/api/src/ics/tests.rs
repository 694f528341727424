use super::*;

/// The dates of the events, each as `2027-01-01` or `2027-12-24..2028-01-01`.
fn dates(events: &str) -> Result<String, String> {
    let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}\r\nEND:VCALENDAR\r\n");
    let calendar = read(&text, "test".parse().unwrap()).map_err(|error| error.to_string())?;
    let shown = calendar.dates.iter().map(|dates| match (dates.from(), dates.to()) {
        (from, to) if from == to => from.to_string(),
        (from, to) => format!("{from}..{to}"),
    });
    Ok(shown.collect::<Vec<_>>().join(" "))
}

fn event(lines: &str) -> Result<String, String> {
    dates(&format!("BEGIN:VEVENT\r\nUID:1\r\n{}\r\nEND:VEVENT", lines.replace('\n', "\r\n")))
}

#[test]
fn events_are_on_the_dates_of_their_own_clock() {
    for (lines, expected) in [
        ("DTSTART;VALUE=DATE:20270101", "2027-01-01"),
        ("DTSTART;VALUE=DATE:20270101\nDTEND;VALUE=DATE:20270102", "2027-01-01"),
        ("DTSTART;VALUE=DATE:20271224\nDTEND;VALUE=DATE:20280102", "2027-12-24..2028-01-01"),
        ("DTSTART;VALUE=DATE:20270101\nDURATION:P3D", "2027-01-01..2027-01-03"),
        ("DTSTART;VALUE=DATE:20270101\nDURATION:P1W", "2027-01-01..2027-01-07"),
        ("DTSTART:20270101T230000Z\nDURATION:PT1H", "2027-01-01"),
        ("DTSTART:20270101T230000Z\nDURATION:PT1H1S", "2027-01-01..2027-01-02"),
        (
            "DTSTART;TZID=Europe/Berlin:20270101T233000\nDTEND;TZID=Europe/Berlin:20270102T003000",
            "2027-01-01..2027-01-02",
        ),
        ("DTSTART;TZID=America/New_York:20270101T180000\nDTEND:20270102T000000Z", "2027-01-01"),
        ("DTSTART;TZID=\"Our Time\":20270101T180000\nDTEND;TZID=\"Our Time\":20270101T190000", "2027-01-01"),
        ("DTSTART:20270101T120000", "2027-01-01"),
        ("DTSTART:20270101T120000\nSTATUS:CANCELLED", ""),
    ] {
        assert_eq!(event(lines).unwrap(), expected, "{lines}");
    }
}

#[test]
fn recurrences_are_followed() {
    for (rule, expected) in [
        ("RRULE:FREQ=YEARLY;COUNT=3", "2027-01-01 2028-01-01 2029-01-01"),
        ("RRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20270115", "2027-01-01 2027-01-08 2027-01-15"),
        ("RRULE:FREQ=DAILY;UNTIL=20270103T000000Z", "2027-01-01..2027-01-03"),
        ("RRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;VALUE=DATE:20270108", "2027-01-01 2027-01-15"),
        ("RDATE;VALUE=DATE:20270301,20270401", "2027-01-01 2027-03-01 2027-04-01"),
        ("RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=2", "2027-01-01 2027-11-25 2028-11-23"),
    ] {
        assert_eq!(event(&format!("DTSTART;VALUE=DATE:20270101\n{rule}")).unwrap(), expected, "{rule}");
    }
    let yearly = event("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=YEARLY").unwrap();
    assert!(yearly.ends_with(" 2099-12-25"), "{yearly}");
    assert_eq!(yearly.split(' ').count(), 73);
    let daily = event("DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=DAILY").unwrap();
    assert_eq!(daily, "2027-01-01..2099-12-31");
    // The recurrences keep their date by the event's clock, summer and winter.
    let evening = "DTSTART;TZID=America/New_York:20270312T233000\nRRULE:FREQ=DAILY;COUNT=4\n\
                   EXDATE;TZID=America/New_York:20270314T233000";
    assert_eq!(event(evening).unwrap(), "2027-03-12..2027-03-13 2027-03-15");
    assert_eq!(
        event(&evening.replace("TZID=America/New_York:20270314T233000", "X=1:20270315T033000Z")).unwrap(),
        "2027-03-12..2027-03-13 2027-03-15"
    );
}

#[test]
fn one_recurrence_can_be_moved_or_cancelled() {
    let series = "BEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20270101\nRRULE:FREQ=WEEKLY;COUNT=4\nEND:VEVENT\n";
    let moved = "BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;VALUE=DATE:20270108\nDTSTART;VALUE=DATE:20270109\nEND:VEVENT\n";
    let cancelled = "BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;VALUE=DATE:20270115\nDTSTART;VALUE=DATE:20270115\nSTATUS:CANCELLED\nEND:VEVENT";
    assert_eq!(dates(&format!("{moved}{series}{cancelled}")).unwrap(), "2027-01-01 2027-01-09 2027-01-22");
}

#[test]
fn what_is_no_event_is_passed_over() {
    let text = "BEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:19701025T030000\nRRULE:FREQ=YEARLY\nEND:STANDARD\n\
                END:VTIMEZONE\nBEGIN:VTODO\nDTSTART:nonsense\nEND:VTODO\nBEGIN:VEVENT\nDTSTART:20270101T120000\n\
                BEGIN:VALARM\nTRIGGER:-PT15M\nDURATION:nonsense\nEND:VALARM\nEND:VEVENT";
    assert_eq!(dates(text).unwrap(), "2027-01-01");
}

#[test]
fn the_calendar_describes_itself() {
    let text = "BEGIN:VCALENDAR\nX-WR-CALNAME:Feiertage\\, Berlin\nEND:VCALENDAR\n";
    let calendar = read(text, "de".parse().unwrap()).unwrap();
    assert_eq!(calendar.description.as_deref(), Some("Feiertage, Berlin"));
    assert!(calendar.dates.is_empty());
}

#[test]
fn faults_are_told_with_their_line() {
    for (text, complaint) in [
        ("", "line 1: the file is empty"),
        ("hello", "line 1: 'hello' is not NAME:VALUE"),
        ("<html>\n", "line 1: '<html>' is not NAME:VALUE"),
        ("BEGIN:VCARD\nEND:VCARD", "line 1: an iCalendar file begins with BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\n", "line 1: VCALENDAR begins here and never ends"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR", "line 3: this ends VCALENDAR, but VEVENT, begun in line 2"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR", "line 2: the event has no DTSTART"),
    ] {
        let error = read(text, "a".parse().unwrap()).unwrap_err().to_string();
        assert!(error.starts_with(complaint), "{text:?}: {error}");
    }
    for (lines, complaint) in [
        ("DTSTART:tomorrow", "line 5: DTSTART: 'tomorrow' is neither a date"),
        ("DTSTART;VALUE=DATE:20270230", "line 5: DTSTART: '20270230' is neither"),
        ("DTSTART;VALUE=DATE:20270102\nDTEND;VALUE=DATE:20270101", "line 6: DTEND: the event ends before it begins"),
        ("DTSTART;VALUE=DATE:20270102\nDTEND;VALUE=DATE:29990101", "line 6: DTEND: the event lasts longer than"),
        ("DTSTART;VALUE=DATE:20270102\nDURATION:1D", "line 6: DURATION: write a duration such as P1D"),
        ("DTSTART;VALUE=DATE:20270102\nRRULE:FREQ=SOMETIMES", "line 6: RRULE: "),
        ("DTSTART;VALUE=DATE:20270102\nRRULE:FREQ=SECONDLY", "line 6: RRULE: the event recurs more than 50000 times"),
        ("DTSTART;VALUE=DATE:20270102\nEXDATE:20270101,x", "line 6: EXDATE: 'x' is neither"),
        ("DTSTART;VALUE=DATE", "line 5: DTSTART has no value"),
    ] {
        let text = format!("BEGIN:VCALENDAR\n\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n");
        let error = read(&text, "a".parse().unwrap()).unwrap_err().to_string();
        assert!(error.starts_with(complaint), "{lines:?}: {error}");
    }
}

#[test]
fn all_events_together_recur_a_bounded_number_of_times() {
    let event = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:19700101\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n";
    let file = |count: usize| format!("BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n", event.repeat(count));
    // A day of every year from 1970 to 2099 makes 47,482 recurrences.
    assert!(read(&file(3), "a".parse().unwrap()).is_ok());
    let error = read(&file(60), "a".parse().unwrap()).unwrap_err();
    assert!(error.message.contains("recur more than 1000000 times"), "{error}");
    assert_eq!(error.line, 1 + 21 * 5 + 4);
}
