//! Logs of a program, whatever their form, as they grow.

use std::error::Error;
use std::path::Path;

use crate::tensorboard::Reader;

use super::metric::{Names, Seen, Source};
use super::tail::Tail;

/// Follows a log: CSV, JSON lines, or TensorBoard's event files in a folder.
#[derive(Debug)]
pub enum Follow {
    /// A file of lines, or nothing that is there yet.
    Lines(Tail),
    /// Event files.
    Events {
        /// Reads them.
        reader: Reader,
        /// The tag of the metric.
        tag: String,
    },
}

impl Follow {
    /// Follows what is, or will be, at a path. What is there already is not of this run.
    pub fn new(source: &Source) -> Self {
        if holds_events(&source.path) {
            let mut follow = Self::events(source);
            if let Self::Events { reader, .. } = &mut follow {
                // An error now is one at the next look, too, and is told then.
                let _ = reader.read_new();
            }
            return follow;
        }
        Self::Lines(Tail::new(source))
    }

    fn events(source: &Source) -> Self {
        Self::Events { reader: Reader::watch(&source.path), tag: source.column.clone() }
    }

    /// Gives what is new.
    pub fn read(
        &mut self,
        last: bool,
        names: &mut Names,
        take: &mut dyn FnMut(Seen),
    ) -> Result<(), Box<dyn Error>> {
        if let Self::Lines(tail) = self
            && holds_events(&tail.source().path)
        {
            // It has come into being since.
            *self = Self::events(tail.source());
        }
        match self {
            Self::Lines(tail) => Ok(tail.read(last, names, take)?),
            Self::Events { reader, tag } => {
                for scalar in reader.read_new()? {
                    match scalar.tag == *tag {
                        true => take(Seen { step: Some(scalar.step), value: scalar.value }),
                        false => names.learn([scalar.tag.as_str()].into_iter()),
                    }
                }
                Ok(())
            }
        }
    }
}

fn holds_events(path: &Path) -> bool {
    let named = path.file_name().is_some_and(|name| name.to_string_lossy().contains("tfevents"));
    named || path.is_dir()
}
