//! Aligned columns.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::ansi;
use super::paint::Paint;

/// What stands for the rest of a text that was cut.
const CUT: char = '…';
/// No column is cut to fewer characters.
const NARROWEST: usize = 8;
/// Between two columns.
const GAP: usize = 2;

/// Rows of texts under headings. Every column is as wide as its widest text, unless the line is too narrow for that: then
/// the widest columns are cut.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns whose texts stand to the right.
    right: Vec<usize>,
    /// Columns that are never cut, such as ids that people copy.
    whole: Vec<usize>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
        Self { headings, rows: Vec::new(), right: Vec::new(), whole: Vec::new() }
    }

    /// Lets the texts of a column stand to the right, as numbers do.
    pub(crate) fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    /// Never cuts the texts of a column.
    pub(crate) fn whole(mut self, column: usize) -> Self {
        self.whole.push(column);
        self
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn render(&self, paint: Paint) -> String {
        let widths = self.widths(paint.width());
        let headings: Vec<String> = self.headings.iter().map(|heading| paint.bold(heading)).collect();
        let mut text = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate().take(widths.len()) {
                let cell = cut(cell, widths[column]);
                let space = " ".repeat(widths[column].saturating_sub(shown_width(&cell)));
                let (before, after) =
                    if self.right.contains(&column) { (space, String::new()) } else { (String::new(), space) };
                line = line + &before + &cell + &after + &" ".repeat(GAP);
            }
            text = text + line.trim_end() + "\n";
        }
        text
    }

    /// How wide each column is, if a line has at most `limit` characters.
    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.chain([&self.headings[column]]).map(|cell| shown_width(cell)).max().unwrap_or(0)
            })
            .collect();
        let Some(limit) = limit else { return widths };
        let gaps = GAP * widths.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
        while excess > 0 {
            let widest = (0..widths.len())
                .filter(|column| !self.whole.contains(column) && widths[*column] > NARROWEST)
                .max_by_key(|column| widths[*column]);
            // What cannot be made narrower is longer than a line.
            let Some(widest) = widest else { break };
            widths[widest] -= 1;
            excess -= 1;
        }
        widths
    }
}

/// How many columns of a terminal a text takes, its escape sequences left out.
fn shown_width(text: &str) -> usize {
    ansi::strip(text).width()
}

/// A text in at most `width` columns. Escape sequences stay, so that a colour ends where it should.
fn cut(text: &str, width: usize) -> String {
    if shown_width(text) <= width {
        return text.to_owned();
    }
    let (mut kept, mut used, mut escape, mut full) = (String::new(), 0, false, false);
    for char in text.chars() {
        if escape || char == '\u{1b}' {
            kept.push(char);
            // Our own colours are the only sequences here: they end with a letter.
            escape = !char.is_ascii_alphabetic();
            continue;
        }
        let wide = char.width().unwrap_or(0);
        if !full && used + wide < width {
            kept.push(char);
            used += wide;
        } else if !full {
            kept.push(CUT);
            full = true;
        }
    }
    kept
}

/// Names and values, one pair a line; pairs without a value are left out.
pub(crate) fn facts(pairs: &[(&str, Option<String>)], paint: Paint) -> String {
    let present = || pairs.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?)));
    let width = present().map(|(name, _)| name.len()).max().unwrap_or(0);
    present()
        .map(|(name, value)| {
            let value = value.trim_end().replace('\n', &format!("\n{:width$}  ", ""));
            format!("{}{:space$}  {value}\n", paint.bold(name), "", space = width - name.len())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["RUN", "JOB", "SCHEDULE"]).whole(0);
        let paint = Paint::new(true);
        let schedule = paint.green("0 2 * * *, 30 14 * * *, every 10m");
        table.row(vec!["01MCC5RM00GRCZWG7V06B21GHM".to_owned(), "a-job-with-quite-a-long-name".to_owned(), schedule]);
        table.row(vec!["01MCC5RM00GRCZWG7V06B21GHN".to_owned(), "b".to_owned(), "at 10:00".to_owned()]);
        table
    }

    #[test]
    fn the_widest_columns_are_cut_to_a_narrow_line() {
        let text = ansi::strip(&table().render(Paint::new(false).with_width(Some(60))));
        insta::assert_snapshot!(text, @r"
        RUN                         JOB              SCHEDULE
        01MCC5RM00GRCZWG7V06B21GHM  a-job-with-qui…  0 2 * * *, 30 …
        01MCC5RM00GRCZWG7V06B21GHN  b                at 10:00
        ");
        assert!(text.lines().all(|line| line.width() <= 60));
        // Ids stay whole and no column vanishes, however narrow the line is.
        let narrow = ansi::strip(&table().render(Paint::new(false).with_width(Some(10))));
        assert!(narrow.contains("01MCC5RM00GRCZWG7V06B21GHM  a-job-w…  0 2 * *…"), "{narrow}");
    }

    #[test]
    fn a_cut_text_keeps_the_end_of_its_colour() {
        let paint = Paint::new(true);
        assert_eq!(cut(&paint.red("interrupted"), 8), paint.red("interru…"));
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("whole", 5), "whole");
    }
}
