//! What can go wrong when a picture is made.
use std::path::PathBuf;

/// Why a picture was not made or not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file name has no ending that names a kind of picture.
    #[error("{}: cannot tell what to draw from the ending {ending}; use .svg, .png or .txt", path.display())]
    UnknownEnding {
        /// The file that was asked for.
        path: PathBuf,
        /// Its ending in quotes, or `(none)`.
        ending: String,
    },
    /// The file could not be written.
    #[error("{}: cannot write the picture: {source}; check that the folder exists and may be written to", path.display())]
    Write {
        /// The file that was asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The drawing library refused; this is a defect of Lehr, not of the data.
    #[error("drawing failed: {0}")]
    Draw(String),
}
