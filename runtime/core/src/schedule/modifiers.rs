//! What narrows and moves the fires of a trigger: its limits, calendars and jitter.

use super::Planning;
use super::allowed::AllowedDates;
use super::fires::ClockRules;
use super::hashed::mix;
use super::nominal::{InZone, Nominal};
use super::occurrence::Occurrence;
use super::zone::{self, Zone};
use crate::spec::{Fold, Gap, LocalOrUtc, Trigger};
use crate::time::Timestamp;

/// The modifiers of a trigger that has any.
#[derive(Clone, Debug)]
pub(super) struct Modifiers {
    /// The first and the last instant, both included.
    start_at: Timestamp,
    end_at: Timestamp,
    /// In milliseconds; 0 for none.
    jitter: u64,
    seed: u64,
    allowed: Option<AllowedDates>,
}

/// The first instant that is written so: what the clocks skip is the end of the gap, what they show twice is the first.
pub(super) fn first_instant(at: LocalOrUtc, zone: &Zone) -> i64 {
    instant(at, zone, Fold::First).as_micros()
}

/// The instant of a limit.
fn instant(at: LocalOrUtc, zone: &Zone, fold: Fold) -> Timestamp {
    match at {
        LocalOrUtc::Utc(at) => at,
        LocalOrUtc::Local(local) => {
            let rules = ClockRules { gap: Gap::End, fold };
            zone::instants_of(local, zone.tz(), rules)[0].unwrap_or(Timestamp::MAX)
        }
    }
}

impl Modifiers {
    /// The modifiers of `trigger`, if it has any.
    pub(super) fn new(trigger: &Trigger, planning: &Planning<'_>, zone: &Zone) -> Option<Box<Self>> {
        let allowed = AllowedDates::new(&trigger.calendars, planning.calendars);
        let none = trigger.start_at.is_none() && trigger.end_at.is_none() && trigger.jitter.is_none();
        if none && allowed.is_none() {
            return None;
        }
        // A period that is not nothing has at least a millisecond.
        let jitter = trigger.jitter.map_or(0, |jitter| u64::try_from(jitter.get().as_millis()).unwrap_or(u64::MAX));
        Some(Box::new(Self {
            start_at: trigger.start_at.map_or(Timestamp::from_micros(i64::MIN), |at| instant(at, zone, Fold::First)),
            end_at: trigger.end_at.map_or(Timestamp::MAX, |at| instant(at, zone, Fold::Last)),
            jitter,
            seed: planning.seed,
            allowed,
        }))
    }

    /// The least fire strictly after `at`, but for what changes of the clocks did to it.
    pub(super) fn next_after(&self, nominal: &Nominal, zone: &Zone, at: Timestamp) -> Option<Occurrence> {
        if self.jitter == 0 {
            return self.nominal_after(nominal, zone, at);
        }
        // A fire is less than the jitter after its nominal instant. Later nominal instants can have earlier fires, where
        // a change of the clocks brings two of them close together.
        let jitter = i64::try_from(self.jitter).unwrap_or(i64::MAX).saturating_mul(1000);
        let mut from = Timestamp::from_micros(at.as_micros().saturating_sub(jitter));
        let mut least: Option<Occurrence> = None;
        while let Some(mut fire) = self.nominal_after(nominal, zone, from) {
            from = fire.nominal;
            if least.as_ref().is_some_and(|least| least.at < from) {
                break;
            }
            fire.at = self.jittered(from);
            // Of two that meet, one that may start a run stands for both.
            let key = |fire: &Occurrence| (fire.at, fire.exclusion.is_some());
            if fire.at > at && least.as_ref().is_none_or(|least| key(&fire) < key(least)) {
                least = Some(fire);
            }
        }
        least
    }

    /// The dates that calendars allow, if they restrict them.
    pub(super) fn allowed(&self) -> Option<&AllowedDates> {
        self.allowed.as_ref()
    }

    fn jittered(&self, nominal: Timestamp) -> Timestamp {
        let part = mix(self.seed ^ mix(nominal.as_micros().cast_unsigned())) % self.jitter;
        nominal.after(std::time::Duration::from_millis(part))
    }

    /// The least fire before jitter.
    pub(super) fn nominal_after(&self, nominal: &Nominal, zone: &Zone, at: Timestamp) -> Option<Occurrence> {
        let at = at.max(Timestamp::from_micros(self.start_at.as_micros() - 1));
        let occurrence = match &self.allowed {
            None => Occurrence::at(nominal.next_after(zone, at)?),
            Some(allowed) => {
                let fire = allowed.next_after(&InZone { nominal, zone }, zone, at)?;
                let (exclusion, moved_from) = (fire.exclusion, fire.moved_from);
                Occurrence { exclusion, moved_from, ..Occurrence::at(fire.at) }
            }
        };
        (occurrence.at <= self.end_at).then_some(occurrence)
    }
}
