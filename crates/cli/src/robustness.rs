//! `lehr robustness`: how much do I lose if I am off?

use clap::Args;
use lehr::robustness::{
    Columns, GroupRobustness, Measured, Options, Refused, measure, read_csv, read_events,
};
use lehr::studies;
use lehr::sweep::Sweep;
use lehr_report::number::{loss as loss_text, significant};
use lehr_report::{Align, Axis, Figure, Series, Table};
use lehr_schedule::{Horizon, Schedule};
use lehr_theory::{GridRatio, HorizonExponent, Rates, Ratio};
use serde::Serialize;
use std::path::PathBuf;

use crate::failure::Failure;
use crate::output;

/// How much a finished sweep says is lost when the base rate is off: measured, beside the theory
///
/// FILE is a CSV with one row per run, or a folder with TensorBoard's event files in a folder per run, whose settings are
/// those of `add_hparams` or in its name (cosine/lr=0.1,seed=3), or a study of Lehr or Optuna. Per schedule: the best rate with its interval, the safe interval of rates, and
/// what a coarser grid of rates would have cost, as far as the sweep's own rates can tell.
#[derive(Args)]
pub struct Robustness {
    /// The sweep: a CSV file, a folder of event files, or the storage of a study (study.db, postgresql://…)
    #[arg(value_name = "FILE|STUDY")]
    file: PathBuf,
    /// Column of the peak rate
    #[arg(long, value_name = "COLUMN", default_value = "lr")]
    rate: String,
    /// Column of the final loss
    #[arg(long, value_name = "COLUMN", default_value = "loss")]
    loss: String,
    /// Columns that name the schedule
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', default_value = "schedule")]
    by: Vec<String>,
    /// Column of the seed
    #[arg(long, value_name = "COLUMN", default_value = "seed")]
    seed: String,
    /// The study, where a storage holds several
    #[arg(long, value_name = "NAME")]
    study: Option<String>,
    /// Updates of the runs, for the theory
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = crate::count::steps, allow_negative_numbers = true)]
    steps: u64,
    #[command(flatten)]
    measure: Measure,
}

/// What is asked of a sweep, and how it is shown.
#[derive(Args, Clone)]
pub struct Measure {
    /// Factors between neighbours of the coarse grids
    #[arg(
        long,
        value_name = "R,…",
        value_delimiter = ',',
        default_value = "2,3,5,10,30,100",
        allow_negative_numbers = true
    )]
    grid: Vec<f64>,
    /// Standard deviation of a run's loss, where the sweep has one seed
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    noise: Option<f64>,
    /// A rate is safe if its loss is at most so much above the best [default: 0.2 % of it, or the noise]
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// The spec of a schedule that the sweep names otherwise: 'NAME=SPEC', may be repeated; for the theory
    #[arg(long, value_name = "NAME=SPEC")]
    spec: Vec<String>,
    /// Save the picture; the ending says how: .svg or .png
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    runs: String,
    schedules: Vec<Entry>,
    refused: Vec<Refused>,
    transfers: Vec<Pair>,
    steps: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    caveats: Vec<&'static str>,
}

#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    measured: GroupRobustness,
    #[serde(skip_serializing_if = "Option::is_none")]
    theory: Option<Theory>,
}

#[derive(Serialize)]
struct Theory {
    spec: String,
    /// R at each measured rate, one-sided, from the found optimum.
    ratios: Vec<Ratio>,
    /// The two-sided figure of each judged grid.
    grids: Vec<GridRatio>,
    #[serde(skip)]
    rates: Rates,
}

/// The best rates of two schedules held against each other.
#[derive(Serialize)]
struct Pair {
    from: String,
    to: String,
    found: f64,
    low: Option<f64>,
    high: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted: Option<f64>,
}

const CAVEATS: [&str; 2] = [
    "regret is a difference of losses; the theory's grid ratio is a ratio of bounds on the excess loss: compare the order, not the numbers",
    "coarse grids are those that the sweep's own rates contain; where a rate is missing the next higher one stands in",
];

/// Measures and prints.
pub fn run(args: &Robustness) -> Result<(), Failure> {
    let columns = Columns {
        rate: args.rate.clone(),
        loss: args.loss.clone(),
        by: args.by.clone(),
        seed: args.seed.clone(),
    };
    let text = args.file.to_string_lossy();
    let (sweep, left_out) = if studies::is_storage(&text) {
        let study = studies::open(&text, args.study.as_deref()).map_err(Failure::usage)?;
        studies::sweep(&study, &columns).map_err(Failure::usage)?
    } else if args.file.is_dir() {
        read_events(&args.file, &columns).map_err(Failure::usage)?
    } else {
        (read_csv(&args.file, &columns).map_err(Failure::usage)?, Vec::new())
    };
    let source = Source { what: args.file.display().to_string(), steps: args.steps, left_out };
    args.measure.present(&sweep, source, "lehr.robustness/1")
}

/// Where a sweep comes from.
pub struct Source {
    /// What it is, for the reader.
    pub what: String,
    /// Updates of the runs.
    pub steps: u64,
    /// Runs that are not part of it, and why.
    pub left_out: Vec<String>,
}

impl Measure {
    /// Measures a sweep, holds the theory beside it and prints; `schema` is that of the JSON.
    pub fn present(&self, sweep: &Sweep, source: Source, schema: &'static str) -> Result<(), Failure> {
        let specs = specs(&self.spec)?;
        let options = Options { noise: self.noise, epsilon: self.epsilon, ratios: self.grid.clone() };
        let Measured { schedules, refused } = measure(sweep, &options).map_err(Failure::usage)?;
        let answer = answer(schedules, refused, &specs, source)?;
        let figure = picture(&answer);
        if let Some(path) = &self.plot {
            lehr_report::save(&figure, path).map_err(Failure::failed)?;
        }
        if self.json { output::json(schema, &answer) } else { human(&answer, &figure) }
    }
}

fn answer(
    schedules: Vec<GroupRobustness>,
    refused: Vec<Refused>,
    specs: &[(String, String)],
    source: Source,
) -> Result<Answer, Failure> {
    for (name, _) in specs {
        if !schedules.iter().any(|group| group.schedule == *name) {
            let names: Vec<&str> = schedules.iter().map(|group| group.schedule.as_str()).collect();
            return Err(Failure::usage(format!("--spec names '{name}'; the sweep has {}", names.join(", "))));
        }
    }
    let entries: Vec<Entry> = schedules
        .into_iter()
        .map(|measured| {
            let named =
                specs.iter().find(|(name, _)| *name == measured.schedule).map(|(_, spec)| spec.as_str());
            let theory = theory(&measured, named, source.steps)?;
            Ok(Entry { measured, theory })
        })
        .collect::<Result<_, Failure>>()?;
    Ok(Answer {
        runs: source.what,
        transfers: pairs(&entries)?,
        schedules: entries,
        refused,
        steps: source.steps,
        left_out: source.left_out,
        caveats: CAVEATS.to_vec(),
    })
}

fn specs(pairs: &[String]) -> Result<Vec<(String, String)>, Failure> {
    pairs
        .iter()
        .map(|pair| match pair.split_once('=') {
            Some((name, spec)) => Ok((name.trim().to_owned(), spec.trim().to_owned())),
            None => Err(Failure::usage(format!("--spec '{pair}' is not NAME=SPEC"))),
        })
        .collect()
}

/// What theory says of the schedule, if its name or `--spec` can be read as one.
fn theory(measured: &GroupRobustness, named: Option<&str>, steps: u64) -> Result<Option<Theory>, Failure> {
    let text = named.unwrap_or(&measured.schedule);
    let schedule: Schedule = match (text.parse(), named) {
        (Ok(schedule), _) => schedule,
        (Err(_), None) => return Ok(None),
        (Err(error), Some(_)) => return Err(Failure::usage(error)),
    };
    let curve = match (schedule.resolve(&Horizon::steps(steps)), named) {
        (Ok(curve), _) => curve,
        (Err(_), None) => return Ok(None),
        (Err(error), Some(_)) => return Err(Failure::usage(error)),
    };
    let rates = Rates::of_curve(&curve).map_err(Failure::usage)?;
    let robustness = lehr_theory::Robustness::of(&rates);
    let best = measured.optimum.as_ref().map_or(measured.best_rate, |optimum| optimum.rate);
    let ratios = measured.rates.iter().map(|rate| robustness.at(rate / best)).collect::<Result<_, _>>();
    let grids = measured.regrets.iter().map(|regret| robustness.grid(regret.ratio)).collect::<Result<_, _>>();
    Ok(Some(Theory {
        spec: text.to_owned(),
        ratios: ratios.map_err(Failure::usage)?,
        grids: grids.map_err(Failure::usage)?,
        rates,
    }))
}

/// Every ordered pair of schedules with a best rate between the points, the smaller best rate first.
fn pairs(entries: &[Entry]) -> Result<Vec<Pair>, Failure> {
    let mut pairs = Vec::new();
    let mut known: Vec<(&Entry, &lehr::robustness::Optimum)> =
        entries.iter().filter_map(|entry| Some((entry, entry.measured.optimum.as_ref()?))).collect();
    known.sort_by(|a, b| a.1.rate.total_cmp(&b.1.rate));
    for (i, (from, low)) in known.iter().enumerate() {
        for (to, high) in &known[i + 1..] {
            let predicted = match (&from.theory, &to.theory) {
                (Some(from), Some(to)) => {
                    let carried = lehr_theory::transfer(&from.rates, &to.rates, 1.0, HorizonExponent::PRIOR);
                    Some(carried.map_err(Failure::usage)?.factor)
                }
                _ => None,
            };
            // Interval of a quotient of independent log rates.
            let half = |optimum: &lehr::robustness::Optimum| Some(0.5 * (optimum.high? / optimum.low?).ln());
            let found = high.rate / low.rate;
            let spread = half(low).zip(half(high)).map(|(a, b)| a.hypot(b).exp());
            pairs.push(Pair {
                from: from.measured.schedule.clone(),
                to: to.measured.schedule.clone(),
                found,
                low: spread.map(|spread| found / spread),
                high: spread.map(|spread| found * spread),
                predicted,
            });
        }
    }
    Ok(pairs)
}

fn picture(answer: &Answer) -> Figure {
    let mut figure = Figure::new("final loss against the peak rate")
        .subtitle(answer.runs.clone())
        .x(Axis::log("peak rate"))
        .y(Axis::linear("final loss"));
    let best = answer.schedules.iter().map(|entry| entry.measured.best_loss).fold(f64::INFINITY, f64::min);
    let mut highest = best;
    for (place, Entry { measured, .. }) in answer.schedules.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            measured.rates.iter().zip(&measured.losses).filter_map(|(&x, y)| Some((x, (*y)?))).collect();
        // A cliff would flatten everything else.
        highest = points
            .iter()
            .map(|point| point.1)
            .filter(|y| y - best < 0.3 * best.abs())
            .fold(highest, f64::max);
        let diverged = measured.diverged.iter().map(|cell| cell.rate);
        figure = figure.series(Series::line(&measured.schedule, points).colour(place).diverged(diverged));
    }
    if highest > best {
        let room = 0.05 * (highest - best);
        figure.y = figure.y.range(best - room, highest + room);
    }
    figure
}

fn human(answer: &Answer, figure: &Figure) -> Result<(), Failure> {
    let mut table = Table::new([
        ("schedule", Align::Left),
        ("rates", Align::Right),
        ("seeds", Align::Right),
        ("best rate", Align::Right),
        ("interval", Align::Left),
        ("loss", Align::Right),
        ("safe rates", Align::Left),
        ("octaves", Align::Right),
        ("loss/octave²", Align::Right),
    ]);
    for Entry { measured, .. } in &answer.schedules {
        let optimum = measured.optimum.as_ref();
        let interval =
            optimum.and_then(|o| Some(format!("[{}, {}]", significant(o.low?, 3), significant(o.high?, 3))));
        let safe = &measured.safe;
        let open = |open: bool| if open { "…" } else { "" };
        table.row([
            measured.schedule.clone(),
            measured.rates.len().to_string(),
            measured.seeds.to_string(),
            significant(optimum.map_or(measured.best_rate, |optimum| optimum.rate), 3),
            interval.unwrap_or_default(),
            loss_text(measured.best_loss),
            format!(
                "{}{} – {}{}",
                open(safe.open_low),
                significant(safe.low, 3),
                significant(safe.high, 3),
                open(safe.open_high)
            ),
            format!("{:.1}", (safe.high / safe.low).log2()),
            optimum.map_or(String::new(), |optimum| significant(optimum.curvature, 2)),
        ]);
    }
    let columns = u16::try_from(output::width()).unwrap_or(100).min(110);
    let mut text = format!(
        "{}\n\n{}\n{}\n{}",
        answer.runs,
        table.text(),
        lehr_report::terminal(figure, columns, 18, output::color()),
        regrets(answer),
    );
    text += &too_high(answer);
    if !answer.transfers.is_empty() {
        let mut table = Table::new([("from", Align::Left), ("to", Align::Left)].into_iter().chain([
            ("best rate found ×", Align::Right),
            ("interval", Align::Left),
            ("predicted ×", Align::Right),
        ]));
        for pair in &answer.transfers {
            let interval = pair.low.zip(pair.high).map(|(low, high)| format!("[{low:.2}, {high:.2}]"));
            table.row([
                pair.from.clone(),
                pair.to.clone(),
                format!("{:.2}", pair.found),
                interval.unwrap_or_default(),
                pair.predicted.map_or(String::new(), |predicted| format!("{predicted:.2}")),
            ]);
        }
        text += &format!("\nBest rates held against each other\n{}", table.text());
    }
    for refused in &answer.refused {
        text += &format!("\nNot analysed: {} ({})", refused.schedule, refused.reason);
    }
    for run in &answer.left_out {
        text += &format!("\nLeft out: {run}");
    }
    text += "\n\nMind:\n";
    let mut caveats: Vec<(&str, Vec<&str>)> = Vec::new();
    for Entry { measured, .. } in &answer.schedules {
        for caveat in &measured.caveats {
            match caveats.iter_mut().find(|(text, _)| text == caveat) {
                Some((_, names)) => names.push(&measured.schedule),
                None => caveats.push((caveat, vec![&measured.schedule])),
            }
        }
    }
    for (caveat, names) in caveats {
        let all = names.len() == answer.schedules.len();
        text += &if all { format!("- {caveat}\n") } else { format!("- {}: {caveat}\n", names.join(", ")) };
    }
    for caveat in &answer.caveats {
        text += &format!("- {caveat}\n");
    }
    output::text(&text)
}

/// The table of rates too high.
fn too_high(answer: &Answer) -> String {
    let mut rhos: Vec<f64> =
        answer.schedules.iter().flat_map(|entry| &entry.measured.too_high).map(|excess| excess.rho).collect();
    rhos.sort_by(f64::total_cmp);
    rhos.dedup();
    if rhos.is_empty() {
        return String::new();
    }
    let mut columns = vec![("schedule".to_owned(), Align::Left)];
    columns.extend(rhos.iter().map(|&rho| (format!("×{}", significant(rho, 3)), Align::Right)));
    let mut table = Table::new(columns);
    for Entry { measured, .. } in &answer.schedules {
        let mut cells = vec![measured.schedule.clone()];
        cells.extend(rhos.iter().map(
            |rho| match measured.too_high.iter().find(|excess| excess.rho == *rho) {
                None => "–".to_owned(),
                Some(excess) => excess.excess.map_or("diverges".to_owned(), |excess| format!("{excess:.4}")),
            },
        ));
        table.row(cells);
    }
    format!("\nLoss above the best where the rate is too high by a factor\n{}", table.text())
}

/// The table of coarse grids.
fn regrets(answer: &Answer) -> String {
    let mut ratios: Vec<f64> = answer
        .schedules
        .iter()
        .flat_map(|entry| &entry.measured.regrets)
        .map(|regret| regret.ratio)
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios.dedup();
    if ratios.is_empty() {
        return "The rates lie too far apart or are too few to judge a coarser grid.\n".to_owned();
    }
    let columns = [("schedule".to_owned(), Align::Left), ("".to_owned(), Align::Left)];
    let grids = ratios.iter().map(|&ratio| (format!("grid ×{}", significant(ratio, 3)), Align::Right));
    let mut table = Table::new(columns.into_iter().chain(grids));
    for Entry { measured, theory } in &answer.schedules {
        let mut cells = vec![measured.schedule.clone(), "regret".to_owned()];
        cells.extend(ratios.iter().map(|ratio| {
            let Some(found) = measured.regrets.iter().find(|regret| regret.ratio == *ratio) else {
                return "–".to_owned();
            };
            match (found.worst, found.half_width) {
                (None, _) => "diverges".to_owned(),
                (Some(worst), None) => format!("{worst:.4}"),
                (Some(worst), Some(half)) => format!("{worst:.4} ± {half:.4}"),
            }
        }));
        table.row(cells);
        if let Some(theory) = theory {
            let mut cells = vec![String::new(), "theory, ratio".to_owned()];
            let of = |ratio: &f64| theory.grids.iter().find(|grid| grid.grid == *ratio);
            cells.extend(
                ratios
                    .iter()
                    .map(|ratio| of(ratio).map_or("–".to_owned(), |grid| format!("{:.2}", grid.ratio))),
            );
            table.row(cells);
        }
    }
    format!(
        "Worst regret of a coarser grid of rates (loss), and what theory expects of its bound (ratio)\n{}",
        table.text()
    )
}
