//! `lehr schedule check`: what is doubtful about a schedule, why, and what to do.

use clap::Args;
use lehr_schedule::{Horizon, Lint, Phase, Schedule, Severity, lint, shape};
use serde::Serialize;
use std::fmt::Write as _;

use super::horizon::RunArgs;
use super::input;
use crate::failure::Failure;
use crate::output;

/// Lints a schedule over a run: severity, reason and suggestion; exit code 1 on errors
#[derive(Args)]
pub struct Check {
    /// Text such as 'warmup 500, cosine to 0.1', @FILE, or - for stdin
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    #[command(flatten)]
    run: RunArgs,
    /// Exit code 1 on warnings too
    #[arg(long)]
    strict: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Object<'a> {
    schedule: String,
    horizon: Horizon,
    /// `null`: not given.
    peak: Option<f64>,
    errors: usize,
    warnings: usize,
    notes: usize,
    lints: &'a [Lint],
}

/// Runs the command.
pub fn run(args: &Check) -> Result<(), Failure> {
    let schedule = input::schedule(&args.schedule)?;
    let horizon = args.run.horizon()?;
    // A horizon or a peak that no schedule could have is wrong usage, not a doubt about this one.
    args.run.resolve(&Schedule::from(Phase::new(shape::Constant::default())))?;
    let lints = lint(&schedule, &horizon, args.run.peak());
    let count = |severity| lints.iter().filter(|lint| lint.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    if args.json {
        let (schedule, peak) = (schedule.to_string(), args.run.peak());
        let object = Object { schedule, horizon, peak, errors, warnings, notes, lints: &lints };
        output::json("lehr.schedule.check/1", &object)?;
    } else {
        output::text(&report(&lints, &args.run.words(&horizon)))?;
    }
    match (errors, warnings) {
        (1.., _) => Err(Failure::failed("the schedule cannot be run as it is")),
        (0, 1..) if args.strict => Err(Failure::failed("the schedule has warnings")),
        _ => Ok(()),
    }
}

/// The lints, one paragraph each.
fn report(lints: &[Lint], run: &str) -> String {
    if lints.is_empty() {
        return format!("nothing doubtful over {run}\n");
    }
    let mut text = String::new();
    for lint in lints {
        let severity = match lint.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "{severity} [{}]", lint.code);
        if !lint.phase.is_empty() {
            let _ = write!(text, " `{}`", lint.phase);
        }
        if let Some(update) = lint.update {
            let _ = write!(text, " at step {}", lehr_report::number::count(update));
        }
        let _ = writeln!(text, "\n  {}\n  suggestion: {}\n", lint.reason, lint.suggestion);
    }
    text.trim_end().to_owned() + "\n"
}
