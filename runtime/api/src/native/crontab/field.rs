//! One field of a line.

use super::super::runs;

/// A field's values as cron reads them. `starred` says that it begins with `*`, which decides how cron takes it: as a pace
/// rather than as times of day, or as a day field that restricts nothing.
pub(super) fn field(set: u64, min: u32, max: u32, starred: bool) -> String {
    if !starred {
        return list(set, min, max);
    }
    // A field that begins with a star has a step that fits from its least value on; the smallest one says the most.
    let multiples = |step: u32| (min..=max).step_by(step as usize).fold(0_u64, |set, value| set | 1 << value);
    let fitting = (1..=max - min + 1).map(|step| (step, multiples(step))).find(|(_, some)| set & some == *some);
    let Some((step, some)) = fitting else { return list(set, min, max) };
    let star = if step == 1 { "*".to_owned() } else { format!("*/{step}") };
    match list(set & !some, min, max) {
        rest if rest.is_empty() => star,
        rest => format!("{star},{rest}"),
    }
}

/// The values as numbers, ranges and steps.
pub(super) fn list(set: u64, min: u32, max: u32) -> String {
    let item = |(first, last, step): (u32, u32, u32)| match (first == last, step) {
        (true, _) => first.to_string(),
        (false, 1) => format!("{first}-{last}"),
        (false, step) => format!("{first}-{last}/{step}"),
    };
    runs(set, min, max).into_iter().map(item).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: impl IntoIterator<Item = u32>) -> u64 {
        values.into_iter().fold(0, |set, value| set | 1 << value)
    }

    #[test]
    fn fields_are_as_short_as_they_can_be_and_keep_their_star() {
        assert_eq!(field(set(0..60), 0, 59, true), "*");
        assert_eq!(field(set(0..60), 0, 59, false), "0-59");
        assert_eq!(field(set((0..60).step_by(5)), 0, 59, true), "*/5");
        assert_eq!(field(set((0..60).step_by(5)), 0, 59, false), "0-55/5");
        assert_eq!(field(set([0, 3, 20, 40]), 0, 59, true), "*/20,3");
        assert_eq!(field(set([0]), 0, 59, true), "*/60");
        assert_eq!(field(set([1, 3, 5, 6, 7, 30]), 1, 31, false), "1-5/2,6-7,30");
        assert_eq!(field(set([8, 20]), 0, 23, false), "8,20");
    }
}
