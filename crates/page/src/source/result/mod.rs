//! What other commands print with `--json`: range tests, the lab's measurements, diagnoses.
mod diagnose;
mod effects;
mod find;
mod rates;
mod read;
mod robustness;

use std::path::Path;

use serde_json::Value;

use crate::error::PageError;
use crate::view::{Objective, SCHEMA, View, Words};
use read::Object;

/// The view of a result, by its schema.
///
/// # Errors
/// A result of no known schema, or one that lacks what its schema has.
pub(super) fn of(path: &Path, json: &Value) -> Result<View, PageError> {
    let content = |problem: String| PageError::Content { path: path.to_owned(), problem };
    let schema = json["schema"].as_str().unwrap_or_default();
    let make = match schema {
        "lehr.find/1" => find::view,
        "lehr.lab.rates/1" => rates::view,
        "lehr.lab.robustness/1" | "lehr.robustness/1" => robustness::view,
        "lehr.lab.effects/1" => effects::view,
        "lehr.diagnose/1" => diagnose::view,
        "" => {
            return Err(content(
                "is JSON without a schema: give what a command of lehr prints with --json".into(),
            ));
        }
        other => {
            return Err(content(format!(
                "is a {other:?}, which has no page; lehr.find/1, lehr.lab.rates/1, lehr.lab.robustness/1, \
                 lehr.lab.effects/1, lehr.robustness/1 and lehr.diagnose/1 have one"
            )));
        }
    };
    let name = path.file_stem().map_or_else(|| "result".into(), |name| name.to_string_lossy().into_owned());
    make(&Object::new(json), name).map_err(|problem| content(format!("{problem} ({schema})")))
}

/// A view without anything but its words.
fn empty(name: String, about: String, objective: &str, words: Words) -> View {
    View {
        schema: SCHEMA,
        name,
        about,
        objective: Objective::loss(objective),
        words,
        tiles: Vec::new(),
        running: false,
        rates: None,
        robustness: None,
        charts: Vec::new(),
        curves: None,
        schedules: None,
        parameters: None,
        importance: None,
        workers: None,
        budget: None,
        trials: crate::view::Table::new(0),
    }
}
