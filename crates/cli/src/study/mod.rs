//! `lehr studies`, `trials`, `best`, `export`, `rm`, `stop`: what is in a storage.
pub mod best;
pub mod export;
pub mod rm;
pub mod stop;
pub mod studies;
pub mod trials;

use std::sync::Arc;

use clap::Args;
use lehr_search::{Direction, Params};
use lehr_study::{OpenOptions, Storage, Study, StudyError, open_with};
use serde_json::{Map, Value as Json, json};

use crate::failure::Failure;

/// The storage where none is named.
const DEFAULT: &str = "sqlite:///lehr.db";

/// Where the studies are.
#[derive(Args)]
pub struct Place {
    /// sqlite:///file.db, sqlite:////folder/file.db, a path that ends in .db, or postgresql://user:password@host/database
    /// [default: the variable LEHR_STORAGE, else sqlite:///lehr.db]
    #[arg(long, value_name = "URL")]
    storage: Option<String>,
}

impl Place {
    /// Whether the command line names it.
    pub fn is_named(&self) -> bool {
        self.storage.is_some()
    }

    /// Opens the storage.
    pub fn open(&self) -> Result<Arc<dyn Storage>, Failure> {
        let variable = std::env::var("LEHR_STORAGE").ok().filter(|url| !url.is_empty());
        let url = self.storage.clone().or(variable).unwrap_or_else(|| DEFAULT.into());
        let options = OpenOptions { create: false, ..OpenOptions::default() };
        open_with(&url, &options).map(Arc::from).map_err(failure)
    }

    /// Opens a study and reads it. Without a name: the only one that there is.
    pub fn study(&self, name: Option<&str>) -> Result<Study, Failure> {
        let storage = self.open()?;
        let name = match name {
            Some(name) => name.to_owned(),
            None => only(&*storage)?,
        };
        let mut study = Study::open(storage, &name).map_err(failure)?;
        study.refresh().map_err(failure)?;
        Ok(study)
    }
}

fn only(storage: &dyn Storage) -> Result<String, Failure> {
    let mut studies = storage.studies().map_err(failure)?;
    match (studies.len(), studies.pop()) {
        (1, Some(study)) => Ok(study.name),
        (0, _) => Err(Failure::usage(format!("storage '{}' has no study yet", storage.url()))),
        (n, _) => Err(Failure::usage(format!(
            "storage '{}' has {n} studies: name one (`lehr studies` lists them)",
            storage.url()
        ))),
    }
}

/// What the user named wrongly is wrong usage, the rest is failed work.
fn failure(error: StudyError) -> Failure {
    match error {
        StudyError::Url { .. } | StudyError::Missing { .. } | StudyError::NoStudy { .. } => {
            Failure::usage(error)
        }
        other => Failure::failed(other),
    }
}

/// A text from a database as a terminal may show it: what would move the cursor or turn the direction is written out.
fn shown(text: &str) -> String {
    let harmless = |c: char| match c {
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => false,
        c => !c.is_control(),
    };
    text.chars().map(|c| if harmless(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

fn shown_params(params: &Params) -> String {
    shown(&params.to_string())
}

fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Minimize => "minimize",
        Direction::Maximize => "maximize",
    }
}

/// Puts a number into an object. One that is not finite is null, and `NAME_is` says which it is.
fn put(object: &mut Map<String, Json>, name: &str, value: f64) {
    object.insert(name.into(), json!(value));
    if !value.is_finite() {
        object.insert(format!("{name}_is"), json!(value.to_string().to_lowercase()));
    }
}

/// A moment as ISO 8601 has it.
fn moment(micros: Option<i64>) -> Option<String> {
    micros.map(lehr_study::iso_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hostile_reaches_the_terminal() {
        assert_eq!(shown("a\u{1b}[31m\nb\u{202e}\u{0}"), "a\\u{1b}[31m\\nb\\u{202e}\\u{0}");
        assert_eq!(shown("<script> '; DROP é日"), "<script> '; DROP é日");
    }
}
