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
/// columns give way as they were told to, and at last the widest are cut.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns whose texts stand to the right.
    right: Vec<usize>,
    /// Columns that are never cut, such as ids that people copy.
    whole: Vec<usize>,
    /// What gives way in a line that is too narrow, the first first.
    yielding: Vec<Yielding>,
}

/// How a column gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Yielding {
    /// It is left out.
    Gone(usize),
    /// Its texts stand in lines of their own, under their rows.
    Under(usize),
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
        Self { headings, rows: Vec::new(), right: Vec::new(), whole: Vec::new(), yielding: Vec::new() }
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

    /// Leaves a column out if the line is too narrow for it, once what was told to give way before has.
    pub(crate) fn spare(mut self, column: usize) -> Self {
        self.yielding.push(Yielding::Gone(column));
        self
    }

    /// Puts the texts of a column under their rows if the line is too narrow, once what was told to give way before has.
    pub(crate) fn under(mut self, column: usize) -> Self {
        self.yielding.push(Yielding::Under(column));
        self
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn render(&self, paint: Paint) -> String {
        let (widths, under) = self.layout(paint.width());
        let headings: Vec<String> = self.headings.iter().map(|heading| paint.bold(heading)).collect();
        let mut text = String::new();
        for (index, row) in std::iter::once(&headings).chain(&self.rows).enumerate() {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate().take(widths.len()) {
                let Some(width) = widths[column] else { continue };
                let cell = cut(cell, width);
                let space = " ".repeat(width.saturating_sub(shown_width(&cell)));
                let (before, after) =
                    if self.right.contains(&column) { (space, String::new()) } else { (String::new(), space) };
                line = line + &before + &cell + &after + &" ".repeat(GAP);
            }
            text = text + line.trim_end() + "\n";
            let below = under.iter().filter_map(|column| row.get(*column)).filter(|cell| index > 0 && !cell.is_empty());
            text.extend(below.map(|cell| format!("{}{cell}\n", " ".repeat(GAP))));
        }
        text
    }

    /// How wide each column is, if a line has at most `limit` characters; none for those that gave way. Then those whose
    /// texts stand under their rows.
    fn layout(&self, limit: Option<usize>) -> (Vec<Option<usize>>, Vec<usize>) {
        let natural = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.chain([&self.headings[column]]).map(|cell| shown_width(cell)).max().unwrap_or(0)
        };
        let mut widths: Vec<Option<usize>> = (0..self.headings.len()).map(|column| Some(natural(column))).collect();
        let mut under = Vec::new();
        let Some(limit) = limit else { return (widths, under) };
        for yielding in &self.yielding {
            if excess(&widths, limit) == 0 {
                break;
            }
            let (Yielding::Gone(column) | Yielding::Under(column)) = *yielding;
            widths[column] = None;
            under.extend((*yielding == Yielding::Under(column)).then_some(column));
        }
        for _ in 0..excess(&widths, limit) {
            let cuttable = widths.iter_mut().enumerate().filter(|(column, _)| !self.whole.contains(column));
            let widest = cuttable.filter_map(|(_, width)| width.as_mut()).filter(|width| **width > NARROWEST);
            // What cannot be made narrower is longer than a line.
            let Some(widest) = widest.max_by_key(|width| **width) else { break };
            *widest -= 1;
        }
        (widths, under)
    }
}

/// By how many characters columns of these widths are too wide for a line of `limit`.
fn excess(widths: &[Option<usize>], limit: usize) -> usize {
    let present = widths.iter().flatten();
    let gaps = GAP * present.clone().filter(|width| **width > 0).count().saturating_sub(1);
    (present.sum::<usize>() + gaps).saturating_sub(limit)
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
    fn columns_give_way_in_order_and_times_stay_whole() {
        let mut table = Table::new(&["Europe/Berlin", "UTC", "", ""]).whole(0).spare(1).under(3).spare(2);
        let local = "Sun 2027-03-28 03:30:00 CEST";
        let note = "moved: the clocks skip its time";
        table.row([local, "2027-03-28T01:30:00Z", "in 126d 10h", note].map(str::to_owned).to_vec());
        let at = |width| {
            table.render(Paint::new(false).with_width(Some(width))).lines().skip(1).collect::<Vec<_>>().join("|")
        };
        assert_eq!(at(100), format!("{local}  2027-03-28T01:30:00Z  in 126d 10h  {note}"));
        assert_eq!(at(80), format!("{local}  in 126d 10h  {note}"));
        assert_eq!(at(60), format!("{local}  in 126d 10h|  {note}"));
        assert_eq!(at(30), format!("{local}|  {note}"));
        assert_eq!(at(10), format!("{local}|  {note}"));
    }

    #[test]
    fn a_cut_text_keeps_the_end_of_its_colour() {
        let paint = Paint::new(true);
        assert_eq!(cut(&paint.red("interrupted"), 8), paint.red("interru…"));
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("whole", 5), "whole");
    }
}
