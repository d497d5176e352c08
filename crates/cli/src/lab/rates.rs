//! `lehr lab rates`: with which exponent the worst error grows when the base rate is off.

use clap::Args;
use lehr_report::number::{count, significant};
use lehr_report::{Align, Axis, Figure, Series, Table};
use lehr_schedule::{Curve, Horizon, Schedule};
use lehr_theory::worst_case::{Cell, Exponent, Options, Shape, WorstError, exponents, simulate};
use lehr_theory::{Bound, Error};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

use crate::failure::Failure;
use crate::output;

/// The exponent with which the worst-case error grows with the misspecification rho, beside the theory
///
/// Projected SGD on f(x) = -εx over [-D, D] with gradient noise ±G, for every rho at the worst slope ε. The errors
/// are computed without noise from the distribution of the walk, and confirmed by walking: the simulation runs the
/// same cells at --walk-steps, where both have to agree.
#[derive(Args)]
pub struct Rates {
    /// Schedules, separated by semicolons
    #[arg(long, value_name = "'A; B'", default_value = SCHEDULES)]
    schedules: String,
    /// Horizon T of the computed exponents
    #[arg(long, value_name = "N", default_value_t = 100_000_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000_000))]
    steps: u64,
    /// Lowest rho: base rate over the best rate of the last-iterate bound
    #[arg(long, value_name = "RHO", default_value_t = 10.0, allow_negative_numbers = true)]
    rho_low: f64,
    /// Highest rho
    #[arg(long, value_name = "RHO", default_value_t = 1000.0, allow_negative_numbers = true)]
    rho_high: f64,
    /// Values of rho
    #[arg(long, value_name = "N", default_value_t = 13)]
    points: usize,
    /// Other horizons, to show the effect of a finite T (as far as rho fits)
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "100000,1000000,10000000")]
    horizons: Vec<u64>,
    /// Steps of the simulated walks; 0 leaves the simulation out
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(0..=20_000_000))]
    walk_steps: u64,
    /// Walks per cell of the simulation, a multiple of 64
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u64).range(128..))]
    walks: u64,
    /// Seed of the simulation
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads [default: all]; the results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Save the picture; the ending says how: .svg or .png
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

const SCHEDULES: &str =
    "constant; inverse-sqrt timescale 1%; poly power 0.5; linear; poly power 2; poly power 3; cosine";

#[derive(Serialize)]
struct Answer {
    steps: u64,
    rho_low: f64,
    rho_high: f64,
    rates: Vec<Rate>,
    horizons: Vec<AtHorizon>,
    #[serde(skip_serializing_if = "Option::is_none")]
    simulation: Option<Simulation>,
    caveats: [&'static str; 3],
}

#[derive(Serialize)]
struct Rate {
    schedule: String,
    exponent: f64,
    low: f64,
    high: f64,
    theory: f64,
    points: Vec<WorstError>,
}

#[derive(Serialize)]
struct AtHorizon {
    steps: u64,
    rho_low: f64,
    rho_high: f64,
    exponents: Vec<f64>,
}

#[derive(Serialize)]
struct Simulation {
    steps: u64,
    walks: u64,
    seed: u64,
    rho_low: f64,
    rho_high: f64,
    /// Largest difference between walked and computed mean, in standard errors.
    largest_z: f64,
    /// Largest relative difference.
    largest_difference: f64,
    rates: Vec<Walked>,
}

#[derive(Serialize)]
struct Walked {
    schedule: String,
    exponent: f64,
    low: f64,
    high: f64,
    computed: f64,
    cells: Vec<WalkedCell>,
}

#[derive(Serialize)]
struct WalkedCell {
    rho: f64,
    slope: f64,
    error: f64,
    standard_error: f64,
    computed: f64,
}

const CAVEATS: [&str; 3] = [
    "the worst case over slopes: a particular problem can be kinder",
    "rho counts from the best rate of the last-iterate bound at 10^6 steps, carried to the horizon by 1/√T",
    "theory is the limit for many steps and large rho; the exponent is that of the stated window",
];

/// One schedule of the experiment.
struct Entrant {
    spec: String,
    schedule: Schedule,
    /// γ*·√T for D and G of the family, whose domain is 2D wide.
    factor: f64,
    theory: f64,
}

/// Steps at which a schedule's own bound is computed.
const BOUND_STEPS: u64 = 1_000_000;
/// Steps longer than this share of D are no longer like the continuum.
const LONGEST: f64 = 0.5;

/// A resolved schedule as a function of the share of the horizon.
struct OnShare(Curve);

impl Shape for OnShare {
    fn at(&self, u: f64) -> f64 {
        self.0.at((u * self.0.steps() as f64).round() as u64)
    }
}

/// Computes, simulates and prints.
pub fn run(args: &Rates) -> Result<(), Failure> {
    let entrants: Vec<Entrant> = (args.schedules.split(';').map(str::trim))
        .filter(|spec| !spec.is_empty())
        .map(entrant)
        .collect::<Result<_, _>>()?;
    if entrants.is_empty() {
        return Err(Failure::usage("--schedules names no schedule"));
    }
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let begun = Instant::now();
    let say = |what: &str| eprintln!("{:5.1} s  {what}", begun.elapsed().as_secs_f64());
    say(&format!("computing {} schedules at {} steps", entrants.len(), count(args.steps)));
    let found = compute(&entrants, args.steps, (args.rho_low, args.rho_high), args.points, threads)?;
    let mut horizons = Vec::new();
    for &steps in &args.horizons {
        let (low, high) = window(&entrants, steps, args);
        if high / low < 3.0 {
            say(&format!("{} steps are too few for this window of rho: left out", count(steps)));
            continue;
        }
        say(&format!("computing at {} steps", count(steps)));
        let found = compute(&entrants, steps, (low, high), 7, threads)?;
        let exponents = found.iter().map(|found| found.exponent).collect();
        horizons.push(AtHorizon { steps, rho_low: low, rho_high: high, exponents });
    }
    let simulation = match args.walk_steps {
        0 => None,
        steps => {
            say(&format!("walking {} steps", count(steps)));
            Some(walk(&entrants, args, threads)?)
        }
    };
    say("done");
    let rates = entrants.iter().zip(found).map(|(entrant, found)| Rate {
        schedule: entrant.spec.clone(),
        exponent: found.exponent,
        low: found.low,
        high: found.high,
        theory: entrant.theory,
        points: found.points,
    });
    let answer = Answer {
        steps: args.steps,
        rho_low: args.rho_low,
        rho_high: args.rho_high,
        rates: rates.collect(),
        horizons,
        simulation,
        caveats: CAVEATS,
    };
    let figure = picture(&answer);
    if let Some(path) = &args.plot {
        lehr_report::save(&figure, path).map_err(Failure::failed)?;
    }
    if args.json { output::json("lehr.lab.rates/1", &answer) } else { human(&answer, &figure) }
}

fn entrant(spec: &str) -> Result<Entrant, Failure> {
    let schedule: Schedule = spec.parse().map_err(Failure::usage)?;
    let curve = schedule.resolve(&Horizon::steps(BOUND_STEPS)).map_err(Failure::usage)?;
    let rates = lehr_theory::Rates::of_curve(&curve).map_err(Failure::usage)?;
    Ok(Entrant {
        spec: spec.to_owned(),
        schedule,
        factor: 2.0 * Bound::of(&rates).shape_factor(),
        theory: rates.end_degree().map_or(1.0, |degree| 1.0 / (2.0 * degree + 1.0)),
    })
}

fn compute(
    entrants: &[Entrant],
    steps: u64,
    (rho_low, rho_high): (f64, f64),
    points: usize,
    threads: usize,
) -> Result<Vec<Exponent>, Failure> {
    let shapes: Vec<OnShare> = resolve(entrants, steps)?;
    let root = (steps as f64).sqrt();
    let schedules: Vec<(&dyn Shape, f64)> = (shapes.iter().zip(entrants))
        .map(|(shape, entrant)| (shape as &dyn Shape, entrant.factor / root))
        .collect();
    let options = Options { steps: steps as f64, rho_low, rho_high, points, threads };
    exponents(&schedules, options).map_err(|error: Error| Failure::usage(error))
}

fn resolve(entrants: &[Entrant], steps: u64) -> Result<Vec<OnShare>, Failure> {
    let curve = |entrant: &Entrant| entrant.schedule.resolve(&Horizon::steps(steps)).map_err(Failure::usage);
    entrants.iter().map(|entrant| curve(entrant).map(OnShare)).collect()
}

/// The window of ρ at a horizon: the asked one, as far as no step is longer than half of D.
fn window(entrants: &[Entrant], steps: u64, args: &Rates) -> (f64, f64) {
    let largest = entrants.iter().map(|entrant| entrant.factor).fold(0.0, f64::max);
    (args.rho_low, args.rho_high.min(0.999 * LONGEST * (steps as f64).sqrt() / largest))
}

/// The computed worst cases again, walked.
fn walk(entrants: &[Entrant], args: &Rates, threads: usize) -> Result<Simulation, Failure> {
    const POINTS: usize = 5;
    let steps = args.walk_steps;
    let (low, high) = window(entrants, steps, args);
    if high / low < 3.0 {
        return Err(Failure::usage(format!(
            "--walk-steps {steps} are too few for rho from {low}: no step may be longer than half of D"
        )));
    }
    let computed = compute(entrants, steps, (low, high), POINTS, threads)?;
    let tables: Vec<Vec<f64>> =
        resolve(entrants, steps)?.iter().map(|shape| shape.0.iter().collect()).collect();
    let cells: Vec<Cell> = computed
        .iter()
        .enumerate()
        .flat_map(|(shape, found)| {
            found.points.iter().map(move |at| Cell { shape, rate: at.rate, slope: at.slope })
        })
        .collect();
    let blocks = args.walks.div_ceil(64) as usize;
    let walked = simulate(&tables, &cells, blocks, args.seed, threads).map_err(Failure::usage)?;
    let root = (steps as f64).sqrt();
    let (mut largest_z, mut largest_difference) = (0.0f64, 0.0f64);
    let mut rates = Vec::new();
    for ((entrant, found), walked) in entrants.iter().zip(&computed).zip(walked.chunks(POINTS)) {
        let cells: Vec<WalkedCell> = (found.points.iter().zip(walked))
            .map(|(at, walked)| WalkedCell {
                rho: at.rho,
                slope: at.slope,
                error: at.slope * walked.mean * root,
                standard_error: at.slope * walked.standard_error * root,
                computed: at.error,
            })
            .collect();
        for cell in &cells {
            largest_z = largest_z.max((cell.error - cell.computed).abs() / cell.standard_error);
            largest_difference = largest_difference.max((cell.error / cell.computed - 1.0).abs());
        }
        let whole: Vec<f64> = walked.iter().map(|walked| walked.mean).collect();
        let exponent = slope(&found.points, &whole);
        // Jackknife over blocks, whose noise is common to all cells.
        let without = |block: usize| {
            let means = walked.iter().map(|walked| {
                let rest: f64 = walked.blocks.iter().sum::<f64>() - walked.blocks[block];
                rest / (blocks - 1) as f64
            });
            slope(&found.points, &means.collect::<Vec<_>>())
        };
        let spread: f64 = (0..blocks).map(|block| (without(block) - exponent).powi(2)).sum();
        let half = 2.4 * (spread * (blocks - 1) as f64 / blocks as f64).sqrt();
        rates.push(Walked {
            schedule: entrant.spec.clone(),
            exponent,
            low: exponent - half,
            high: exponent + half,
            computed: found.exponent,
            cells,
        });
    }
    let walks = blocks as u64 * 64;
    let seed = args.seed;
    Ok(Simulation { steps, walks, seed, rho_low: low, rho_high: high, largest_z, largest_difference, rates })
}

/// Least-squares slope of log(ε·distance) on log ρ.
fn slope(points: &[WorstError], distances: &[f64]) -> f64 {
    let at = || points.iter().zip(distances).map(|(at, distance)| (at.rho.ln(), (at.slope * distance).ln()));
    let count = points.len() as f64;
    let (x0, y0) = (at().map(|(x, _)| x).sum::<f64>() / count, at().map(|(_, y)| y).sum::<f64>() / count);
    let spread: f64 = at().map(|(x, _)| (x - x0).powi(2)).sum();
    at().map(|(x, y)| (x - x0) * (y - y0)).sum::<f64>() / spread
}

fn picture(answer: &Answer) -> Figure {
    let mut figure = Figure::new("worst-case error against the misspecification of the base rate")
        .subtitle(format!("computed, {} steps; points: walked, where simulated", count(answer.steps)))
        .x(Axis::log("rho: base rate over the best one"))
        .y(Axis::log("worst error, in DG/√T"));
    for (place, rate) in answer.rates.iter().enumerate() {
        let name = format!("{} ({:.2})", rate.schedule, rate.exponent);
        let points: Vec<(f64, f64)> = rate.points.iter().map(|at| (at.rho, at.error)).collect();
        figure = figure.series(Series::line(name, points).colour(place));
    }
    for (place, walked) in answer.simulation.iter().flat_map(|simulation| &simulation.rates).enumerate() {
        let points = walked.cells.iter().map(|cell| (cell.rho, cell.error)).collect();
        figure = figure.series(Series::points("", points).colour(place));
    }
    figure
}

fn human(answer: &Answer, figure: &Figure) -> Result<(), Failure> {
    let mut columns = vec![
        ("schedule".to_owned(), Align::Left),
        ("theory".to_owned(), Align::Right),
        ("exponent".to_owned(), Align::Right),
        ("interval".to_owned(), Align::Right),
    ];
    let walked = answer.simulation.as_ref();
    if let Some(walked) = walked {
        columns.push((format!("walked, T = {}", significant(walked.steps as f64, 3)), Align::Right));
        columns.push(("computed".to_owned(), Align::Right));
    }
    let at = |horizon: &AtHorizon| (format!("T = {}", significant(horizon.steps as f64, 3)), Align::Right);
    columns.extend(answer.horizons.iter().map(at));
    let mut table = Table::new(columns);
    for (place, rate) in answer.rates.iter().enumerate() {
        let mut cells = vec![
            rate.schedule.clone(),
            format!("{:.3}", rate.theory),
            format!("{:.3}", rate.exponent),
            format!("[{:.3}, {:.3}]", rate.low, rate.high),
        ];
        if let Some(walked) = walked.and_then(|walked| walked.rates.get(place)) {
            cells.push(format!("{:.3} [{:.3}, {:.3}]", walked.exponent, walked.low, walked.high));
            cells.push(format!("{:.3}", walked.computed));
        }
        cells.extend(answer.horizons.iter().map(|horizon| format!("{:.3}", horizon.exponents[place])));
        table.row(cells);
    }
    let columns = u16::try_from(output::width()).unwrap_or(100).min(110);
    let mut text = format!(
        "Exponent of the worst error in rho, T = {}, rho from {} to {}\n\n{}\n{}\n",
        count(answer.steps),
        significant(answer.rho_low, 4),
        significant(answer.rho_high, 4),
        table.text(),
        lehr_report::terminal(figure, columns, 20, output::color()),
    );
    if let Some(walked) = walked {
        text += &format!(
            "Walked and computed errors differ by {:.1} % or {:.1} standard errors at most ({} walks a cell, rho {} to {}).\n",
            100.0 * walked.largest_difference,
            walked.largest_z,
            walked.walks,
            significant(walked.rho_low, 3),
            significant(walked.rho_high, 3),
        );
    }
    for horizon in &answer.horizons {
        text += &format!(
            "T = {}: rho from {} to {}\n",
            count(horizon.steps),
            significant(horizon.rho_low, 3),
            significant(horizon.rho_high, 3)
        );
    }
    text += "\nMind:\n";
    for caveat in answer.caveats {
        text += &format!("- {caveat}\n");
    }
    output::text(&text)
}
