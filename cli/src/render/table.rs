//! Aligned columns.

use unicode_width::UnicodeWidthStr as _;

use super::ansi;
use super::paint::Paint;

/// Rows of texts under headings. Every column but the last is as wide as its widest text.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns whose texts stand to the right.
    right: Vec<usize>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
        Self { headings, rows: Vec::new(), right: Vec::new() }
    }

    /// Lets the texts of a column stand to the right, as numbers do.
    pub(crate) fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn render(&self, paint: Paint) -> String {
        let columns = self.headings.len();
        let width = |text: &String| ansi::strip(text).width();
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.chain([&self.headings[column]]).map(width).max().unwrap_or(0)
            })
            .collect();
        let headings: Vec<String> = self.headings.iter().map(|heading| paint.bold(heading)).collect();
        let mut text = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate().take(columns) {
                let space = " ".repeat(widths[column].saturating_sub(width(cell)));
                let (before, after) =
                    if self.right.contains(&column) { (space, String::new()) } else { (String::new(), space) };
                line = line + &before + cell + &after + "  ";
            }
            text = text + line.trim_end() + "\n";
        }
        text
    }
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
