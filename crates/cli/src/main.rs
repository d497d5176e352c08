//! The program `lehr`.
use clap::Parser;

/// Finds, checks and runs learning-rate schedules.
#[derive(Parser)]
#[command(version)]
struct Cli {}

fn main() {
    let Cli {} = Cli::parse();
}
