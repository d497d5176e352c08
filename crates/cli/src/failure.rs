//! How a command ends when it does not end well.

use std::fmt::Display;
use std::io;

/// A command's failure: its message and, by its kind, the exit code.
#[derive(Debug)]
pub enum Failure {
    /// The arguments or the input they name are wrong; exit code 2.
    Usage(String),
    /// The work failed; exit code 1.
    Failed(String),
    /// The user interrupted the work; exit code 130. The message says what was kept.
    Interrupted(String),
    /// Whoever read stdout has gone (`lehr … | head`); exit code 0 and no message.
    PipeClosed,
}

impl Failure {
    /// Wrong usage, from anything that can be shown.
    pub fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    /// Failed work, from anything that can be shown.
    pub fn failed(message: impl Display) -> Self {
        Self::Failed(message.to_string())
    }

    /// Prints the message to stderr and gives the exit code.
    pub fn report(self) -> u8 {
        let (message, code) = match self {
            Self::Usage(message) => (format!("error: {message}"), 2),
            Self::Failed(message) => (format!("error: {message}"), 1),
            Self::Interrupted(message) => (format!("interrupted: {message}"), 130),
            Self::PipeClosed => return 0,
        };
        eprintln!("{message}");
        code
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::failed(error),
        }
    }
}

impl From<lehr::logs::LogError> for Failure {
    fn from(error: lehr::logs::LogError) -> Self {
        Self::usage(error)
    }
}
