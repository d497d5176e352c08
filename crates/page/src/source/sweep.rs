//! The view of a sweep.
use lehr::sweep::{Analysis, Sweep, analyse};
use lehr_report::number::{self, rate};
use serde_json::Value;

use crate::view::parameters::Values;
use crate::view::{Importance, Kind, Objective, Rates, Robustness, SCHEMA, Schedules, Table, Tile, View};
use crate::words::{self, counted};

/// What the table of losses does not say.
#[derive(Clone, Debug)]
pub struct Given {
    /// The heading.
    pub name: String,
    /// Where the results come from, what was trained.
    pub about: String,
    /// What the losses are.
    pub objective: Objective,
    /// Updates of each run, where known.
    pub steps: Option<u64>,
}

/// The view of a sweep: one trial per schedule and rate.
pub fn of_sweep(sweep: &Sweep, given: Given) -> View {
    let analysis = analyse(sweep);
    let cells = cells(sweep);
    let row =
        |group: usize, rate: f64| cells.iter().position(|cell| cell.group == group && cell.rate == rate);
    let best_rate = |i: usize| analysis.schedules[i].best.as_ref().map(|best| best.rate);
    let named = sweep.groups.iter().enumerate().map(|(i, group)| (group.schedule.clone(), i, best_rate(i)));
    let mut words = words::of(&analysis);
    let runs: usize = cells.iter().map(|cell| cell.losses.len()).sum();
    words.cost = cost(cells.len(), runs, given.steps);
    let trials = table(sweep, &cells, &given);
    let values: Vec<f64> = cells.iter().map(Cell::mean).collect();
    let tried: Vec<(String, Values)> = vec![
        ("schedule".into(), Values::Choices(cells.iter().map(|cell| Some(cell.group)).collect())),
        ("peak rate".into(), Values::Numbers(cells.iter().map(|cell| cell.rate).collect())),
    ];
    View {
        schema: SCHEMA,
        tiles: tiles(&analysis, &cells, runs, given.steps),
        rates: Rates::of(sweep, &analysis, 1.0, row),
        robustness: Robustness::of(sweep, given.steps),
        charts: Vec::new(),
        curves: None,
        schedules: Schedules::of(named, given.steps),
        parameters: None,
        importance: (sweep.groups.len() > 1).then(|| Importance::of(&tried, &values)).flatten(),
        workers: None,
        budget: None,
        running: false,
        name: given.name,
        about: given.about,
        objective: given.objective,
        words,
        trials,
    }
}

/// The runs of one schedule at one rate.
struct Cell {
    group: usize,
    rate: f64,
    losses: Vec<f64>,
}

impl Cell {
    fn mean(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len() as f64
    }

    fn diverged(&self) -> usize {
        self.losses.iter().filter(|loss| !loss.is_finite()).count()
    }
}

fn cells(sweep: &Sweep) -> Vec<Cell> {
    let of = |(group, runs): (usize, &lehr::sweep::Group)| {
        let rates = runs.rates.iter().zip(&runs.losses);
        rates
            .map(|(&rate, losses)| Cell { group, rate, losses: losses.iter().flatten().copied().collect() })
            .collect::<Vec<_>>()
    };
    sweep.groups.iter().enumerate().flat_map(of).collect()
}

fn cost(trials: usize, runs: usize, steps: Option<u64>) -> String {
    let mut text = format!("{}, {}", counted(trials, "trial"), counted(runs, "run"));
    if let Some(steps) = steps {
        text += &format!(
            " of {} updates each: {} updates at most",
            number::count(steps),
            number::count(steps.saturating_mul(runs as u64))
        );
    }
    text + "."
}

fn tiles(analysis: &Analysis, cells: &[Cell], runs: usize, steps: Option<u64>) -> Vec<Tile> {
    let mut tiles = Vec::new();
    if let Some(found) = &analysis.recommendation {
        let best = &found.best;
        let interval = best
            .interval
            .map_or_else(|| "one seed: no interval".into(), |i| format!("90 %: {}", words::interval(i)));
        tiles.push(Tile::new("Best peak rate", rate(best.rate), interval));
        let noise =
            best.half_width.map_or_else(|| "one seed".into(), |half| format!("± {half:.4} over seeds"));
        tiles.push(Tile::new("Loss there", number::loss(best.loss), noise));
        let report = analysis.schedules.iter().find(|report| report.schedule == found.schedule);
        if let Some(safe) = report.and_then(|report| report.safe) {
            tiles.push(Tile::new("Safe rates", words::interval(safe), "not told from the best by the noise"));
        }
    }
    let updates = steps.map_or_else(String::new, |steps| format!("{} updates each", number::count(steps)));
    let note =
        [counted(runs, "run"), updates].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    tiles.push(Tile::new("Trials", number::count(cells.len() as u64), note.join(", ")));
    let diverged: usize = cells.iter().map(Cell::diverged).sum();
    let lowest =
        cells.iter().filter(|cell| cell.diverged() > 0).map(|cell| cell.rate).fold(f64::INFINITY, f64::min);
    if diverged > 0 {
        let note = format!("runs, from rate {} on", rate(lowest));
        tiles.push(Tile::new("Diverged", number::count(diverged as u64), note));
    }
    tiles
}

fn table(sweep: &Sweep, cells: &[Cell], given: &Given) -> Table {
    let mut table = Table::new(cells.len());
    let state = |cell: &Cell| match cell.diverged() {
        0 => "complete",
        n if n == cell.losses.len() => "diverged",
        _ => "partly diverged",
    };
    let extreme = |cell: &Cell, pick: fn(f64, f64) -> f64| {
        let several = cell.losses.len() > 1;
        let found = cell.losses.iter().copied().filter(|loss| loss.is_finite()).reduce(pick);
        found.filter(|_| several).map_or(Value::Null, Value::from)
    };
    table.column("trial", "trial", Kind::Count, 0..cells.len());
    table.column("state", "state", Kind::State, cells.iter().map(state));
    table.column(
        "schedule",
        "schedule",
        Kind::Text,
        cells.iter().map(|c| sweep.groups[c.group].schedule.clone()),
    );
    table.column("rate", "peak rate", Kind::Rate, cells.iter().map(|cell| cell.rate));
    table.column("value", &given.objective.name, Kind::Value, cells.iter().map(Cell::mean));
    table.column("lowest", "lowest", Kind::Value, cells.iter().map(|cell| extreme(cell, f64::min)));
    table.column("highest", "highest", Kind::Value, cells.iter().map(|cell| extreme(cell, f64::max)));
    table.column("runs", "runs", Kind::Count, cells.iter().map(|cell| cell.losses.len()));
    table.column("diverged", "diverged", Kind::Count, cells.iter().map(Cell::diverged));
    table
}
