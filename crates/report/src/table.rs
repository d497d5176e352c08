//! Small tables of text.
use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, LineStyle, Table as Grid};

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of text under headers; wide characters are counted as the terminal shows them.
///
/// ```
/// use lehr_report::{Align, Table};
/// let mut table = Table::new([("schedule", Align::Left), ("loss", Align::Right)]);
/// table.row(["cosine", "0.5123"]);
/// table.row(["constant", "12.3"]);
/// assert_eq!(table.text(), "\
/// schedule    loss
/// ────────────────
/// cosine    0.5123
/// constant    12.3
/// ");
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = (S, Align)>) -> Self {
        let columns = columns.into_iter().map(|(name, align)| (line(name), align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, surplus ones are dropped.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) -> &mut Self {
        let mut cells: Vec<String> = cells.into_iter().take(self.columns.len()).map(line).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
        self
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table for a terminal: headers, a rule, rows; columns two blanks apart, no trailing
    /// blanks, every line ended.
    pub fn text(&self) -> String {
        let rule = LineStyle::none().fill('─').junction('─');
        let mut grid = self.grid();
        grid.load_style(NOTHING.header_separator(rule));
        let last = self.columns.len().saturating_sub(1);
        for (i, column) in grid.column_iter_mut().enumerate() {
            column.set_padding((0, if i == last { 0 } else { 1 }));
        }
        grid.trim_fmt() + "\n"
    }

    /// The table in Markdown; bars in cells are escaped.
    pub fn markdown(&self) -> String {
        let mut escaped = self.clone();
        let cells = escaped.columns.iter_mut().map(|c| &mut c.0).chain(escaped.rows.iter_mut().flatten());
        cells.for_each(|cell| *cell = cell.replace('|', "\\|"));
        let mut grid = escaped.grid();
        grid.load_style(ASCII_MARKDOWN);
        let mut lines: Vec<String> = grid.lines().collect();
        if let Some(rule) = lines.get_mut(1) {
            *rule = aligned_rule(rule, &self.columns);
        }
        lines.join("\n") + "\n"
    }

    fn grid(&self) -> Grid {
        let mut grid = Grid::new();
        grid.set_header(self.columns.iter().map(|c| c.0.as_str()));
        grid.add_rows(&self.rows);
        for (column, (_, align)) in grid.column_iter_mut().zip(&self.columns) {
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        grid
    }
}

/// Marks the right-aligned columns in the rule of a Markdown table.
fn aligned_rule(rule: &str, columns: &[(String, Align)]) -> String {
    let mut out = String::from("|");
    for (part, (_, align)) in rule.trim_matches('|').split('|').zip(columns) {
        match align {
            Align::Left => out.push_str(part),
            Align::Right => {
                out.push_str(part.get(1..).unwrap_or(part));
                out.push(':');
            }
        }
        out.push('|');
    }
    out
}

/// A cell is one line: control characters become spaces.
fn line(text: impl Into<String>) -> String {
    let text: String = text.into();
    if text.chars().any(char::is_control) {
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_escapes_and_aligns() {
        let mut table = Table::new([("name", Align::Left), ("loss", Align::Right)]);
        table.row(["a|b\nc", "1"]).row(["only"]);
        let text = table.markdown();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "| name   | loss |");
        assert_eq!(lines[1], "|--------|-----:|");
        assert_eq!(lines[2], "| a\\|b c |    1 |");
        assert_eq!(lines[3], "| only   |      |");
    }

    #[test]
    fn wide_names_keep_the_columns() {
        let mut table = Table::new([("name", Align::Left), ("n", Align::Right)]);
        table.row(["漢字", "1"]).row(["abcd", "22"]);
        assert_eq!(table.text(), "name   n\n────────\n漢字   1\nabcd  22\n");
        let empty = Table::new([("name", Align::Left)]);
        assert!(empty.is_empty() && empty.text().starts_with("name"));
    }
}
