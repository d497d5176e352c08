//! `lehr theory bound`: the last-iterate bound, its terms and the best base rate.

use clap::Args;
use lehr_report::number::significant;
use lehr_report::{Align, Axis, Figure, Mark, Place, Series, Table};
use lehr_theory::{Bound as Terms, Caveat};
use serde::Serialize;
use std::path::PathBuf;

use super::args::{Run, Show, column};
use super::text;
use crate::failure::Failure;
use crate::output;

/// The last-iterate bound of a schedule, its three terms and the base rate at which it is smallest
///
/// For convex losses with gradient norms at most G, started at distance D from the solution. With measured gradient
/// norms (--norms) the bound uses them instead of G.
#[derive(Args)]
pub struct Bound {
    /// The schedule, for example 'warmup 5%, cosine'
    #[arg(value_name = "SPEC")]
    schedule: String,
    #[command(flatten)]
    run: Run,
    /// D, the distance from the start to the solution
    #[arg(long, value_name = "D", default_value_t = 1.0, allow_negative_numbers = true)]
    distance: f64,
    /// G, the bound on the gradient norm
    #[arg(
        long,
        value_name = "G",
        default_value_t = 1.0,
        allow_negative_numbers = true,
        conflicts_with = "norms"
    )]
    gradient: f64,
    /// Measured gradient norms, one per update: a column `norm` of a CSV file, or one number per line
    #[arg(long, value_name = "FILE")]
    norms: Option<PathBuf>,
    /// Also give the bound at this base rate
    #[arg(long, value_name = "LR", allow_negative_numbers = true)]
    lr: Option<f64>,
    #[command(flatten)]
    show: Show,
}

#[derive(Serialize)]
struct Answer<'a> {
    schedule: &'a str,
    steps: usize,
    distance: f64,
    gradient: f64,
    measured_norms: bool,
    gamma_star: f64,
    omega_star: f64,
    terms: Terms,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<At>,
    caveats: Vec<Caveat>,
}

#[derive(Serialize)]
struct At {
    lr: f64,
    omega: f64,
    rho: f64,
}

/// Computes and prints.
pub fn run(args: &Bound) -> Result<(), Failure> {
    let rates = args.run.rates(&args.schedule)?;
    let terms = match &args.norms {
        Some(path) => Terms::with_norms(&rates, &column(path, "norm")?).map_err(Failure::usage)?,
        None => Terms::of(&rates),
    };
    let (d, g) = (args.distance, args.gradient);
    let gamma_star = terms.best_rate(d, g).map_err(Failure::usage)?;
    let omega_star = terms.best_value(d, g).map_err(Failure::usage)?;
    let at = |lr: f64| {
        let omega = terms.value(lr, d, g).map_err(Failure::usage)?;
        Ok::<_, Failure>(At { lr, omega, rho: lr / gamma_star })
    };
    let mut caveats = Caveat::of_bound(args.norms.is_some());
    caveats.extend(Caveat::of_end(&rates));
    let answer = Answer {
        schedule: &args.schedule,
        steps: terms.steps,
        distance: d,
        gradient: g,
        measured_norms: args.norms.is_some(),
        gamma_star,
        omega_star,
        terms,
        at: args.lr.map(at).transpose()?,
        caveats,
    };
    let figure = picture(&answer);
    text::save(&figure, &args.show)?;
    if args.show.json { output::json("lehr.theory.bound/1", &answer) } else { human(&answer, &figure) }
}

fn human(answer: &Answer<'_>, figure: &Figure) -> Result<(), Failure> {
    let headline = format!(
        "{} over {} steps: best base rate {}, bound {} there (D = {}, G = {})",
        answer.schedule,
        answer.steps,
        significant(answer.gamma_star, 6),
        significant(answer.omega_star, 6),
        answer.distance,
        if answer.measured_norms { "measured".to_owned() } else { answer.gradient.to_string() },
    );
    let (d2, g2) = (answer.distance.powi(2), answer.gradient.powi(2));
    let mut table = Table::new(
        [("base rate", Align::Right), ("distance", Align::Right), ("noise", Align::Right)]
            .into_iter()
            .chain([("last iterate", Align::Right), ("bound", Align::Right)]),
    );
    let mut row = |rate: f64| {
        let terms = &answer.terms;
        let parts = [d2 * terms.distance / rate, g2 * rate * terms.noise, g2 * rate * terms.last_iterate];
        let cells = [rate].into_iter().chain(parts).chain([parts.iter().sum()]);
        table.row(cells.map(|value| significant(value, 5)).collect::<Vec<_>>());
    };
    row(answer.gamma_star);
    if let Some(at) = &answer.at {
        row(at.lr);
    }
    text::print(&headline, &table, Some(figure), &answer.caveats)
}

fn picture(answer: &Answer<'_>) -> Figure {
    let (d2, g2) = (answer.distance.powi(2), answer.gradient.powi(2));
    let rates: Vec<f64> = (-60..=60).map(|i| answer.gamma_star * 10f64.powf(f64::from(i) / 40.0)).collect();
    let terms = &answer.terms;
    let line = |of: &dyn Fn(f64) -> f64| rates.iter().map(|&rate| (rate, of(rate))).collect::<Vec<_>>();
    let whole = line(&|rate| d2 * terms.distance / rate + g2 * rate * (terms.noise + terms.last_iterate));
    let mut figure = Figure::new("last-iterate bound against the base rate")
        .subtitle(format!("{}, {} steps", answer.schedule, answer.steps))
        .x(Axis::log("base rate"))
        .y(Axis::log("bound"))
        .series(Series::line("bound", whole))
        .series(Series::line("distance", line(&|rate| d2 * terms.distance / rate)).faded())
        .series(Series::line("noise", line(&|rate| g2 * rate * terms.noise)).faded())
        .series(Series::line("last iterate", line(&|rate| g2 * rate * terms.last_iterate)).faded())
        .mark(Mark::new(Place::Vertical(answer.gamma_star), "best"));
    if let Some(at) = &answer.at {
        figure = figure.mark(Mark::new(Place::Vertical(at.lr), "yours"));
    }
    figure
}
