//! `lehr init`: a commented study file to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::output;

/// Writes a commented study.toml for `lehr tune study.toml`
#[derive(Args)]
pub struct Init {
    /// The file
    #[arg(value_name = "FILE", default_value = "study.toml")]
    file: PathBuf,
}

const TEMPLATE: &str = include_str!("init.toml");

/// Runs the command.
pub fn run(args: &Init) -> Result<(), Failure> {
    let shown = args.file.display();
    let file = OpenOptions::new().write(true).create_new(true).open(&args.file);
    let mut file = file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::failed(format!("{shown} is there already: name another file, or remove it"))
        }
        _ => Failure::failed(format!("cannot write {shown}: {error}")),
    })?;
    file.write_all(TEMPLATE.as_bytes())
        .map_err(|error| Failure::failed(format!("cannot write {shown}: {error}")))?;
    output::text(&format!(
        "{shown} is written. Change its command and space, look at what would be run, and begin:\n  lehr tune {shown} \
         --dry-run\n  lehr tune {shown}\n"
    ))
}
