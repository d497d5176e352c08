//! What a database must be able to do for [`super::Database`].
use std::borrow::Cow;

use crate::error::StudyError;

/// How sure a transaction must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only reads, and sees one state of the database.
    Read,
    /// It survives the death of any process, and on a server a loss of power; in a file a loss of power may undo it until
    /// a later write waited for the disk, as one a second does.
    Write,
    /// It survives a loss of power.
    Durable,
}

/// A value handed to a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arg<'a> {
    Null,
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// Microseconds since 1970.
    Time(i64),
}

impl<'a> Arg<'a> {
    pub(crate) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Arg::Null, Arg::Text)
    }

    pub(crate) fn int(number: Option<i64>) -> Self {
        number.map_or(Arg::Null, Arg::Int)
    }
}

/// A value of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    Float(f64),
    Text(&'a str),
    Time(i64),
}

/// A row of a result.
pub(crate) trait Row {
    /// The value of a column, counted from 0.
    fn cell(&self, column: usize) -> Result<Cell<'_>, StudyError>;
}

impl dyn Row + '_ {
    fn wrong(&self, column: usize, wanted: &str) -> StudyError {
        let found = self.cell(column).map_or_else(|e| e.to_string(), |c| format!("{c:?}"));
        StudyError::content(format!("column {column} of a row"), format!("expected {wanted}, found {found}"))
    }

    pub(crate) fn int_or_null(&self, column: usize) -> Result<Option<i64>, StudyError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Int(i) => Ok(Some(i)),
            Cell::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => Ok(Some(x as i64)),
            _ => Err(self.wrong(column, "a whole number")),
        }
    }

    pub(crate) fn int(&self, column: usize) -> Result<i64, StudyError> {
        self.int_or_null(column)?.ok_or_else(|| self.wrong(column, "a whole number"))
    }

    pub(crate) fn count(&self, column: usize) -> Result<usize, StudyError> {
        usize::try_from(self.int(column)?).map_err(|_| self.wrong(column, "a count"))
    }

    pub(crate) fn float_or_null(&self, column: usize) -> Result<Option<f64>, StudyError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Int(i) => Ok(Some(i as f64)),
            Cell::Float(x) => Ok(Some(x)),
            _ => Err(self.wrong(column, "a number")),
        }
    }

    pub(crate) fn text_or_null(&self, column: usize) -> Result<Option<&str>, StudyError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            _ => Err(self.wrong(column, "a text")),
        }
    }

    pub(crate) fn text(&self, column: usize) -> Result<&str, StudyError> {
        self.text_or_null(column)?.ok_or_else(|| self.wrong(column, "a text"))
    }

    /// A moment; a text that is none counts as none.
    pub(crate) fn time(&self, column: usize) -> Result<Option<i64>, StudyError> {
        match self.cell(column)? {
            Cell::Time(micros) => Ok(Some(micros)),
            Cell::Text(text) => Ok(crate::time::from_text(text)),
            _ => Ok(None),
        }
    }
}

/// What is done with each row.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&dyn Row) -> Result<(), StudyError>;

/// A transaction. Statements have parameters `$1`, `$2`, … whose first uses are in that order.
///
/// Words in braces are where the dialects differ, see [`Words`].
pub(crate) trait Tx {
    /// Runs a statement and returns how many rows it changed.
    fn run(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, StudyError>;

    /// Runs a statement that adds one row, and returns the number that the row was given in a column of such numbers.
    fn add(&mut self, sql: &str, column: &str, args: &[Arg<'_>]) -> Result<i64, StudyError>;

    /// Runs a statement and hands over its rows.
    fn rows(&mut self, sql: &str, args: &[Arg<'_>], each: Each<'_>) -> Result<(), StudyError>;
}

impl dyn Tx + '_ {
    /// The one row that there is at most.
    pub(crate) fn row<T>(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        mut read: impl FnMut(&dyn Row) -> Result<T, StudyError>,
    ) -> Result<Option<T>, StudyError> {
        let mut found = None;
        self.rows(sql, args, &mut |row| {
            found = Some(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// All rows.
    pub(crate) fn all<T>(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        mut read: impl FnMut(&dyn Row) -> Result<T, StudyError>,
    ) -> Result<Vec<T>, StudyError> {
        let mut found = Vec::new();
        self.rows(sql, args, &mut |row| {
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }
}

/// What is done in a transaction; it may be called again after a failure.
pub(crate) type Body<'a> = &'a mut dyn FnMut(&mut dyn Tx) -> Result<(), StudyError>;

/// A connection to a database with Optuna's and Lehr's tables.
pub(crate) trait Driver: Send {
    /// Does something in one transaction: all of it, or nothing where an error is returned.
    fn transaction(&mut self, kind: Kind, doing: &str, body: Body<'_>) -> Result<(), StudyError>;
}

/// The words in which the dialects differ.
pub(crate) struct Words(pub &'static [(&'static str, &'static str)]);

impl Words {
    /// The statement in the dialect.
    pub(crate) fn put<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        let Some(first) = sql.find('{') else { return Cow::Borrowed(sql) };
        let mut text = String::with_capacity(sql.len() + 80);
        text.push_str(&sql[..first]);
        let mut rest = &sql[first..];
        while !rest.is_empty() {
            let (said, length) = match self.0.iter().find(|(word, _)| rest.starts_with(word)) {
                Some((word, meaning)) => (*meaning, word.len()),
                None => ("{", 1),
            };
            text.push_str(said);
            rest = &rest[length..];
            let next = rest.find('{').unwrap_or(rest.len());
            text.push_str(&rest[..next]);
            rest = &rest[next..];
        }
        Cow::Owned(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn words_are_put_into_a_statement() {
        let words = Words(&[("{lock}", "FOR UPDATE"), ("{none}", "")]);
        assert_eq!(words.put("SELECT 1"), "SELECT 1");
        assert_eq!(
            words.put("{none}SELECT '{\"a\": {}}' {lock}{lock}"),
            "SELECT '{\"a\": {}}' FOR UPDATEFOR UPDATE"
        );
    }
}
