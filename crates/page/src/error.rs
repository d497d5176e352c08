//! What can go wrong.
use std::path::PathBuf;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file is not what it should be; the text says what and where.
    #[error("{path}: {problem}")]
    Content {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The results make no sweep.
    #[error(transparent)]
    Sweep(#[from] lehr::sweep::SweepError),
    /// A sweep file cannot be read.
    #[error(transparent)]
    Robustness(#[from] lehr::robustness::RobustnessError),
    /// A study cannot be read.
    #[error(transparent)]
    Study(#[from] lehr_study::StudyError),
    /// The view cannot be written as JSON.
    #[error("cannot write the page's data: {0}")]
    Json(#[from] serde_json::Error),
    /// The figure cannot be drawn.
    #[error(transparent)]
    Figure(#[from] lehr_report::ReportError),
}
