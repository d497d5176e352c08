//! `lehr lab`: is the theory true?

mod data;
mod effects;
mod rates;
mod robustness;

use clap::{Args, Subcommand};

use crate::failure::Failure;

/// Built-in experiments that hold the theory against computation and training
#[derive(Args)]
pub struct Lab {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Rates(rates::Rates),
    Robustness(robustness::Robustness),
    Effects(effects::Effects),
}

/// Runs one of the experiments.
pub fn run(args: &Lab) -> Result<(), Failure> {
    match &args.command {
        Command::Rates(args) => rates::run(args),
        Command::Robustness(args) => robustness::run(args),
        Command::Effects(args) => effects::run(args),
    }
}
