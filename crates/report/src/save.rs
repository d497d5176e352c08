//! A figure as a file, by the ending of its name.
use crate::error::ReportError;
use crate::figure::Figure;
use std::path::Path;

/// The kinds of picture files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// Vector graphic, `.svg`.
    Svg,
    /// Pixels, `.png`.
    Png,
    /// Plain text of 100 × 30 characters, `.txt`.
    Text,
}

impl Picture {
    /// The kind that a file name asks for; upper and lower case count the same.
    ///
    /// # Errors
    /// [`ReportError::UnknownEnding`].
    pub fn of(path: &Path) -> Result<Self, ReportError> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            Some("txt") => Ok(Self::Text),
            other => Err(ReportError::UnknownEnding {
                path: path.to_owned(),
                ending: other.map_or_else(|| "(none)".into(), |e| format!("'.{e}'")),
            }),
        }
    }
}

/// Writes a figure to a file; `.svg`, `.png` or `.txt` says how.
///
/// # Errors
/// [`ReportError::UnknownEnding`] before anything is drawn, [`ReportError::Write`] if the file
/// cannot be written.
pub fn save(figure: &Figure, path: &Path) -> Result<(), ReportError> {
    let content = match Picture::of(path)? {
        Picture::Svg => crate::svg(figure)?.into_bytes(),
        Picture::Png => crate::png(figure)?,
        Picture::Text => crate::terminal(figure, 100, 30, false).into_bytes(),
    };
    std::fs::write(path, content).map_err(|source| ReportError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_decide() {
        assert_eq!(Picture::of(Path::new("a/b.SVG")).unwrap(), Picture::Svg);
        for name in ["a.pdf", "a", ".svg", "a.svg/"] {
            let kind = Picture::of(Path::new(name));
            match name {
                "a.svg/" => assert!(kind.is_ok()),
                _ => assert!(kind.unwrap_err().to_string().contains("use .svg, .png or .txt")),
            }
        }
    }

    #[test]
    fn unwritable_paths_are_named() {
        let error = save(&Figure::default(), Path::new("/no/such/folder/a.svg")).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/folder/a.svg: cannot write"), "{error}");
    }
}
