//! Arguments that the commands of theory share.

use clap::Args;
use lehr_schedule::{Curve, Horizon, Schedule};
use lehr_theory::Rates;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The horizon of a schedule.
#[derive(Args, Clone)]
pub struct Run {
    /// Updates of the run
    #[arg(long, value_name = "N", default_value_t = 10_000, allow_negative_numbers = true)]
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

/// Reads a spec.
pub fn schedule(spec: &str) -> Result<Schedule, Failure> {
    spec.parse().map_err(Failure::usage)
}

/// Reads a file; the message names it.
pub fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

/// The numbers of a column: of a CSV file with a header, or of a plain file with one number per line.
pub fn column(path: &Path, name: &str) -> Result<Vec<f64>, Failure> {
    let text = read(path)?;
    let wrong = |line: usize, field: &str| {
        Failure::usage(format!("{} line {}: '{field}' is not a number", path.display(), line + 1))
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut lines = lines.peekable();
    let header = lines.peek().map_or("", |(_, line)| *line);
    let place = if header.split(',').all(|field| field.trim().parse::<f64>().is_err()) {
        lines.next();
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        match names.iter().position(|found| *found == name) {
            Some(place) => place,
            None if names.len() == 1 => 0,
            None => {
                let message =
                    format!("{} has no column '{name}'; it has {}", path.display(), names.join(", "));
                return Err(Failure::usage(message));
            }
        }
    } else {
        0
    };
    lines
        .map(|(line, text)| {
            let field = text.split(',').nth(place).unwrap_or("").trim();
            field.parse().map_err(|_| wrong(line, field))
        })
        .collect()
}
