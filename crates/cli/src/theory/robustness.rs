//! `lehr theory robustness`: how the bound grows when the base rate is off.

use clap::Args;
use lehr_report::number::significant;
use lehr_report::{Align, Axis, Figure, Series, Table};
use lehr_theory::{Caveat, GridRatio, Rates, Ratio, Robustness as Ratios};
use serde::Serialize;
use std::path::PathBuf;

use super::args::{Run, Show, column};
use super::text;
use crate::failure::Failure;
use crate::output;
use crate::schedule::input::parts;

/// How the bound grows when the base rate is off by a factor rho, and on a coarse grid of base rates
///
/// Several schedules, separated by semicolons, are compared in one picture.
#[derive(Args)]
pub struct Robustness {
    /// The schedule, or several: 'cosine; warmup 5%, constant'
    #[arg(value_name = "SPEC")]
    schedules: String,
    #[command(flatten)]
    run: Run,
    /// Factors by which the base rate is off; below 1 it is too low
    #[arg(
        long,
        value_name = "RHO,…",
        value_delimiter = ',',
        default_value = "2,3,5,10",
        allow_negative_numbers = true
    )]
    rho: Vec<f64>,
    /// Ratios of neighbouring points of a grid of base rates [default: the values of --rho above 1]
    #[arg(long, value_name = "R,…", value_delimiter = ',', allow_negative_numbers = true)]
    grid: Vec<f64>,
    /// Measured gradient norms, one per update: a column `norm` of a CSV file, or one number per line
    #[arg(long, value_name = "FILE")]
    norms: Option<PathBuf>,
    #[command(flatten)]
    show: Show,
}

#[derive(Serialize)]
struct Answer {
    schedule: String,
    steps: usize,
    iterate: &'static str,
    end: f64,
    end_degree: Option<f64>,
    limit_exponent: f64,
    ratios: Vec<Ratio>,
    grids: Vec<GridRatio>,
    caveats: Vec<Caveat>,
}

#[derive(Serialize)]
struct Comparison<'a> {
    schedules: &'a [Answer],
}

/// Computes and prints.
pub fn run(args: &Robustness) -> Result<(), Failure> {
    let norms = args.norms.as_ref().map(|path| column(path, "norm")).transpose()?;
    let specs: Vec<&str> = parts(&args.schedules).collect();
    if specs.is_empty() {
        return Err(Failure::usage("no schedule given; for example 'cosine' or 'cosine; linear'"));
    }
    let mut answers = Vec::new();
    let mut figure = Figure::new("growth of the bound with the misspecification of the base rate")
        .subtitle(format!("last iterate, {} steps", args.run.steps))
        .x(Axis::log("rho: base rate over the best one"))
        .y(Axis::log("R(rho)"));
    for spec in specs {
        let rates = args.run.rates(spec)?;
        let ratios = match &norms {
            Some(norms) => Ratios::with_norms(&rates, norms).map_err(Failure::usage)?,
            None => Ratios::of(&rates),
        };
        answers.push(answer(spec, &rates, &ratios, args)?);
        let highest = args.rho.iter().copied().fold(100.0, f64::max);
        let rhos = (-20..=120).map(|i| 10f64.powf(f64::from(i) / 120.0 * highest.log10()));
        let line: Result<Vec<(f64, f64)>, _> = rhos.map(|rho| Ok((rho, ratios.at(rho)?.ratio))).collect();
        figure = figure
            .series(Series::line(spec, line.map_err(|error: lehr_theory::Error| Failure::usage(error))?));
    }
    let averaged =
        (0..=100).map(|i| 10f64.powf(f64::from(i) / 50.0)).map(|rho| (rho, 0.5 * (rho + 1.0 / rho)));
    figure = figure.series(Series::line("averaged iterate, any schedule", averaged.collect()).faded());
    text::save(&figure, &args.show)?;
    match (args.show.json, &answers[..]) {
        (true, [answer]) => output::json("lehr.theory.robustness/1", answer),
        (true, answers) => {
            output::json("lehr.theory.robustness-comparison/1", &Comparison { schedules: answers })
        }
        (false, answers) => human(answers, &figure),
    }
}

fn answer(spec: &str, rates: &Rates, robustness: &Ratios, args: &Robustness) -> Result<Answer, Failure> {
    let grids: Vec<f64> = match &args.grid[..] {
        [] => args.rho.iter().copied().filter(|rho| *rho > 1.0).collect(),
        grids => grids.to_vec(),
    };
    let end_degree = rates.end_degree();
    Ok(Answer {
        schedule: spec.to_owned(),
        steps: robustness.steps(),
        iterate: "last",
        end: robustness.end(),
        end_degree,
        limit_exponent: end_degree.map_or(1.0, |degree| 1.0 / (2.0 * degree + 1.0)),
        ratios: args
            .rho
            .iter()
            .map(|&rho| robustness.at(rho))
            .collect::<Result<_, _>>()
            .map_err(Failure::usage)?,
        grids: grids
            .iter()
            .map(|&grid| robustness.grid(grid))
            .collect::<Result<_, _>>()
            .map_err(Failure::usage)?,
        caveats: Caveat::of_robustness(rates),
    })
}

fn human(answers: &[Answer], figure: &Figure) -> Result<(), Failure> {
    let numbers = answers.iter().flat_map(|answer| &answer.ratios);
    let mut rhos: Vec<f64> = numbers.map(|ratio| ratio.rho).collect();
    rhos.sort_by(f64::total_cmp);
    rhos.dedup();
    let mut columns = vec![("schedule".to_owned(), Align::Left)];
    columns.extend(rhos.iter().map(|&rho| (format!("R({})", significant(rho, 4)), Align::Right)));
    columns
        .extend(answers[0].grids.iter().map(|g| (format!("grid {}", significant(g.grid, 4)), Align::Right)));
    columns.push(("exponent".to_owned(), Align::Right));
    columns.push(("limit".to_owned(), Align::Right));
    let mut table = Table::new(columns);
    for answer in answers {
        let mut cells = vec![answer.schedule.clone()];
        let ratio = |rho: f64| answer.ratios.iter().find(|ratio| ratio.rho == rho);
        cells.extend(
            rhos.iter().map(|&rho| ratio(rho).map_or(String::new(), |ratio| format!("{:.3}", ratio.ratio))),
        );
        cells.extend(answer.grids.iter().map(|grid| format!("{:.3}", grid.ratio)));
        let last = answer.ratios.iter().max_by(|a, b| a.rho.total_cmp(&b.rho));
        cells.push(last.map_or(String::new(), |ratio| format!("{:.3}", ratio.exponent)));
        cells.push(format!("{:.3}", answer.limit_exponent));
        table.row(cells);
    }
    let headline = format!(
        "Bound at rho times the best base rate over the bound at the best, {} steps.\n\
         R: one-sided. grid: the worst case of a grid of that ratio, where the tuner takes the better neighbour.\n\
         exponent: slope of log R at the largest rho; limit: what it tends to as rho and the horizon grow.",
        answers[0].steps
    );
    let mut caveats: Vec<Caveat> = Vec::new();
    for caveat in answers.iter().flat_map(|answer| &answer.caveats) {
        if !caveats.contains(caveat) {
            caveats.push(*caveat);
        }
    }
    text::print(&headline, &table, Some(figure), &caveats)
}
