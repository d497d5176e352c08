//! `lehr theory`: what is known before I train?

mod args;
mod bound;
mod optimal;
mod predict;
mod robustness;
mod text;
mod transfer;

use clap::{Args, Subcommand};

use crate::failure::Failure;

/// What optimisation theory and loss laws say of a schedule before anyone trains with it
///
/// A SPEC is text such as 'warmup 500, cosine to 0.1', @FILE (text, .toml or .json), or - for stdin.
#[derive(Args)]
pub struct Theory {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bound(bound::Bound),
    Robustness(robustness::Robustness),
    Transfer(transfer::Transfer),
    Optimal(optimal::Optimal),
    Refine(optimal::Refine),
    Fit(predict::Fit),
    Predict(predict::Predict),
}

/// Runs one of the commands.
pub fn run(args: &Theory) -> Result<(), Failure> {
    match &args.command {
        Command::Bound(args) => bound::run(args),
        Command::Robustness(args) => robustness::run(args),
        Command::Transfer(args) => transfer::run(args),
        Command::Optimal(args) => optimal::run(args),
        Command::Refine(args) => optimal::refine(args),
        Command::Fit(args) => predict::fit(args),
        Command::Predict(args) => predict::predict(args),
    }
}
