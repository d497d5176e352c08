//! Tables by columns.
use std::collections::HashMap;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use serde_json::Value;

/// What the cells of a column are, which says how they are shown and sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
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

/// A column. In JSON, texts are numbers: places in its list of `words`, since few words fill many rows.
#[derive(Clone, Debug, PartialEq)]
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

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut words: Vec<&str> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut shortened = Vec::with_capacity(self.cells.len());
        let texts = matches!(self.kind, Kind::Text | Kind::State);
        for cell in self.cells.iter().filter(|_| texts) {
            let place = cell.as_str().map(|text| {
                *places.entry(text).or_insert_with(|| {
                    words.push(text);
                    words.len() - 1
                })
            });
            shortened.push(place);
        }
        let mut column = serializer.serialize_struct("Column", 5)?;
        column.serialize_field("key", &self.key)?;
        column.serialize_field("label", &self.label)?;
        column.serialize_field("kind", &self.kind)?;
        if texts {
            column.serialize_field("words", &words)?;
            column.serialize_field("cells", &shortened)?;
        } else {
            column.serialize_field("cells", &self.cells)?;
        }
        column.end()
    }
}

/// Rows of a study, as columns.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Table {
    /// What a row is.
    pub noun: &'static str,
    /// Number of rows.
    pub rows: usize,
    /// The columns; all have a cell per row.
    pub columns: Vec<Column>,
}

impl Table {
    /// A table of so many rows.
    pub fn new(rows: usize) -> Self {
        Self { noun: "trial", rows, columns: Vec::new() }
    }

    /// Says what a row is.
    pub fn of(mut self, noun: &'static str) -> Self {
        self.noun = noun;
        self
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_written_once() {
        let mut table = Table::new(4);
        table.column("s", "state", Kind::State, ["a", "b", "a", "a"]);
        table.column("n", "n", Kind::Count, [1, 2]);
        table.column("e", "empty", Kind::Text, [""; 4]);
        let json = serde_json::to_value(&table).unwrap();
        assert_eq!(json["columns"][0]["words"], json!(["a", "b"]));
        assert_eq!(json["columns"][0]["cells"], json!([0, 1, 0, 0]));
        assert_eq!(json["columns"][1]["cells"], json!([1, 2, null, null]));
        assert_eq!(json["columns"].as_array().unwrap().len(), 2, "a column without content is left out");
    }
}
