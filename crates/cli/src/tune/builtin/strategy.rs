//! `lehr tune --strategy NAME` on a built-in model: run by run, as the strategy says.

use lehr::lab::TrainPlan;
use lehr::search::{Parameter, Space};
use lehr::strategy::{BuiltIn, Goal, Recommendation, Record, SearchState, Strategy, by_name, drive};
use lehr::tune::Plan;
use lehr_page::words::sentence;
use lehr_report::number::{count, loss, rate, significant};
use lehr_report::{Align, Axis, Figure, Series, Table};
use serde::Serialize;

use super::super::ANNEALED_BUDGET;
use super::super::args::Tune;
use crate::failure::Failure;
use crate::output;

/// Full runs where no limit is given to a strategy that does not end by itself.
const DEFAULT_BUDGET: f64 = 30.0;

/// The result as data.
#[derive(Serialize)]
struct Answer<'a> {
    plan: serde_json::Value,
    #[serde(flatten)]
    found: &'a Recommendation,
    stopped: String,
    runs: Vec<Row>,
}

/// One run.
#[derive(Serialize)]
struct Row {
    schedule: Option<String>,
    lr: Option<f64>,
    steps: u64,
    seed: u64,
    loss: Option<f64>,
    diverged_at: Option<u64>,
}

/// Runs the search.
pub fn run(args: &Tune, plan: &Plan, name: &str) -> Result<(), Failure> {
    let strategy = by_name(name, None).map_err(Failure::usage)?;
    let training = TrainPlan {
        optimizer: plan.optimizer,
        batch: plan.batch,
        weight_decay: plan.weight_decay,
        ..TrainPlan::new(plan.model.clone(), plan.steps)
    };
    let model = BuiltIn { task: &plan.task, plan: &training };
    let mut goal = Goal::new(space(plan)?, model.target());
    goal.seed = plan.seed;
    goal.tolerance = args.tolerance;
    let most = if name == "annealed" { ANNEALED_BUDGET } else { DEFAULT_BUDGET };
    goal.budget = Some(args.budget.unwrap_or(most));
    let mut record = Record::default();
    let train = |params: &_, run: &_| model.run(&goal, params, run);
    let tell = |record: &Record, run: usize| {
        let of = &record.runs[run];
        let end = of.state.value().map_or("diverged".into(), loss);
        let lr = record.params[of.trial].float(&goal.rate).map_or(String::new(), rate);
        eprintln!("run {}: {} updates at {lr}: {end}", run + 1, count(of.horizon));
        true
    };
    let stopped = drive(&*strategy, &goal, &mut record, train, tell).map_err(Failure::usage)?;
    let found = strategy.result(&goal, &record).map_err(Failure::failed)?;
    let rows = rows(&goal, &record)?;
    if let Some(file) = &args.output {
        lehr_report::save(&figure(plan, &rows), file).map_err(Failure::failed)?;
    }
    if args.json {
        let stopped = stopped.unwrap_or_default();
        return output::json(
            "lehr.tune.strategy/1",
            &Answer { plan: plan.describe(), found: &found, stopped, runs: rows },
        );
    }
    output::text(&text(plan, &found, stopped.as_deref(), &rows))
}

fn space(plan: &Plan) -> Result<Space, Failure> {
    let specs: Vec<String> = plan.schedules.iter().map(ToString::to_string).collect();
    Space::new()
        .with(Parameter::log_float("lr", plan.rates.low(), plan.rates.high()))
        .and_then(|space| space.with(Parameter::categorical("schedule", specs.iter().map(String::as_str))))
        .map_err(Failure::usage)
}

fn rows(goal: &Goal, record: &Record) -> Result<Vec<Row>, Failure> {
    let row = |run: &lehr::strategy::Run| {
        let params = &record.params[run.trial];
        let diverged_at = match run.state {
            lehr::strategy::RunState::Diverged { at } => Some(at),
            _ => None,
        };
        Ok(Row {
            schedule: goal.spec(params).map_err(Failure::failed)?,
            lr: params.float(&goal.rate),
            steps: run.horizon,
            seed: run.seed,
            loss: run.state.value().filter(|value| value.is_finite()),
            diverged_at,
        })
    };
    record.runs.iter().map(row).collect()
}

/// Loss against rate, one line per horizon.
fn figure(plan: &Plan, rows: &[Row]) -> Figure {
    let mut horizons: Vec<u64> = rows.iter().map(|row| row.steps).collect();
    horizons.sort_unstable();
    horizons.dedup();
    let subtitle = format!("{} by {}, target {} updates", plan.model, plan.optimizer, count(plan.steps));
    let mut figure = Figure::new("runs of the search")
        .subtitle(subtitle)
        .x(Axis::log("peak rate"))
        .y(Axis::linear("validation loss at the end of the run"));
    for steps in horizons {
        let of = || rows.iter().filter(move |row| row.steps == steps);
        let mut points: Vec<(f64, f64)> = of().filter_map(|row| Some((row.lr?, row.loss?))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let lost: Vec<f64> = of().filter(|row| row.loss.is_none()).filter_map(|row| row.lr).collect();
        figure = figure.series(Series::points(format!("{} updates", count(steps)), points).diverged(lost));
    }
    figure
}

/// The result to read; `stopped` is why nothing more was run.
fn text(plan: &Plan, found: &Recommendation, stopped: Option<&str>, rows: &[Row]) -> String {
    let mut table = Table::new([
        ("run", Align::Right),
        ("schedule", Align::Left),
        ("peak rate", Align::Right),
        ("updates", Align::Right),
        ("validation loss", Align::Right),
    ]);
    for (number, row) in rows.iter().enumerate() {
        table.row([
            (number + 1).to_string(),
            row.schedule.clone().unwrap_or_default(),
            row.lr.map_or(String::new(), rate),
            count(row.steps),
            row.loss.map_or("diverged".into(), loss),
        ]);
    }
    let mut text = table.text();
    text += &format!("\n{}\n", found.advice);
    if let Some(expected) = found.loss {
        let range =
            expected.interval.map_or(String::new(), |r| format!(" ({} to {})", loss(r.low), loss(r.high)));
        text += &format!("Expected validation loss: {}{range}.\n", loss(expected.value));
    }
    if let Some(safe) = found.safe {
        let open = |open: bool| if open { " (not tried so far out)" } else { "" };
        let (low, high) = (rate(safe.low), rate(safe.high));
        let (a, b) = (open(safe.open_low), open(safe.open_high));
        text += &format!("Safe rates: {low}{a} to {high}{b}.\n");
    }
    let ratios: Vec<String> = found
        .robustness
        .iter()
        .map(|r| format!("{} at {}×", significant(r.ratio, 3), significant(r.rho, 2)))
        .collect();
    if !ratios.is_empty() {
        text += &format!(
            "R(ρ), by which a worst-case bound grows when the rate is too high: {}. It knows no cliff.\n",
            ratios.join(", ")
        );
    }
    let grid = found.grid_full_runs.map_or(String::new(), |runs| {
        format!("; a grid of one rate an octave takes {}", significant(runs, 3))
    });
    text += &format!(
        "Spent: {} runs, {} updates, as much as {} full runs{grid}.\n",
        found.spent.runs,
        count(found.spent.steps),
        significant(found.spent.steps as f64 / plan.steps as f64, 3)
    );
    let state = match (&found.state, stopped) {
        (SearchState::Finished(_), _) | (_, None) => found.state.to_string(),
        (state, Some(why)) => format!("{state}: {why}"),
    };
    text += &format!("{}\n", sentence(&state));
    found.doubts.iter().for_each(|doubt| text += &format!("Doubt: {doubt}.\n"));
    text
}
