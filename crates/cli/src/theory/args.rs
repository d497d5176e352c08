//! Arguments that the commands of theory share.

use clap::Args;
use lehr_schedule::{Curve, Horizon, Schedule};
use lehr_theory::Rates;
use std::path::{Path, PathBuf};

use crate::count::count;
use crate::failure::Failure;
use crate::schedule::input::schedule;
use lehr::logs::Log;

/// The horizon of a schedule.
#[derive(Args, Clone)]
pub struct Run {
    /// Updates of the run: 10000, 10_000, 10k, 1e4
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = count, allow_negative_numbers = true)]
    pub steps: u64,
    /// Updates per epoch, for spans such as 10ep
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub steps_per_epoch: Option<f64>,
    /// Tokens (or samples) per update, for spans such as 2Mtok
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub tokens_per_step: Option<f64>,
}

impl Run {
    /// The schedule over this run, relative to its peak.
    pub fn resolve(&self, schedule: &Schedule) -> Result<Curve, Failure> {
        schedule.resolve(&self.horizon(self.steps)).map_err(Failure::usage)
    }

    /// The rates of a spec over this run.
    pub fn rates(&self, spec: &str) -> Result<Rates, Failure> {
        Rates::of_curve(&self.resolve(&schedule(spec)?)?).map_err(Failure::usage)
    }

    /// These units over so many steps.
    pub fn horizon(&self, steps: u64) -> Horizon {
        Horizon { steps, steps_per_epoch: self.steps_per_epoch, tokens_per_step: self.tokens_per_step }
    }
}

/// How a result is shown.
#[derive(Args, Clone)]
pub struct Show {
    /// Save the picture; the ending says how: .svg or .png
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The numbers of a column: of a CSV file with a header, or of a plain file with one number per line.
pub fn column(path: &Path, name: &str) -> Result<Vec<f64>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let plain: Option<Vec<f64>> =
        text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.trim().parse().ok()).collect();
    if let Some(plain) = plain {
        return Ok(plain);
    }
    let log = Log::read(path)?;
    let column = log.place(name)?;
    let runs = log.runs("");
    Ok(runs
        .iter()
        .flat_map(|(_, lines)| lines)
        .map(|line| log.number(line, column))
        .collect::<Result<_, _>>()?)
}
