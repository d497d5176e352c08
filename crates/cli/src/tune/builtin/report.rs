//! What `lehr tune` shows: heading, table, picture, recommendation.

use std::fmt;
use std::path::Path;

use lehr::sweep::{Analysis, Edge, Overshoot, ScheduleReport, Sweep};
use lehr::tune::{Plan, Search, Trial, Tuned};
use lehr_report::number::{self, percent, rate};
use lehr_report::{Align, Axis, Figure, Series, Table, terminal};

use crate::output;

/// What is going to be run.
pub fn heading(plan: &Plan) -> String {
    let (train, validation) = (plan.task.train(), plan.task.validation());
    let trials = plan.points * plan.schedules.len();
    let epochs = plan.horizon().steps_per_epoch.map_or(0.0, |per_epoch| plan.steps as f64 / per_epoch);
    let how = match plan.search {
        Search::Grid => "on a grid",
        Search::Random => "drawn at random",
    };
    format!(
        "{}: {} rows to train on, {} to validate on, {} features, {} classes\n\
         {} by {}, batch {}, {} updates ({} epochs)\n\
         {} trials: {} schedules × {} peak rates {how} over {}, {} each\n\n",
        train.name(),
        number::count(train.rows() as u64),
        number::count(validation.rows() as u64),
        train.features().columns(),
        train.classes().len(),
        plan.model,
        plan.optimizer,
        plan.batch,
        number::count(plan.steps),
        number::significant(epochs, 3),
        trials,
        plan.schedules.len(),
        plan.points,
        plan.rates,
        counted(plan.seeds, "seed"),
    )
}

fn counted(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// The best finished trial, for the progress bar.
pub struct BestSoFar {
    finished: usize,
    best: Option<(f64, String, f64)>,
}

impl BestSoFar {
    /// Starts with the trials that were finished before.
    pub fn new(finished: &[Trial]) -> Self {
        let mut best = Self { finished: 0, best: None };
        finished.iter().for_each(|trial| best.see(trial));
        best
    }

    /// Takes in a finished trial.
    pub fn see(&mut self, trial: &Trial) {
        self.finished += 1;
        let loss = trial.runs.iter().map(|run| run.loss()).sum::<f64>() / trial.runs.len() as f64;
        if loss.is_finite() && self.best.as_ref().is_none_or(|(best, ..)| loss < *best) {
            self.best = Some((loss, trial.schedule.clone(), trial.lr));
        }
    }
}

impl fmt::Display for BestSoFar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} trials", self.finished)?;
        match &self.best {
            Some((loss, schedule, lr)) => {
                write!(f, ", best {} ({schedule}, {})", number::loss(*loss), rate(*lr))
            }
            None => Ok(()),
        }
    }
}

/// Mean loss against peak rate, one line per schedule; diverged rates on the edge.
pub fn figure(plan: &Plan, sweep: &Sweep, analysis: &Analysis) -> Figure {
    let guessing = (plan.task.train().classes().len() as f64).ln();
    let best = analysis.schedules.iter().filter_map(|s| s.best.as_ref()).map(|best| best.loss);
    let best = best.fold(f64::INFINITY, f64::min);
    let axis = Axis::linear("validation loss");
    let axis = if best < guessing {
        let above = 0.05 * (guessing - best);
        axis.range(best - above, guessing + above)
    } else {
        axis
    };
    let mut figure = Figure::new("validation loss against peak rate").x(Axis::log("peak rate")).y(axis);
    for (group, report) in sweep.groups.iter().zip(&analysis.schedules) {
        let cells = group.rates.iter().enumerate();
        let mean = |losses: Vec<f64>| losses.iter().sum::<f64>() / losses.len() as f64;
        let points = cells
            .filter_map(|(i, &rate)| Some((rate, mean(group.complete(i)?))))
            .filter(|(_, loss)| loss.is_finite())
            .collect();
        let diverged = report.diverged.iter().map(|cell| cell.rate);
        figure = figure.series(Series::line(&group.schedule, points).diverged(diverged));
    }
    figure
}

/// Table, picture, recommendation, and where the results are.
pub fn results(tuned: &Tuned, analysis: &Analysis, figure: &Figure, folder: &Path) -> String {
    let width = u16::try_from(output::width().clamp(60, 140)).unwrap_or(100);
    let mut text = table(tuned, analysis);
    text.push('\n');
    text += &terminal(figure, width, 24, output::color());
    text.push('\n');
    text += &advice(analysis);
    text += &format!(
        "\nResults: {0}/ (trials.jsonl: one record per trial; runs.csv; summary.json; loss.svg)\n\
         Look at them: {0}/report.html\n",
        folder.display()
    );
    text
}

fn table(tuned: &Tuned, analysis: &Analysis) -> String {
    let mut table = Table::new([
        ("schedule", Align::Left),
        ("best peak rate", Align::Right),
        ("validation loss", Align::Right),
        ("accuracy", Align::Right),
        ("train loss", Align::Right),
        ("safe rates", Align::Right),
        ("4× too high", Align::Right),
        ("diverged", Align::Left),
    ]);
    for report in &analysis.schedules {
        let row = match &report.best {
            None => [
                report.schedule.clone(),
                "none".into(),
                "–".into(),
                "–".into(),
                "–".into(),
                "–".into(),
                "–".into(),
            ],
            Some(best) => {
                let runs: Vec<_> = tuned
                    .trials
                    .iter()
                    .filter(|trial| trial.schedule == report.schedule && trial.lr == best.rate)
                    .flat_map(|trial| &trial.runs)
                    .collect();
                let mean = |of: fn(&lehr::tune::Run) -> Option<f64>| {
                    let values: Vec<f64> = runs.iter().filter_map(|run| of(run)).collect();
                    values.iter().sum::<f64>() / values.len() as f64
                };
                let edge = match best.edge {
                    Some(Edge::Low) => "≤ ",
                    Some(Edge::High) => "≥ ",
                    None => "",
                };
                let noise = best.half_width.map_or(String::new(), |half| format!(" ± {half:.4}"));
                [
                    report.schedule.clone(),
                    format!("{edge}{}", rate(best.rate)),
                    format!("{}{noise}", number::loss(best.loss)),
                    percent(mean(|run| run.validation_accuracy)),
                    number::loss(mean(|run| run.train_loss)),
                    report.safe.map_or("unknown".into(), lehr_page::words::interval),
                    match report.overshoot {
                        Some(Overshoot::Costs { loss }) => format!("{loss:+.4}"),
                        Some(Overshoot::Diverges) => "diverges".into(),
                        Some(Overshoot::NotTried) | None => "not tried".into(),
                    },
                ]
            }
        };
        table.row(row.into_iter().chain([diverged(report)]));
    }
    table.text()
}

fn diverged(report: &ScheduleReport) -> String {
    let Some(first) = report.diverged.first() else { return "–".into() };
    let all = report.diverged.iter().find(|cell| cell.diverged == cell.seeds).map(|cell| cell.rate);
    match all {
        Some(all) if all == first.rate => format!("≥ {}", rate(all)),
        Some(all) => format!("≥ {} (all ≥ {})", rate(first.rate), rate(all)),
        None => format!("≥ {} (some)", rate(first.rate)),
    }
}

/// What a person can act on; the words of the page.
fn advice(analysis: &Analysis) -> String {
    let words = lehr_page::words::of(analysis);
    let lines = [words.headline, words.reasons.join(" ")].into_iter().chain(words.doubts).chain(words.next);
    lines.filter(|line| !line.is_empty()).map(|line| line + "\n").collect()
}
