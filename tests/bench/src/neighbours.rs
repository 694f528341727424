//! What other processes took of the machine while something was measured: figures from a busy machine mean little, and a
//! reader must see that they are from one.

use std::fs;
use std::time::Instant;

use crate::measure::clock;

/// The kernel counts in hundredths of a second, whatever it ticks by.
const TICKS_PER_SECOND: f64 = 100.0;

/// The machine at a moment: the work that all processes and this one, with its ended children, have done so far.
pub(crate) struct Neighbours {
    all: u64,
    own: u64,
    at: Instant,
}

impl Neighbours {
    pub(crate) fn look() -> Self {
        let all = fs::read_to_string("/proc/stat").ok().and_then(|text| all(&text));
        let own = fs::read_to_string("/proc/self/stat").ok().and_then(|text| own(&text));
        Self { all: all.unwrap_or_default(), own: own.unwrap_or_default(), at: clock() }
    }

    /// How many cores the others have used since this look. Children that are still going count as others.
    pub(crate) fn cores_since(&self) -> f64 {
        let now = Self::look();
        let ticks = now.all.saturating_sub(self.all).saturating_sub(now.own.saturating_sub(self.own));
        ticks as f64 / TICKS_PER_SECOND / (now.at - self.at).as_secs_f64().max(0.001)
    }
}

/// The work of all processes: in programs, with low priority, in the kernel, and for interrupts.
fn all(text: &str) -> Option<u64> {
    let numbers: Vec<u64> = text.lines().next()?.split_whitespace().skip(1).map_while(|n| n.parse().ok()).collect();
    let [user, nice, system, _idle, _waiting, interrupts, soft_interrupts, ..] = numbers[..] else { return None };
    Some(user + nice + system + interrupts + soft_interrupts)
}

/// The work of this process and of its children that have ended. The name before it may hold anything.
fn own(text: &str) -> Option<u64> {
    let (_, fields) = text.rsplit_once(") ")?;
    fields.split(' ').skip(11).take(4).map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_numbers_are_read() {
        assert_eq!(all("cpu  10 20 30 400 50 6 7 8 0 0\ncpu0 1"), Some(73));
        assert_eq!(all("cpu  10"), None);
        assert_eq!(own("42 (a) S (b) S 1 40 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0"), Some(26));
        assert_eq!(own("42"), None);
    }
}
