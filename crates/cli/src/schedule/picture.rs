//! Curves as figures.

use lehr_report::{Axis, Figure, Picture, Series, number};
use lehr_schedule::{Curve, Horizon};
use std::path::Path;

use super::horizon::RunArgs;
use crate::failure::Failure;
use crate::output;

/// Up to so many updates, each one is a point; more are sampled.
const POINTS: u64 = 60_000;

/// An empty figure of rates against the steps of a run.
pub fn of_rates(steps: u64, relative: bool) -> Figure {
    let label = if relative { "rate (fraction of the peak)" } else { "learning rate" };
    Figure::default().x(Axis::linear("step").range(0.0, steps as f64)).y(Axis::linear(label))
}

/// The run in words, and how much of it is drawn.
pub fn subtitle(run: &RunArgs, horizon: &Horizon) -> String {
    let words = run.words(horizon);
    match horizon.steps > POINTS {
        true => format!("{words}; drawn at {} even steps", number::count(POINTS + 1)),
        false => words,
    }
}

/// A curve as a line.
pub fn line(name: &str, curve: &Curve) -> Series {
    Series::line(name, sample(curve).into_iter().map(|step| (step as f64, curve.at(step))).collect())
}

/// The updates that are drawn: all of them, or an even choice with the first and the last.
fn sample(curve: &Curve) -> Vec<u64> {
    let last = curve.steps() - 1;
    match last < POINTS {
        true => (0..=last).collect(),
        false => {
            (0..=POINTS).map(|i| (u128::from(last) * u128::from(i) / u128::from(POINTS)) as u64).collect()
        }
    }
}

/// Refuses a picture file with an unknown ending, before any work.
pub fn check(file: Option<&Path>) -> Result<(), Failure> {
    file.map_or(Ok(()), |file| Picture::of(file).map(drop).map_err(Failure::usage))
}

/// Writes a figure to a file and says so, or draws it for the terminal.
pub fn deliver(figure: &Figure, file: Option<&Path>, rows: u16) -> Result<String, Failure> {
    let Some(file) = file else { return Ok(in_terminal(figure, rows)) };
    lehr_report::save(figure, file).map_err(Failure::failed)?;
    Ok(format!("picture: {}\n", file.display()))
}

/// A figure for the terminal.
pub fn in_terminal(figure: &Figure, rows: u16) -> String {
    let columns = u16::try_from(output::width()).unwrap_or(100).min(110);
    lehr_report::terminal(figure, columns, rows, output::color())
}
