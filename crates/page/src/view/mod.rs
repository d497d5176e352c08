//! What a page shows, as data. Its JSON (`lehr.view/1`) is what the page reads, embedded or live; numbers that are not
//! finite are `null` there.
mod budget;
mod chart;
mod curves;
pub(crate) mod parameters;
mod rates;
mod robustness;
mod schedules;
mod table;
mod workers;

pub use budget::Budget;
pub use chart::{Chart, ChartAxis, ChartLine, ChartTable, Draw, Rule};
pub use curves::{Curve, Curves};
pub use parameters::{Axis, Importance, Parameters, Share};
pub use rates::{BestRate, Divergence, Points, RateCurve, Rates};
pub use robustness::{Robustness, RobustnessCurve};
pub use schedules::{ScheduleLine, Schedules};
pub use table::{Column, Kind, Table};
pub use workers::{Work, Worker, Workers};

use serde::Serialize;

/// The name and version of the view's form.
pub const SCHEMA: &str = "lehr.view/1";

/// One page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The heading: the study's name, or that of the file.
    pub name: String,
    /// What is shown: where it came from, what was trained on what.
    pub about: String,
    /// What the numbers are.
    pub objective: Objective,
    /// What to use, how sure that is, what it cost, what to do next.
    pub words: Words,
    /// The numbers that matter most.
    pub tiles: Vec<Tile>,
    /// Whether trials still run or wait.
    pub running: bool,
    /// Loss against rate.
    pub rates: Option<Rates>,
    /// What being off costs.
    pub robustness: Option<Robustness>,
    /// Pictures of this kind of result alone.
    pub charts: Vec<Chart>,
    /// Learning curves.
    pub curves: Option<Curves>,
    /// The schedules.
    pub schedules: Option<Schedules>,
    /// All parameters of all trials.
    pub parameters: Option<Parameters>,
    /// How much each parameter matters.
    pub importance: Option<Importance>,
    /// Who trained what, when.
    pub workers: Option<Workers>,
    /// What was spent against what a grid costs.
    pub budget: Option<Budget>,
    /// The trials.
    pub trials: Table,
}

/// A number with as many digits as a picture needs.
pub(crate) fn tidy(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// The number that is made small or large.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    /// Its name.
    pub name: String,
    /// Whether large is good.
    pub maximize: bool,
}

impl Objective {
    /// A loss of this name.
    pub fn loss(name: impl Into<String>) -> Self {
        Self { name: name.into(), maximize: false }
    }
}

/// The summary, in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Words {
    /// What to use, in one sentence.
    pub headline: String,
    /// Why, and how sure that is.
    pub reasons: Vec<String>,
    /// What speaks against relying on it.
    pub doubts: Vec<String>,
    /// What it cost.
    pub cost: String,
    /// What to do next.
    pub next: Vec<String>,
}

/// A number with its name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tile {
    /// What it is.
    pub label: String,
    /// The number, as text.
    pub value: String,
    /// What a reader has to know beside it.
    pub note: String,
}

impl Tile {
    /// A tile.
    pub fn new(label: impl Into<String>, value: impl Into<String>, note: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into(), note: note.into() }
    }
}
