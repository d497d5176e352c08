use std::fmt;
use std::path::PathBuf;

/// What can go wrong in the lab: reading data, naming a model or an optimiser, planning a training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read at all.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content of a data file is not what its format asks for.
    #[error("{place}: {problem}")]
    Data {
        /// Where: file, line and column.
        place: Place,
        /// What was wrong and what was expected.
        problem: String,
    },
    /// The training and the validation data do not belong together, or a data set cannot be split.
    #[error("{0}")]
    Task(String),
    /// A model could not be understood, or it does not fit the data.
    #[error("model `{text}`: {problem}")]
    Model {
        /// The model as it was written.
        text: String,
        /// What was wrong and what was expected.
        problem: String,
    },
    /// An optimiser could not be understood.
    #[error("optimizer `{text}`: {problem}")]
    Optimizer {
        /// The optimiser as it was written.
        text: String,
        /// What was wrong and what was expected.
        problem: String,
    },
    /// The plan of a training makes no sense.
    #[error("{0}")]
    Plan(String),
}

/// A place in a data file; lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, or the name of the data set.
    pub file: String,
    /// The line, if one is to blame.
    pub line: Option<u64>,
    /// The column (CSV: field; LIBSVM: blank-separated word), if one is to blame.
    pub column: Option<u64>,
    /// The name of the column, where it has one.
    pub name: Option<String>,
}

impl Place {
    pub(crate) fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, column: None, name: None }
    }

    pub(crate) fn line(file: &str, line: u64) -> Self {
        Self { line: Some(line), ..Self::file(file) }
    }

    pub(crate) fn cell(file: &str, line: u64, column: u64) -> Self {
        Self { column: Some(column), ..Self::line(file, line) }
    }

    pub(crate) fn says(self, problem: impl Into<String>) -> Error {
        Error::Data { place: self, problem: problem.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        Ok(())
    }
}
