//! A feedback schedule over a recorded metric.

use clap::Args;
use lehr_report::{Align, Axis, Figure, Mark, Place, Series, Table, number};
use lehr_schedule::{Feedback, Horizon, Verdict};
use serde::{Serialize, Serializer};
use std::path::{Path, PathBuf};

use super::horizon::RunArgs;
use super::picture;
use crate::failure::Failure;
use lehr::logs::Log;

/// Longer runs are not replayed.
const MOST_STEPS: u64 = 1 << 27;
/// More changes are counted, but neither listed nor marked.
const MOST_CHANGES: usize = 30;

/// The metric that a feedback schedule reacts to.
#[derive(Args)]
pub struct MetricArgs {
    /// For a schedule that reacts to a metric: replay it over this column of a CSV; its column `step`, where it has one,
    /// says after which update each metric was measured
    #[arg(long, value_name = "FILE:COLUMN")]
    metric_file: Option<String>,
    /// The same for metrics that are written here, one after each update; `nan` is one too
    #[arg(
        long,
        value_name = "M,…",
        value_delimiter = ',',
        allow_negative_numbers = true,
        conflicts_with = "metric_file"
    )]
    metrics: Vec<f64>,
}

impl MetricArgs {
    /// Refuses a metric for a schedule that does not react to one.
    pub fn refuse(&self) -> Result<(), Failure> {
        match self.metric_file.is_some() || !self.metrics.is_empty() {
            false => Ok(()),
            true => Err(Failure::usage(
                "a metric is given, but this schedule reacts to none; `plateau` and `greedy` do",
            )),
        }
    }

    /// The name of the metric, and its values, each with its update.
    fn read(&self, feedback: &Feedback) -> Result<(String, Vec<(u64, f64)>), Failure> {
        let Some(source) = &self.metric_file else {
            return match self.metrics.is_empty() {
                false => Ok(("metric".into(), (0..).zip(self.metrics.iter().copied()).collect())),
                true => Err(Failure::usage(format!(
                    "`{feedback}` reacts to a metric, so that its rates are not known before the run: give a \
                     recorded metric by --metric-file FILE:COLUMN, or some values by --metrics"
                ))),
            };
        };
        match source.rsplit_once(':') {
            Some((file, column)) if !file.is_empty() && !column.is_empty() => {
                Ok((column.into(), read(file, column)?))
            }
            _ => Err(Failure::usage(format!("--metric-file is FILE:COLUMN, not '{source}'"))),
        }
    }
}

/// What a feedback schedule did.
pub struct Replay {
    /// The schedule as text.
    pub schedule: String,
    /// The run.
    pub horizon: Horizon,
    /// The rate of every update.
    pub rates: Vec<f64>,
    column: String,
    observations: Vec<Observation>,
}

/// A metric and what it did.
#[derive(Debug, Serialize)]
pub struct Observation {
    /// The update after which it was measured.
    step: u64,
    /// `null`: NaN or infinite.
    metric: f64,
    #[serde(serialize_with = "as_text")]
    verdict: Verdict,
    /// The rate of the next update.
    lr: f64,
}

fn as_text<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(verdict)
}

impl Observation {
    fn is_change(&self) -> bool {
        matches!(self.verdict, Verdict::Cut { .. } | Verdict::Raised(_) | Verdict::Reset(_))
    }
}

impl Replay {
    /// Runs a feedback schedule over the metrics of a file.
    pub fn new(feedback: &Feedback, metric: &MetricArgs, run: &RunArgs) -> Result<Self, Failure> {
        let (column, metrics) = metric.read(feedback)?;
        let last = metrics.last().map_or(0, |(step, _)| *step);
        let horizon = run.horizon_or(last + 1)?;
        if horizon.steps > MOST_STEPS {
            let most = number::count(MOST_STEPS);
            return Err(Failure::usage(format!("runs of more than {most} steps are not replayed")));
        }
        let mut control = feedback.resolve(&horizon, run.peak()).map_err(Failure::usage)?;
        let mut metrics = metrics.into_iter().peekable();
        let (mut rates, mut observations) = (Vec::with_capacity(horizon.steps as usize), Vec::new());
        for t in 0..horizon.steps {
            rates.push(control.rate(t));
            while let Some((step, metric)) = metrics.next_if(|(step, _)| *step <= t) {
                let verdict = control.observe(step, metric);
                observations.push(Observation { step, metric, verdict, lr: control.rate(t + 1) });
            }
        }
        Ok(Self { schedule: feedback.to_string(), horizon, rates, column, observations })
    }

    /// The rates against the steps, with a line at each change.
    pub fn figure(&self, run: &RunArgs) -> Figure {
        let points = |rate: (usize, &f64)| (rate.0 as f64, *rate.1);
        let series = Series::steps("", self.rates.iter().enumerate().map(points).collect());
        let mut figure = picture::of_rates(self.horizon.steps, run.peak().is_none()).series(series);
        figure.title.clone_from(&self.schedule);
        figure.subtitle = format!("{}, over the recorded {}", run.words(&self.horizon), self.column);
        for change in self.changes().take(MOST_CHANGES) {
            figure = figure.mark(Mark::new(Place::Vertical((change.step + 1) as f64), ""));
        }
        figure
    }

    /// The rates, and the metric behind them on a scale of its own: for one picture of both.
    pub fn figure_of_both(&self, run: &RunArgs) -> Figure {
        let finite = || self.observations.iter().filter(|seen| seen.metric.is_finite());
        let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), seen| {
            (low.min(seen.metric), high.max(seen.metric))
        });
        let top = self.rates.iter().copied().fold(0.0, f64::max);
        let place = |metric: f64| match high > low {
            // Not from bottom to top: room for the rates.
            true => top * (0.05 + 0.9 * ((metric - low) / (high - low))),
            false => 0.5 * top,
        };
        let points = finite().map(|seen| ((seen.step + 1) as f64, place(seen.metric))).collect();
        let mut figure = self.figure(run);
        let range = format!("{} to {}", number::significant(low, 3), number::significant(high, 3));
        for series in &mut figure.series {
            series.name = "rate".into();
        }
        figure.series(Series::line(format!("{}, {range}, on its own scale", self.column), points).faded())
    }

    /// The metric against the steps.
    pub fn metric_figure(&self) -> Figure {
        let finite = self.observations.iter().filter(|seen| seen.metric.is_finite());
        let points = finite.map(|seen| (seen.step as f64, seen.metric)).collect();
        Figure::default()
            .x(Axis::linear("step").range(0.0, self.horizon.steps as f64))
            .y(Axis::linear(self.column.clone()))
            .series(Series::line("", points).colour(1))
    }

    fn changes(&self) -> impl Iterator<Item = &Observation> {
        self.observations.iter().filter(|seen| seen.is_change())
    }

    /// The numbers in lines, then the changes as a table.
    pub fn text(&self) -> String {
        let count = |n: usize| number::count(n as u64);
        let not_finite = self.observations.iter().filter(|seen| !seen.metric.is_finite()).count();
        let changes = self.changes().count();
        let mut text = String::new();
        for (name, value) in [
            ("first update", number::rate(self.rates.first().copied().unwrap_or(f64::NAN))),
            ("last update", number::rate(self.rates.last().copied().unwrap_or(f64::NAN))),
            ("metrics", count(self.observations.len())),
            ("not finite", count(not_finite)),
            ("changes", count(changes)),
        ] {
            text += &format!("{name:<13} {value}\n");
        }
        if changes == 0 {
            return text;
        }
        let right = Align::Right;
        let columns = [("step", right), (&self.column, right), ("what it did", Align::Left), ("rate", right)];
        let mut table = Table::new(columns);
        for change in self.changes().take(MOST_CHANGES) {
            table.row([
                number::count(change.step),
                number::significant(change.metric, 4),
                change.verdict.to_string(),
                number::rate(change.lr),
            ]);
        }
        let rest = changes.saturating_sub(MOST_CHANGES);
        let more = if rest > 0 { format!("and {} more\n", count(rest)) } else { String::new() };
        text + "\n" + &table.text() + &more
    }

    /// The result of `show` for programs.
    pub fn object<'r>(&'r self, run: &RunArgs, picture: Option<&'r Path>) -> impl Serialize + 'r {
        Object {
            schedule: &self.schedule,
            horizon: self.horizon,
            peak: run.peak(),
            first: self.rates.first().copied(),
            last: self.rates.last().copied(),
            observations: &self.observations,
            picture: picture.map(Path::to_owned),
        }
    }
}

#[derive(Serialize)]
struct Object<'r> {
    schedule: &'r str,
    horizon: Horizon,
    /// `null`: rates are fractions of the peak.
    peak: Option<f64>,
    first: Option<f64>,
    last: Option<f64>,
    observations: &'r [Observation],
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
}

/// The metrics of a column, each with its update; lines without one are left out.
fn read(file: &str, column: &str) -> Result<Vec<(u64, f64)>, Failure> {
    let log = Log::read(Path::new(file))?;
    let (value, step) = (log.place(column)?, log.find("step"));
    let mut metrics: Vec<(u64, f64)> = Vec::new();
    for (_, lines) in log.runs("") {
        for (i, line) in (0..).zip(lines) {
            let step = step.map_or(Ok(i), |step| log.step(line, step))?;
            if metrics.last().is_some_and(|(before, _)| step < *before) {
                let advice = "give the log of one run, in order";
                return Err(Failure::usage(format!("{file}: step {step} comes after a later one: {advice}")));
            }
            if let Some(metric) = log.value(line, value)? {
                metrics.push((step, metric));
            }
        }
    }
    match metrics.is_empty() {
        true => Err(Failure::usage(format!("{file}: no metric in the column '{column}'"))),
        false => Ok(metrics),
    }
}
