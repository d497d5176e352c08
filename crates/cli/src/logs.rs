//! Logs of training as CSV: a header, then one line per logged step.

use std::path::Path;

use crate::failure::Failure;

/// The lines of a file, split into fields.
pub struct Log {
    shown: String,
    stem: String,
    header: Vec<String>,
    lines: Vec<Line>,
}

/// One line after the header.
pub struct Line {
    number: usize,
    fields: Vec<String>,
}

impl Log {
    /// Reads a file; blank lines are left out.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
        let split = |line: &str| line.split(',').map(|field| field.trim().to_owned()).collect::<Vec<_>>();
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let header = lines.next().map_or(Vec::new(), |(_, line)| split(line));
        let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let lines = lines.map(|(i, line)| Line { number: i + 1, fields: split(line) }).collect();
        Ok(Self { shown, stem, header, lines })
    }

    /// The place of a column, if there is one of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|found| found == name)
    }

    /// The place of a column that has to be there.
    pub fn place(&self, name: &str) -> Result<usize, Failure> {
        self.find(name).ok_or_else(|| {
            let names = self.header.join(", ");
            Failure::usage(format!("{} has no column '{name}'; it has {names}", self.shown))
        })
    }

    /// The number in a column; nothing where the field is empty. NaN and infinities are what they are.
    pub fn value(&self, line: &Line, column: usize) -> Result<Option<f64>, Failure> {
        match line.fields.get(column).map_or("", String::as_str) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.wrong(line, column, "a number")),
        }
    }

    /// The number in a column that must not be empty.
    pub fn number(&self, line: &Line, column: usize) -> Result<f64, Failure> {
        self.value(line, column)?.ok_or_else(|| self.wrong(line, column, "a number"))
    }

    /// The step in a column: a whole number.
    pub fn step(&self, line: &Line, column: usize) -> Result<u64, Failure> {
        let step = self.number(line, column)?;
        match (0.0..=1e15).contains(&step) && step.fract() == 0.0 {
            true => Ok(step as u64),
            false => Err(self.wrong(line, column, "a step")),
        }
    }

    fn wrong(&self, line: &Line, column: usize, what: &str) -> Failure {
        let name = self.header.get(column).map_or("", String::as_str);
        let field = line.fields.get(column).map_or("", String::as_str);
        Failure::usage(format!("{} line {}, {name}: '{field}' is not {what}", self.shown, line.number))
    }

    /// The lines by run, in the order in which runs first occur: those with the same text in the column `by`, or all
    /// of them, named after the file, where there is no such column.
    pub fn runs(&self, by: &str) -> Vec<(String, Vec<&Line>)> {
        let by = self.find(by);
        let mut runs: Vec<(String, Vec<&Line>)> = Vec::new();
        for line in &self.lines {
            let name = by.and_then(|by| line.fields.get(by)).unwrap_or(&self.stem);
            match runs.iter_mut().find(|(run, _)| run == name) {
                Some((_, lines)) => lines.push(line),
                None => runs.push((name.clone(), vec![line])),
            }
        }
        runs
    }
}
