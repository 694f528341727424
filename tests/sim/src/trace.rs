//! What happens in a life, line by line.

use std::collections::VecDeque;
use std::fmt::Arguments;

use sandglass_core::time::Timestamp;

/// Where the lines go.
#[derive(Debug)]
pub enum Trace {
    /// Nowhere: nothing is even put in words.
    Off,
    /// The last ones are kept.
    Last(VecDeque<String>, usize),
    /// All are printed at once.
    Shown,
}

impl Trace {
    /// Keeps the last `most` lines.
    #[must_use]
    pub fn last(most: usize) -> Self {
        Self::Last(VecDeque::new(), most)
    }

    /// Tells a line.
    pub fn tell(&mut self, now: Timestamp, line: Arguments<'_>) {
        match self {
            Self::Off => {}
            Self::Last(lines, most) => {
                if lines.len() >= *most {
                    lines.pop_front();
                }
                lines.push_back(format!("{now} {line}"));
            }
            Self::Shown => println!("{now} {line}"),
        }
    }

    /// The lines that were kept.
    #[must_use]
    pub fn lines(self) -> Vec<String> {
        match self {
            Self::Last(lines, _) => lines.into(),
            Self::Off | Self::Shown => Vec::new(),
        }
    }
}
