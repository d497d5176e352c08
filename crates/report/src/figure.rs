//! What a picture shows, as data; how it is drawn is the renderers' business.

/// How values are placed along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal differences take equal room.
    #[default]
    Linear,
    /// Equal ratios take equal room; values that are not positive are left out.
    Log,
}

/// One axis: its label, its scale and, where the data should not decide, its range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    /// Linear or logarithmic.
    pub scale: Scale,
    /// Lowest and highest value shown; `None` takes them from the data. A range that cannot be
    /// drawn (not finite, empty, not positive on a logarithmic axis) counts as `None`.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Linear, range: None }
    }

    /// A logarithmic axis.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Log, range: None }
    }

    /// The same axis with a fixed range.
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }
}

/// How the points of a series are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Joined by straight lines; series of few points get markers as well.
    #[default]
    Line,
    /// Markers only.
    Points,
    /// Each value holds until the next point.
    Step,
}

/// Named points that share a colour.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// The name in the legend; a series without a name has no entry there.
    pub name: String,
    /// `(x, y)` in drawing order; a point that is not finite breaks the line.
    pub points: Vec<(f64, f64)>,
    /// How the points are drawn.
    pub style: Style,
    /// `(x, low, high)`: a shaded band in the colour of the series, such as an interval over seeds.
    pub band: Vec<(f64, f64, f64)>,
    /// The x of trials that have no finite y; drawn on the upper edge of the picture.
    pub diverged: Vec<f64>,
    /// Place in the palette; `None` takes the place of the series in the figure.
    pub colour: Option<usize>,
    /// Drawn pale and behind the others.
    pub faded: bool,
}

impl Series {
    /// Points joined by lines.
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, ..Self::default() }
    }

    /// Markers only.
    pub fn points(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { style: Style::Points, ..Self::line(name, points) }
    }

    /// Steps: each value holds until the next point.
    pub fn steps(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { style: Style::Step, ..Self::line(name, points) }
    }

    /// Adds a band of `(x, low, high)`.
    pub fn band(mut self, band: Vec<(f64, f64, f64)>) -> Self {
        self.band = band;
        self
    }

    /// Adds trials without a finite value at these x.
    pub fn diverged(mut self, x: impl IntoIterator<Item = f64>) -> Self {
        self.diverged = x.into_iter().collect();
        self
    }

    /// Takes this place of the palette.
    pub fn colour(mut self, place: usize) -> Self {
        self.colour = Some(place);
        self
    }

    /// Draws the series pale and behind the others.
    pub fn faded(mut self) -> Self {
        self.faded = true;
        self
    }
}

/// Where a mark stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// A vertical line at this x.
    Vertical(f64),
    /// A horizontal line at this y.
    Horizontal(f64),
    /// Everything between two x, such as a safe interval of rates.
    Span(f64, f64),
    /// A word at a point.
    Note(f64, f64),
}

/// A line, a span or a word that explains the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub label: String,
    /// The series (its place in the figure) whose colour it takes; grey without one.
    pub series: Option<usize>,
}

impl Mark {
    /// A mark in grey.
    pub fn new(place: Place, label: impl Into<String>) -> Self {
        Self { place, label: label.into(), series: None }
    }

    /// The same mark in the colour of a series.
    pub fn of(mut self, series: usize) -> Self {
        self.series = Some(series);
        self
    }
}

/// A picture: two axes, series and marks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {
    /// One line on what is seen.
    pub title: String,
    /// A second, smaller line: data, horizon, seeds.
    pub subtitle: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, first series at the bottom.
    pub series: Vec<Series>,
    /// What explains it.
    pub marks: Vec<Mark>,
}

impl Figure {
    /// An empty figure with a title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Sets the second line of the title.
    pub fn subtitle(mut self, text: impl Into<String>) -> Self {
        self.subtitle = text.into();
        self
    }

    /// Sets the horizontal axis.
    pub fn x(mut self, axis: Axis) -> Self {
        self.x = axis;
        self
    }

    /// Sets the vertical axis.
    pub fn y(mut self, axis: Axis) -> Self {
        self.y = axis;
        self
    }

    /// Adds a series.
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Adds a mark.
    pub fn mark(mut self, mark: Mark) -> Self {
        self.marks.push(mark);
        self
    }
}
