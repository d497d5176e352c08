//! The textbook effects of learning rates, measured on real data.
//!
//! Each effect is an experiment: [`EFFECTS`] lists them, [`Experiment::run`] trains and measures, and the [`Effect`] that
//! comes out says in one sentence what was found, with a table, a picture and intervals over seeds. What the data do not
//! show is reported as not shown.

mod adaptive;
mod basins;
mod crawl;
mod edge;
mod gap;
mod measure;
mod restarts;
mod setup;
mod staircase;
mod stationary;
mod trade;
mod warmup;

use serde::Serialize;

pub use measure::Estimate;
pub use setup::Setup;

/// Why an effect cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum EffectError {
    /// The setup makes no sense; the text says why.
    #[error("{0}")]
    Setup(String),
    /// The lab refuses; usually the data do not fit.
    #[error(transparent)]
    Lab(#[from] lehr_lab::Error),
    /// A schedule cannot be resolved.
    #[error("schedule `{spec}`: {why}")]
    Schedule {
        /// The schedule.
        spec: String,
        /// What is wrong.
        why: String,
    },
}

/// One experiment.
pub struct Experiment {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// What the textbook says.
    pub claim: &'static str,
    measure: fn(&Setup) -> Result<Finding, EffectError>,
}

impl Experiment {
    /// Trains and measures.
    ///
    /// # Errors
    /// If setup and data do not fit the experiment.
    pub fn run(&self, setup: &Setup) -> Result<Effect, EffectError> {
        setup.check()?;
        let Finding { shown, found, table, plot, notes } = (self.measure)(setup)?;
        Ok(Effect {
            name: self.name,
            claim: self.claim,
            shown,
            found,
            table,
            plot,
            notes,
            seeds: setup.seeds,
        })
    }
}

/// What an experiment found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// The experiment.
    pub name: &'static str,
    /// What the textbook says.
    pub claim: &'static str,
    /// Whether the data show it, beyond the noise.
    pub shown: bool,
    /// What was found, in one sentence.
    pub found: String,
    /// The numbers.
    pub table: Table,
    /// The picture.
    pub plot: Plot,
    /// What to know beside the numbers.
    pub notes: Vec<String>,
    /// Seeds.
    pub seeds: u64,
}

struct Finding {
    shown: bool,
    found: String,
    table: Table,
    plot: Plot,
    notes: Vec<String>,
}

/// Numbers under names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    fn new<const N: usize>(columns: [&str; N]) -> Self {
        Self { columns: columns.map(str::to_owned).to_vec(), rows: Vec::new() }
    }
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// A word, such as a schedule.
    Text(String),
    /// A number without an interval, such as a rate that was set.
    Number(f64),
    /// A measured number with its interval.
    Estimate(Estimate),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Estimate> for Cell {
    fn from(estimate: Estimate) -> Self {
        Self::Estimate(estimate)
    }
}

/// A picture as data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plot {
    /// What is on the horizontal axis.
    pub x: Axis,
    /// What is on the vertical axis.
    pub y: Axis,
    /// The lines.
    pub lines: Vec<Line>,
    /// Vertical marks: place and word.
    pub marks: Vec<(f64, String)>,
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axis {
    /// What it shows.
    pub label: String,
    /// Whether equal ratios take equal room.
    pub log: bool,
    /// The range shown, where the data should not decide.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    fn linear(label: &str) -> Self {
        Self { label: label.to_owned(), log: false, range: None }
    }

    fn log(label: &str) -> Self {
        Self { label: label.to_owned(), log: true, range: None }
    }

    fn range(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }
}

/// A line with the interval around it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// `(x, y, low, high)`; low and high are y where no interval is known.
    pub points: Vec<(f64, f64, f64, f64)>,
}

impl Line {
    fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, Estimate)>) -> Self {
        let point = |(x, of): (f64, Estimate)| (x, of.mean, of.low, of.high);
        Self { name: name.into(), points: points.into_iter().map(point).collect() }
    }
}

/// All experiments, in the order in which a reader wants them.
pub const EFFECTS: [Experiment; 10] = [
    Experiment {
        name: "edge",
        claim: "too high a rate diverges: gradient descent settles only below 2 over the largest eigenvalue of the Hessian",
        measure: edge::measure,
    },
    Experiment {
        name: "crawl",
        claim: "too low a rate crawls: half the rate takes twice the steps",
        measure: crawl::measure,
    },
    Experiment {
        name: "trade",
        claim: "the step size trades speed against stability: a higher constant rate is faster and ends noisier",
        measure: trade::measure,
    },
    Experiment {
        name: "warmup",
        claim: "warm-up prevents divergence: at the same rate a run with it trains and one without is lost",
        measure: warmup::measure,
    },
    Experiment {
        name: "restarts",
        claim: "warm restarts give good results early and do not cost the end; each restart leaves a snapshot",
        measure: restarts::measure,
    },
    Experiment {
        name: "staircase",
        claim: "smooth annealing (cosine) ends better than annealing in steps",
        measure: staircase::measure,
    },
    Experiment {
        name: "gap",
        claim: "schedules that reach the same training loss generalise differently",
        measure: gap::measure,
    },
    Experiment {
        name: "stationary",
        claim: "from a stationary start no schedule changes anything",
        measure: stationary::measure,
    },
    Experiment {
        name: "basins",
        claim: "a small rate stays in the poorer of two basins where a larger, annealed or restarted one leaves it",
        measure: basins::measure,
    },
    Experiment {
        name: "adaptive",
        claim: "Adam is less sensitive to the rate than plain SGD",
        measure: adaptive::measure,
    },
];

/// The experiment of this name.
pub fn find(name: &str) -> Option<&'static Experiment> {
    EFFECTS.iter().find(|experiment| experiment.name == name)
}

#[cfg(test)]
mod tests;
