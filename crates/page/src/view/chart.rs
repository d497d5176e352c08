//! Pictures that belong to one kind of result alone: lines and marks over two axes.
use serde::Serialize;

use super::tidy;

/// One picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Chart {
    /// Its name in addresses and files.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// How to read it, in a sentence or two.
    pub lead: String,
    /// The horizontal axis.
    pub x: ChartAxis,
    /// The vertical axis.
    pub y: ChartAxis,
    /// What is drawn.
    pub lines: Vec<ChartLine>,
    /// Places on the horizontal axis that have a name.
    pub rules: Vec<Rule>,
    /// Numbers under names, below the picture.
    pub table: Option<ChartTable>,
    /// What to know beside it.
    pub notes: Vec<String>,
}

/// An axis.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChartAxis {
    /// What it shows.
    pub label: String,
    /// Whether equal ratios take equal room.
    pub log: bool,
    /// The range shown, where the data should not decide.
    pub range: Option<(f64, f64)>,
}

impl ChartAxis {
    /// An axis on which equal differences take equal room.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: false, range: None }
    }

    /// An axis on which equal ratios do.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: true, range: None }
    }

    /// Shows this range.
    pub fn range(mut self, range: Option<(f64, f64)>) -> Self {
        self.range = range.filter(|(low, high)| low.is_finite() && high.is_finite() && low < high);
        self
    }
}

/// A line, or points.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChartLine {
    /// Its name.
    pub name: String,
    /// Its place in the palette.
    pub colour: usize,
    /// How it is drawn.
    pub draw: Draw,
    /// Whether it matters more than the others.
    pub strong: bool,
    /// Places, one per point.
    pub x: Vec<f64>,
    /// Values; `null` leaves a gap.
    pub y: Vec<f64>,
    /// Lower ends of a band; empty without one.
    pub low: Vec<f64>,
    /// Upper ends.
    pub high: Vec<f64>,
    /// Places where there is no value because a run diverged.
    pub lost: Vec<f64>,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Draw {
    /// A line with a mark at each point.
    #[default]
    Both,
    /// A line alone.
    Line,
    /// Marks alone.
    Points,
    /// Faint marks without a name: raw measurements behind a line.
    Faint,
}

impl ChartLine {
    /// Through these points.
    pub fn new(
        name: impl Into<String>,
        colour: usize,
        draw: Draw,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        let (x, y) = points.into_iter().map(|(x, y)| (tidy(x), tidy(y))).unzip();
        Self { name: name.into(), colour, draw, x, y, ..Self::default() }
    }

    /// With a band from `low` to `high` at each point.
    pub fn band(mut self, low: Vec<f64>, high: Vec<f64>) -> Self {
        if low.len() == self.x.len() && high.len() == self.x.len() {
            (self.low, self.high) = (low, high);
        }
        self
    }
}

/// A named place on the horizontal axis, or a stretch of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// Where.
    pub at: f64,
    /// Where a stretch ends.
    pub to: Option<f64>,
    /// Its name.
    pub label: String,
}

/// Numbers under names.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChartTable {
    /// The columns.
    pub columns: Vec<String>,
    /// The rows, as text.
    pub rows: Vec<Vec<String>>,
}
