//! `lehr theory optimal` and `lehr theory refine`: schedules made from theory.

use clap::{Args, ValueEnum};
use lehr_report::number::significant;
use lehr_report::{Align, Axis, Figure, Series, Table};
use lehr_theory::{Bound, Caveat, Limits, Norm, Optimum, Rates};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::args::{Show, column};
use super::text;
use crate::count::count;
use crate::failure::Failure;
use crate::output;

/// The schedule that makes the last-iterate bound smallest, with a warm-up and a floor
#[derive(Args)]
pub struct Optimal {
    /// Updates of the run [default: 10000, or one per norm]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    steps: Option<u64>,
    /// Updates of linear warm-up
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    warmup: usize,
    /// Lowest rate after the warm-up, as a fraction of the peak
    #[arg(long, value_name = "F", default_value_t = 0.0, allow_negative_numbers = true)]
    floor: f64,
    /// Measured gradient norms, one per update: a column `norm` of a CSV file, or one number per line
    #[arg(long, value_name = "FILE")]
    norms: Option<PathBuf>,
    /// Write the schedule as CSV: step, rate relative to the peak
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    show: Show,
}

/// A schedule refined from measured gradient norms, after Defazio et al.
#[derive(Args)]
pub struct Refine {
    /// Gradient norms, one per update: a column `norm` of a CSV file, or one number per line
    #[arg(value_name = "FILE")]
    norms: PathBuf,
    /// Which norms they are: l2 under SGD, or l1 under Adam
    #[arg(long, value_enum, default_value_t = Kind::Sgd)]
    kind: Kind,
    /// Window of the median filter, in steps [default: a tenth of the run]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    window: Option<usize>,
    /// Write the schedule as CSV: step, rate relative to the peak
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    show: Show,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Sgd,
    Adam,
}

#[derive(Serialize)]
struct Answer {
    steps: usize,
    gamma_star: f64,
    omega_star: f64,
    linear_omega_star: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rates: Option<Vec<f64>>,
    caveats: Vec<Caveat>,
}

/// Finds the optimal schedule and prints.
pub fn run(args: &Optimal) -> Result<(), Failure> {
    let norms = args.norms.as_ref().map(|path| column(path, "norm")).transpose()?;
    let steps = args.steps.map(|steps| steps as usize).or(norms.as_ref().map(Vec::len)).unwrap_or(10_000);
    let limits = Limits { warmup: args.warmup, floor: args.floor };
    if steps > 20_000_000 {
        return Err(Failure::usage(format!("{steps} steps; the optimum is computed up to 20 million")));
    }
    let optimum = Optimum::find(steps, limits, norms.as_deref()).map_err(Failure::usage)?;
    let what = format!("the schedule of {steps} steps with the smallest bound");
    finish(&optimum.rates, norms.as_deref(), &what, limits, args.out.as_deref(), &args.show)
}

/// Refines and prints.
pub fn refine(args: &Refine) -> Result<(), Failure> {
    let norms = column(&args.norms, "norm")?;
    let kind = match args.kind {
        Kind::Sgd => Norm::Sgd,
        Kind::Adam => Norm::Adam,
    };
    let window = args.window.unwrap_or(norms.len() / 10).max(1);
    let refined = lehr_theory::refine(&norms, kind, window).map_err(Failure::usage)?;
    let rates = Rates::with_end(refined, 0.0).map_err(Failure::usage)?;
    let what = format!("the schedule refined from {} gradient norms", norms.len());
    finish(&rates, Some(&norms), &what, Limits::default(), args.out.as_deref(), &args.show)
}

fn finish(
    rates: &Rates,
    norms: Option<&[f64]>,
    what: &str,
    Limits { warmup, floor }: Limits,
    out: Option<&Path>,
    show: &Show,
) -> Result<(), Failure> {
    let bound = |rates: &Rates| match norms {
        Some(norms) => Bound::with_norms(rates, norms).map_err(Failure::usage),
        None => Ok(Bound::of(rates)),
    };
    let steps = rates.steps();
    let plain = |t: usize| match t < warmup {
        true => (t + 1) as f64 / warmup as f64,
        false => floor + (1.0 - floor) * (steps - t) as f64 / (steps - warmup) as f64,
    };
    let linear = Rates::with_end((0..steps).map(plain).collect(), floor).map_err(Failure::usage)?;
    let (found, plain) = (bound(rates)?, bound(&linear)?);
    let best = |terms: &Bound| {
        Ok::<_, Failure>((
            terms.best_rate(1.0, 1.0).map_err(Failure::usage)?,
            terms.best_value(1.0, 1.0).map_err(Failure::usage)?,
        ))
    };
    let ((gamma, omega), (linear_gamma, linear_omega)) = (best(&found)?, best(&plain)?);
    if let Some(path) = out {
        write(rates, path)?;
    }
    let mut caveats = Caveat::of_bound(norms.is_some());
    caveats.extend(Caveat::of_end(rates));
    let figure = picture(rates, &linear, norms, what);
    text::save(&figure, show)?;
    let answer = Answer {
        steps,
        gamma_star: gamma,
        omega_star: omega,
        linear_omega_star: linear_omega,
        rates: (steps <= 100_000 && out.is_none()).then(|| rates.relative().to_vec()),
        caveats,
    };
    if show.json {
        return output::json("lehr.theory.schedule/1", &answer);
    }
    let mut table =
        Table::new([("schedule", Align::Left), ("best base rate", Align::Right), ("bound", Align::Right)]);
    table.row(["this one".to_owned(), significant(gamma, 5), significant(omega, 6)]);
    table.row([
        "linear decay, same limits".to_owned(),
        significant(linear_gamma, 5),
        significant(linear_omega, 6),
    ]);
    let less = (1e4 * (1.0 - omega / linear_omega)).round() / 100.0 + 0.0;
    let headline = format!(
        "{}{}: its bound is {less:.2} % below that of linear decay within the same limits",
        what[..1].to_uppercase(),
        &what[1..]
    );
    text::print(&headline, &table, Some(&figure), &answer.caveats)
}

fn write(rates: &Rates, path: &Path) -> Result<(), Failure> {
    let mut text = String::from("step,lr\n");
    for (step, rate) in rates.relative().iter().enumerate() {
        let _ = writeln!(text, "{step},{rate}");
    }
    std::fs::write(path, text)
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
}

fn picture(rates: &Rates, linear: &Rates, norms: Option<&[f64]>, what: &str) -> Figure {
    let stride = rates.steps().div_ceil(2_000);
    let line = |values: &[f64], scale: f64| -> Vec<(f64, f64)> {
        values.iter().enumerate().step_by(stride).map(|(t, value)| (t as f64, value * scale)).collect()
    };
    let mut figure = Figure::new(what)
        .x(Axis::linear("step"))
        .y(Axis::linear("rate (fraction of the peak)"))
        .series(Series::line("this schedule", line(rates.relative(), 1.0)))
        .series(Series::line("linear decay", line(linear.relative(), 1.0)).faded());
    if let Some(norms) = norms {
        let largest = norms.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        figure =
            figure.series(Series::line("gradient norm (of its largest)", line(norms, 1.0 / largest)).faded());
    }
    figure
}
