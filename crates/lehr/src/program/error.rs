//! What can be wrong with a program, its command or its output.

use std::io;
use std::path::PathBuf;

/// Why a program cannot be run as it was described. How a run of it ended is an [`Ended`](super::Ended) instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// A command without words.
    #[error("the command is empty: write it after --, for example `-- python train.py --lr {{lr}}`")]
    NoCommand,
    /// A placeholder that nothing is known of.
    #[error(
        "{{{name}}} in '{place}' is not known{}; there are {known} (write {{{{{name}}}}} for the text itself)",
        .nearest.as_ref().map_or(String::new(), |nearest| format!(": did you mean {{{nearest}}}?"))
    )]
    Placeholder {
        /// Its name.
        name: String,
        /// The word of the command, or the schedule, that it stands in.
        place: String,
        /// The known name that it resembles.
        nearest: Option<String>,
        /// What is known.
        known: String,
    },
    /// A parameter with a name that Lehr gives a meaning of its own.
    #[error("a parameter cannot be called '{0}': {{{0}}} is Lehr's own placeholder; give it another name")]
    Reserved(String),
    /// A regular expression that cannot be used.
    #[error("the regular expression '{text}' cannot be used: {reason}")]
    Regex {
        /// The expression.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A metric file that is not described as `FILE:COLUMN`.
    #[error(
        "'{0}' is not FILE:COLUMN: write the file and the column (or tag) of the metric, as in log.csv:val_loss"
    )]
    MetricFile(String),
    /// The program cannot be started.
    #[error("cannot start '{program}': {source}{}", advice(.source))]
    Start {
        /// The first word of the command.
        program: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A schedule file that holds something else.
    #[error(
        "{path} is not a schedule file: {problem}; expected are CSV lines step,lr with one line per update from 0 on, or \
         64-bit floats if its name ends in .f64"
    )]
    ScheduleFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// A file of the run cannot be written or read.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl ProgramError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => {
            "; is it installed and in PATH? (no shell reads the command: `sh -c '…'` calls one)"
        }
        io::ErrorKind::PermissionDenied => "; is it executable?",
        io::ErrorKind::ArgumentListTooLong => "; its arguments are too long: use LEHR_PARAMS",
        _ => "",
    }
}
