//! Tables in kubectl's format: headings in capitals, three spaces between columns, no borders.

use jiff::Timestamp;

use crate::model::words;

/// Rows with headings.
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(heads: &[&'static str]) -> Self {
        Table { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with as many cells as there are headings.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as text.
    pub fn render(&self, no_headers: bool) -> String {
        let mut lines: Vec<Vec<&str>> = Vec::new();
        if !no_headers {
            lines.push(self.heads.clone());
        }
        lines.extend(self.rows.iter().map(|r| r.iter().map(String::as_str).collect()));
        let width = |column: usize| lines.iter().filter_map(|l| l.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.heads.len()).map(width).collect();
        let mut text = String::new();
        for line in lines {
            let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            text.push_str(cells.join("   ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// Time since a timestamp, in kubectl's format: `45s`, `12m`, `5h`, `3d`.
pub fn age(since: &str) -> String {
    let Ok(since) = since.parse::<Timestamp>() else { return "<unknown>".into() };
    words::age(crate::clock::now().duration_since(since).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["NAME", "AGE"]);
        table.row(vec!["keyvault-my-vault".into(), "3d".into()]);
        assert_eq!(table.render(false), "NAME                AGE\nkeyvault-my-vault   3d\n");
        assert_eq!(table.render(true), "keyvault-my-vault   3d\n");
    }
}
