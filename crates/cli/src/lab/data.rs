//! The data that experiments train on.

use clap::Args;
use lehr::lab::Task;
use lehr::lab::data::read_libsvm;
use std::path::PathBuf;

use crate::failure::Failure;

/// Data of the user's own.
#[derive(Args, Clone)]
pub struct Data {
    /// LIBSVM file to train on [default: built-in data]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// LIBSVM file to validate on [default: a fifth of the data]
    #[arg(long, value_name = "FILE", requires = "data")]
    validation: Option<PathBuf>,
}

impl Data {
    /// The task in the user's files and its name; nothing where none was given.
    pub fn task(&self, seed: u64) -> Result<Option<(Task, String)>, Failure> {
        let Some(path) = &self.data else { return Ok(None) };
        let data = read_libsvm(path, None).map_err(Failure::usage)?;
        let task = match &self.validation {
            Some(validation) => {
                let held_out = read_libsvm(validation, Some(&data)).map_err(Failure::usage)?;
                Task::new(data, held_out)
            }
            None => Task::split(&data, 0.2, seed),
        };
        Ok(Some((task.map_err(Failure::usage)?, path.display().to_string())))
    }

    /// The same, standardised, or the built-in data.
    pub fn standardised(&self, seed: u64) -> Result<(Task, String), Failure> {
        match self.task(seed)? {
            Some((task, name)) => Ok((task.standardised(), name)),
            None => Ok((Task::wine().map_err(Failure::failed)?, "red wine quality".to_owned())),
        }
    }
}
