//! A file or folder of results, whatever it holds.
use std::path::Path;

use lehr::robustness::{Columns, read_csv};

use super::{Given, of_folder, of_sweep};
use crate::error::PageError;
use crate::view::{Objective, View};

/// Reads the folder of a `lehr tune` run, or a sweep as CSV.
///
/// # Errors
/// A file that is missing, or that is neither.
pub fn read(path: &Path, columns: &Columns) -> Result<View, PageError> {
    if path.is_dir() {
        return of_folder(path);
    }
    if let Err(source) = std::fs::metadata(path) {
        return Err(PageError::Read { path: path.to_owned(), source });
    }
    let sweep = read_csv(path, columns)?;
    let name = path.file_stem().map_or_else(|| "sweep".into(), |name| name.to_string_lossy().into_owned());
    let given = Given {
        name,
        about: format!("from {}", path.display()),
        objective: Objective::loss(&columns.loss),
        steps: None,
    };
    Ok(of_sweep(&sweep, given))
}
