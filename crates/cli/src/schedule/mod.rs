//! `lehr schedule`: what is my learning rate at step t?

mod check;
mod compare;
mod convert;
mod extend;
pub mod horizon;
pub mod input;
pub mod picture;
mod replay;
mod show;
mod summary;
mod values;

use clap::{Args, Subcommand};

use crate::failure::Failure;

/// Values, pictures, comparisons, lints, extensions and notations of learning-rate schedules
///
/// A SCHEDULE is text such as 'warmup 500, cosine to 0.1', @FILE (text, .toml or .json), or - for stdin.
#[derive(Args)]
pub struct Schedule {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Values(values::Values),
    Show(show::Show),
    Compare(compare::Compare),
    Check(check::Check),
    Extend(extend::Extend),
    Convert(convert::Convert),
}

/// Runs one of the commands.
pub fn run(args: Schedule) -> Result<(), Failure> {
    match args.command {
        Command::Values(args) => values::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Extend(args) => extend::run(&args),
        Command::Convert(args) => convert::run(&args),
    }
}
