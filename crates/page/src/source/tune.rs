//! The folder of a `lehr tune` run.
use std::fs;
use std::path::Path;

use lehr::robustness::{Columns, read_csv};
use serde_json::Value;

use super::{Given, of_sweep};
use crate::error::PageError;
use crate::view::{Objective, View};

/// Reads `plan.json` and `runs.csv`.
///
/// # Errors
/// A folder that holds no finished run of `lehr tune`.
pub fn of_folder(folder: &Path) -> Result<View, PageError> {
    let content = |path: &Path, problem: String| PageError::Content { path: path.to_owned(), problem };
    let runs = folder.join("runs.csv");
    let path = folder.join("plan.json");
    if !runs.is_file() {
        let why = match path.is_file() {
            true => "there is no runs.csv yet: it is written when `lehr tune` ends or is interrupted",
            false => {
                "holds no results of `lehr tune` (runs.csv and plan.json): name a study, a sweep's CSV or such a folder"
            }
        };
        return Err(content(folder, why.into()));
    }
    let sweep = read_csv(&runs, &Columns::default())?;
    let plan = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| content(&path, format!("is no JSON ({error}): remove it or restore it")))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
        Err(source) => return Err(PageError::Read { path, source }),
    };
    let name = fs::canonicalize(folder)
        .ok()
        .and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .unwrap_or_else(|| folder.display().to_string());
    let given = Given {
        name,
        about: about(&plan).unwrap_or_else(|| format!("from {}", folder.display())),
        objective: Objective::loss("validation loss"),
        steps: plan["steps"].as_u64(),
    };
    Ok(of_sweep(&sweep, given))
}

/// What was trained on what.
fn about(plan: &Value) -> Option<String> {
    let text = |key: &str| plan[key].as_str();
    Some(format!(
        "{} by {} on {} ({} rows), batch {}",
        text("model")?,
        text("optimizer")?,
        plan["train"]["name"].as_str()?,
        plan["train"]["rows"].as_u64()?,
        plan["batch"].as_u64()?
    ))
}
