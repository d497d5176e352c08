//! Tables by columns.
use serde::Serialize;
use serde_json::Value;

/// What the cells of a column are, which says how they are shown and sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A whole number.
    Count,
    /// A learning rate or another number over many magnitudes.
    Rate,
    /// A value of the objective.
    Value,
    /// Any other number.
    Number,
    /// A time span in seconds.
    Duration,
    /// Words.
    Text,
    /// The state of a trial.
    State,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// Its name in files.
    pub key: String,
    /// Its heading.
    pub label: String,
    /// What its cells are.
    pub kind: Kind,
    /// One cell per row; `null` where there is none.
    pub cells: Vec<Value>,
}

/// Rows of a study, as columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Table {
    /// Number of rows.
    pub rows: usize,
    /// The columns; all have a cell per row.
    pub columns: Vec<Column>,
}

impl Table {
    /// A table of so many rows.
    pub fn new(rows: usize) -> Self {
        Self { rows, columns: Vec::new() }
    }

    /// Adds a column unless none of its cells holds anything.
    pub fn column<V: Into<Value>>(
        &mut self,
        key: impl Into<String>,
        label: impl Into<String>,
        kind: Kind,
        cells: impl IntoIterator<Item = V>,
    ) {
        let mut cells: Vec<Value> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.rows, Value::Null);
        let empty = |cell: &Value| cell.is_null() || cell.as_str().is_some_and(str::is_empty);
        if !cells.iter().all(empty) {
            self.columns.push(Column { key: key.into(), label: label.into(), kind, cells });
        }
    }

    /// The column of a name.
    pub fn get(&self, key: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.key == key)
    }
}
