//! Logs of training as CSV: a header, then one line per logged step.

use std::path::{Path, PathBuf};

/// Why a log cannot be read; the text says where and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LogError(pub String);

/// The lines of a file, split into fields.
#[derive(Debug, Clone)]
pub struct Log {
    path: PathBuf,
    header: Vec<String>,
    lines: Vec<Line>,
}

/// One line after the header.
#[derive(Debug, Clone)]
pub struct Line {
    number: u64,
    fields: csv::StringRecord,
}

impl Log {
    /// Reads a file; blank lines are left out.
    ///
    /// # Errors
    /// If the file cannot be read, or is no text.
    pub fn read(path: &Path) -> Result<Self, LogError> {
        let fail = |error: csv::Error| LogError(format!("cannot read {}: {error}", path.display()));
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .flexible(true)
            .from_path(path)
            .map_err(|error| match error.kind() {
                csv::ErrorKind::Io(source) => LogError(format!("cannot read {}: {source}", path.display())),
                _ => fail(error),
            })?;
        let header = reader.headers().map_err(fail)?.iter().map(str::to_owned).collect();
        let line = |record: csv::StringRecord| Line {
            number: record.position().map_or(0, csv::Position::line),
            fields: record,
        };
        let lines =
            reader.records().map(|record| record.map(line)).collect::<Result<_, _>>().map_err(fail)?;
        Ok(Self { path: path.to_owned(), header, lines })
    }

    /// The names of the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The place of a column, if there is one of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|found| found == name)
    }

    /// The place of a column that has to be there.
    ///
    /// # Errors
    /// If it is not; the message names those that are.
    pub fn place(&self, name: &str) -> Result<usize, LogError> {
        self.find(name).ok_or_else(|| {
            let (file, names) = (self.path.display(), self.header.join(", "));
            LogError(format!("{file} has no column '{name}'; it has {names}"))
        })
    }

    /// The number in a column; nothing where the field is empty. NaN and infinities are what they are.
    ///
    /// # Errors
    /// If the field is neither empty nor a number.
    pub fn value(&self, line: &Line, column: usize) -> Result<Option<f64>, LogError> {
        match line.fields.get(column).unwrap_or("") {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.wrong(line, column, "a number")),
        }
    }

    /// The number in a column that must not be empty.
    ///
    /// # Errors
    /// If the field is no number.
    pub fn number(&self, line: &Line, column: usize) -> Result<f64, LogError> {
        self.value(line, column)?.ok_or_else(|| self.wrong(line, column, "a number"))
    }

    /// The step in a column: a whole number.
    ///
    /// # Errors
    /// If the field is no whole number of at least 0.
    pub fn step(&self, line: &Line, column: usize) -> Result<u64, LogError> {
        let step = self.number(line, column)?;
        match (0.0..=1e15).contains(&step) && step.fract() == 0.0 {
            true => Ok(step as u64),
            false => Err(self.wrong(line, column, "a step")),
        }
    }

    fn wrong(&self, line: &Line, column: usize, what: &str) -> LogError {
        let name = self.header.get(column).map_or("", String::as_str);
        let field = line.fields.get(column).unwrap_or("");
        LogError(format!("{} line {}, {name}: '{field}' is not {what}", self.path.display(), line.number))
    }

    /// The lines by run, in the order in which runs first occur: those with the same text in the column `by`, or all
    /// of them, named after the file, where there is no such column.
    pub fn runs(&self, by: &str) -> Vec<(String, Vec<&Line>)> {
        let by = self.find(by);
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let mut runs: Vec<(String, Vec<&Line>)> = Vec::new();
        for line in &self.lines {
            let name = by.and_then(|by| line.fields.get(by)).unwrap_or(&stem);
            match runs.iter_mut().find(|(run, _)| run == name) {
                Some((_, lines)) => lines.push(line),
                None => runs.push((name.to_owned(), vec![line])),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields_short_lines_and_wrong_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        std::fs::write(&path, "step, run ,loss\n1,\"a, b\",0.5\n\n2,c\n3,\"a, b\",x\n").unwrap();
        let log = Log::read(&path).unwrap();
        let runs = log.runs("run");
        assert_eq!(
            runs.iter().map(|run| (run.0.as_str(), run.1.len())).collect::<Vec<_>>(),
            [("a, b", 2), ("c", 1)]
        );
        let loss = log.place("loss").unwrap();
        assert_eq!(log.value(runs[0].1[0], loss), Ok(Some(0.5)));
        assert_eq!(log.value(runs[1].1[0], loss), Ok(None));
        let wrong = log.value(runs[0].1[1], loss).unwrap_err().to_string();
        assert!(wrong.ends_with("line 5, loss: 'x' is not a number"), "{wrong}");
        assert!(log.place("lr").unwrap_err().to_string().contains("it has step, run, loss"));
        assert_eq!(log.runs("none")[0].0, "log");
        std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
        assert!(Log::read(&path).is_err());
    }
}
