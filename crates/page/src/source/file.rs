//! A file or folder of results, whatever it holds.
use std::fs;
use std::path::Path;

use lehr::robustness::{Columns, read_csv};

use super::{Given, of_folder, of_sweep, result};
use crate::error::PageError;
use crate::view::{Objective, View};

/// Reads the folder of a `lehr tune` run, a sweep as CSV, or what another command printed with `--json`.
///
/// # Errors
/// A file that is missing, or that is none of these.
pub fn read(path: &Path, columns: &Columns) -> Result<View, PageError> {
    if path.is_dir() {
        return of_folder(path);
    }
    let bytes = fs::read(path).map_err(|source| PageError::Read { path: path.to_owned(), source })?;
    if bytes.trim_ascii_start().starts_with(b"{") {
        let json = serde_json::from_slice(&bytes).map_err(|error| PageError::Content {
            path: path.to_owned(),
            problem: format!("is no whole JSON ({error}): print it with --json again"),
        })?;
        return result::of(path, &json);
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
