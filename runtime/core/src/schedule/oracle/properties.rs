//! What is true of every trigger.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn fires_are_those_of_the_oracle(expression in expression(), rules in rules(), (zone, from) in place()) {
        let Some(schedule) = cron(&expression.text(), rules, zone) else { return Ok(()) };
        let to = from + Duration::hours(60);
        let oracle = expression.fires(rules, zone, from, to);
        prop_assert_eq!(all_fires(&schedule, from, to), oracle, "'{}' in {} from {}", expression.text(), zone, from);
    }

    #[test]
    fn any_instant_leads_to_the_next_fire(
        expression in expression(), rules in rules(), (zone, from) in place(), at in 0..60 * 3600_i64,
    ) {
        let Some(schedule) = cron(&expression.text(), rules, zone) else { return Ok(()) };
        let at = from + Duration::seconds(at);
        let to = at + Duration::hours(30);
        let fire = schedule.next_after(at.into()).map(Timestamp::to_chrono).filter(|fire| *fire < to);
        prop_assert_eq!(fire, expression.fires(rules, zone, from, to).into_iter().find(|fire| *fire > at));
    }

    #[test]
    fn forms_by_the_calendar_are_those_of_the_oracle(trigger in by_calendar(), rules in rules(), (zone, from) in place()) {
        // Days that never come are refused.
        let Ok(read) = serde_json::from_value::<Trigger>(trigger.kind.clone()) else { return Ok(()) };
        let schedule = schedule(read.kind, rules, zone);
        let to = from + Duration::hours(60);
        let oracle = fires_of(|local| trigger.names(local), rules, zone, from, to);
        prop_assert_eq!(all_fires(&schedule, from, to), oracle, "in {} from {}", zone, from);
    }

    #[test]
    fn fires_rise_and_do_not_depend_on_where_one_looks_from(
        trigger in modified(), (zone, from) in place(), seed: u64, cuts in vec(0..20 * 86_400_i64, 1..20),
    ) {
        let Ok(trigger) = serde_json::from_value::<Trigger>(trigger) else { return Ok(()) };
        let calendars = calendars();
        let schedule = Schedule::new(&trigger, &Planning { zone, since: from.into(), seed, calendars: &calendars });
        let first = schedule.occurrence_after(from.into());
        let fires: Vec<Occurrence> =
            std::iter::successors(first, |fire| schedule.occurrence_after(fire.at)).take(60).collect();
        prop_assert!(fires.windows(2).all(|pair| pair[0].at < pair[1].at));
        let Some(end) = fires.last().map(|fire| fire.at) else { return Ok(()) };
        for cut in cuts {
            let at = Timestamp::from(from + Duration::seconds(cut));
            let wanted = fires.iter().find(|fire| fire.at > at);
            if at < end {
                prop_assert_eq!(schedule.next_after(at), wanted.map(|fire| fire.at), "after {}", at);
                prop_assert_eq!(schedule.occurrence_after(at), wanted.cloned());
            }
        }
        // Jitter moves fires and neither adds nor hides any.
        let plain = Trigger { jitter: None, ..trigger };
        let plain = Schedule::new(&plain, &Planning { zone, since: from.into(), seed, calendars: &calendars });
        for fire in &fires {
            let before = Timestamp::from_micros(fire.nominal.as_micros() - 1);
            prop_assert_eq!(plain.next_after(before), Some(fire.nominal));
        }
    }

    #[test]
    fn rare_days_are_found(
        day in prop_oneof![item(1, 31), counted_day()], month in item(1, 12),
        weekday in field_of(0, 6, 1, prop_oneof![item(0, 6), counted_weekday()]), since in 0..40_000_u64,
    ) {
        let star = Field { text: "0".to_owned(), values: BTreeSet::from([0]), counted: Vec::new() };
        let expression = Expression { fields: [star.clone(), star, day, month, weekday] };
        let from = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::Days::new(since);
        let last = NaiveDate::from_ymd_opt(2099, 12, 31).unwrap();
        let oracle = from.iter_days().skip(1).take_while(|day| *day <= last).find(|day| expression.names_day(*day));
        match cron(&expression.text(), SHIFT_FIRST, Tz::UTC) {
            Some(schedule) => {
                let fire = schedule.next_after(from.and_time(chrono::NaiveTime::MIN).and_utc().into());
                prop_assert_eq!(fire.map(|fire| fire.to_chrono().date_naive()), oracle);
            }
            None => prop_assert_eq!(oracle, None, "'{}' fires after all", expression.text()),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}|[0-9*?/,LWH#a-z @-]{0,60}|([0-9*/,-]{1,5} ){4,6}[a-z0-9*]{0,4}") {
        match text.parse::<CronExpression>() {
            Ok(expression) => prop_assert_eq!(expression.to_string(), text),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_instant_may_be_asked(expression in expression(), at: i64, (zone, _) in place()) {
        if let Some(schedule) = cron(&expression.text(), SHIFT_FIRST, zone) {
            let at = Timestamp::from_micros(at);
            prop_assert!(schedule.next_after(at).is_none_or(|fire| fire > at));
        }
    }
}
