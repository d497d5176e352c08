//! `lehr lab rates`: with which exponent the worst error grows when the base rate is off.

use clap::Args;
use lehr_report::number::{count, significant};
use lehr_report::{Align, Axis, Figure, Series, Table};
use lehr_theory::worst_case::{AtHorizon, Experiment, Options, Outcome, Stage, Walks};
use std::path::PathBuf;
use std::time::Instant;

use crate::count::within;
use crate::failure::Failure;
use crate::output;
use crate::schedule::input::schedules;

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
    #[arg(long, value_name = "N", default_value_t = 100_000_000, value_parser = within(1_000, 1_000_000_000_000), allow_negative_numbers = true)]
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
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "100k,1M,10M", value_parser = within(1_000, 1_000_000_000_000))]
    horizons: Vec<u64>,
    /// Steps of the simulated walks; 0 leaves the simulation out
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = within(0, 20_000_000), allow_negative_numbers = true)]
    walk_steps: u64,
    /// Walks per cell of the simulation, a multiple of 64
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u64).range(128..))]
    walks: u64,
    /// Seed of the simulation
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = crate::count::seed, allow_negative_numbers = true)]
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

/// Computes, simulates and prints.
pub fn run(args: &Rates) -> Result<(), Failure> {
    let schedules = schedules(&args.schedules)?;
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let (rho_low, rho_high) = (args.rho_low, args.rho_high);
    let options = Options { steps: args.steps as f64, rho_low, rho_high, points: args.points, threads };
    let walks = Walks { steps: args.walk_steps, count: args.walks, seed: args.seed };
    let experiment = Experiment {
        schedules,
        options,
        horizons: args.horizons.clone(),
        walks: (args.walk_steps > 0).then_some(walks),
    };
    let begun = Instant::now();
    let say = |what: &str| eprintln!("{:5.1} s  {what}", begun.elapsed().as_secs_f64());
    let progress = |stage: Stage| match stage {
        Stage::Computing(steps) => say(&format!("computing at {} steps", count(steps))),
        Stage::Walking(steps) => say(&format!("walking {} steps", count(steps))),
    };
    let answer = experiment.run(&progress).map_err(Failure::usage)?;
    for &steps in &answer.left_out {
        say(&format!("{} steps are too few for this window of rho: left out", count(steps)));
    }
    say("done");
    let figure = picture(&answer);
    if let Some(path) = &args.plot {
        lehr_report::save(&figure, path).map_err(Failure::failed)?;
    }
    if args.json { output::json("lehr.lab.rates/1", &answer) } else { human(&answer, &figure) }
}

fn picture(answer: &Outcome) -> Figure {
    let mut figure = Figure::new("worst-case error against the misspecification of the base rate")
        .subtitle(format!("computed, {} steps; points: walked, where simulated", count(answer.steps)))
        .x(Axis::log("rho: base rate over the best one"))
        .y(Axis::log("worst error, in DG/√T"));
    for (place, rate) in answer.rates.iter().enumerate() {
        let name = format!("{} ({:.2})", rate.schedule, rate.found.exponent);
        let points: Vec<(f64, f64)> = rate.found.points.iter().map(|at| (at.rho, at.error)).collect();
        figure = figure.series(Series::line(name, points).colour(place));
    }
    for (place, walked) in answer.simulation.iter().flat_map(|simulation| &simulation.rates).enumerate() {
        let points = walked.cells.iter().map(|cell| (cell.rho, cell.error)).collect();
        figure = figure.series(Series::points("", points).colour(place));
    }
    figure
}

fn human(answer: &Outcome, figure: &Figure) -> Result<(), Failure> {
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
            format!("{:.3}", rate.found.exponent),
            format!("[{:.3}, {:.3}]", rate.found.low, rate.found.high),
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
