//! The frame of a figure: ranges, ticks, and the way from values to the unit square.
use crate::figure::{Axis, Figure, Place, Scale, Style};
use crate::ticks::{self, Ticks};

/// One axis with its range decided.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub scale: Scale,
    pub low: f64,
    pub high: f64,
}

impl Span {
    /// The place of a value, 0 at the low end and 1 at the high end; `None` where it has none.
    pub fn unit(&self, value: f64) -> Option<f64> {
        let unit = match self.scale {
            _ if !value.is_finite() => return None,
            // Halves, so that the widest ranges do not overflow.
            Scale::Linear => (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0),
            Scale::Log if value <= 0.0 => return None,
            Scale::Log => (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
        };
        unit.is_finite().then_some(unit)
    }

    /// As [`Span::unit`], kept inside; a value that is not positive on a logarithmic axis is at the
    /// low end.
    pub fn clamped(&self, value: f64) -> Option<f64> {
        if self.scale == Scale::Log && value <= 0.0 {
            return Some(0.0);
        }
        self.unit(value).map(|u| u.clamp(0.0, 1.0))
    }

    /// About so many ticks.
    pub fn ticks(&self, wanted: usize) -> Ticks {
        match self.scale {
            Scale::Linear => ticks::linear(self.low, self.high, wanted),
            Scale::Log => ticks::log(self.low, self.high, wanted),
        }
    }
}

/// Both axes of a figure.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub x: Span,
    pub y: Span,
    /// What to say instead of drawing, where there is nothing to draw.
    pub empty: Option<&'static str>,
    /// Whether some trial has no finite value.
    pub diverged: bool,
}

impl Frame {
    /// Decides the ranges from the data and the marks.
    pub fn of(figure: &Figure) -> Self {
        let mut xs = Extent::new(figure.x.scale);
        let mut ys = Extent::new(figure.y.scale);
        let (mut seen, mut drawn, mut diverged) = (false, false, false);
        for series in &figure.series {
            for &(x, y) in &series.points {
                seen = true;
                let (x_fits, y_fits) = (xs.add(x), ys.add(y));
                drawn |= x_fits && y_fits;
            }
            for &(x, low, high) in &series.band {
                seen = true;
                let fits = [xs.add(x), ys.add(low), ys.add(high)];
                drawn |= fits[0] && fits[2];
            }
            for &x in &series.diverged {
                seen = true;
                diverged |= xs.add(x);
            }
        }
        for mark in &figure.marks {
            match mark.place {
                Place::Vertical(x) => drop(xs.add(x)),
                Place::Horizontal(y) => drop(ys.add(y)),
                Place::Span(from, to) => drop((xs.add(from), xs.add(to))),
                Place::Note(..) => {}
            }
        }
        let markers = figure.series.iter().any(|s| s.style == Style::Points || sparse(s.points.len()));
        let empty = match (drawn || diverged, seen) {
            (true, _) => None,
            (false, false) => Some("no data to draw"),
            (false, true) => Some("no finite values to draw"),
        };
        Self {
            x: xs.span(&figure.x, if markers { 0.025 } else { 0.0 }),
            y: ys.span(&figure.y, 0.05),
            empty,
            diverged,
        }
    }
}

/// Whether a line of so many points gets a marker at each.
pub(crate) fn sparse(points: usize) -> bool {
    points <= 48
}

/// The lowest and highest value that an axis can show.
struct Extent {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Extent {
    fn new(scale: Scale) -> Self {
        Self { scale, low: f64::INFINITY, high: f64::NEG_INFINITY }
    }

    /// Takes a value in; whether the axis can show it.
    fn add(&mut self, value: f64) -> bool {
        let fits = value.is_finite() && (self.scale == Scale::Linear || value > 0.0);
        if fits {
            self.low = self.low.min(value);
            self.high = self.high.max(value);
        }
        fits
    }

    /// The range of the axis: the one asked for if it can be drawn, else the data with some air.
    fn span(&self, axis: &Axis, air: f64) -> Span {
        let scale = self.scale;
        if let Some((a, b)) = axis.range {
            let (low, high) = (a.min(b), a.max(b));
            let positive = scale == Scale::Linear || low > 0.0;
            if low.is_finite() && high.is_finite() && low < high && positive {
                return Span { scale, low, high };
            }
        }
        let (low, high) = match (self.low <= self.high, scale) {
            (true, _) => (self.low, self.high),
            (false, Scale::Linear) => (0.0, 1.0),
            (false, Scale::Log) => (1e-3, 1.0),
        };
        let (low, high) = match scale {
            Scale::Linear => airy_linear(low, high, air),
            Scale::Log => airy_log(low, high, air),
        };
        Span { scale, low, high }
    }
}

fn airy_linear(low: f64, high: f64, air: f64) -> (f64, f64) {
    if low == high {
        let half = if low == 0.0 { 0.5 } else { (low.abs() * 0.1).max(f64::MIN_POSITIVE) };
        return ((low - half).max(-f64::MAX), (high + half).min(f64::MAX));
    }
    let width = (high / 2.0 - low / 2.0) * 2.0 * air;
    let width = if width.is_finite() { width } else { 0.0 };
    // A range that begins near zero begins at zero.
    let near_zero = low >= 0.0 && low <= 0.3 * high && air > 0.0;
    let from = if near_zero { 0.0 } else { (low - width).max(-f64::MAX) };
    (from, (high + width).min(f64::MAX))
}

fn airy_log(low: f64, high: f64, air: f64) -> (f64, f64) {
    let factor = if low == high { 2.0 } else { (high.ln() - low.ln()).min(1e3).mul_add(air, 0.0).exp() };
    let (from, to) = (low / factor, high * factor);
    (if from > 0.0 { from } else { low }, if to.is_finite() { to } else { high })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Series;

    #[test]
    fn ranges_leave_out_what_cannot_be_shown() {
        let figure = Figure::new("").x(Axis::log("x")).series(Series::line(
            "a",
            vec![(-1.0, 1.0), (0.0, 2.0), (0.1, f64::NAN), (1.0, 3.0), (10.0, f64::INFINITY)],
        ));
        let frame = Frame::of(&figure);
        assert!(frame.empty.is_none());
        assert!(frame.x.low > 0.0 && frame.x.low <= 0.1 && frame.x.high >= 10.0);
        assert!(frame.y.high < 4.0);
    }

    #[test]
    fn empty_says_why() {
        assert_eq!(Frame::of(&Figure::default()).empty, Some("no data to draw"));
        let figure = Figure::default().series(Series::line("a", vec![(0.0, f64::NAN)]));
        assert_eq!(Frame::of(&figure).empty, Some("no finite values to draw"));
    }

    #[test]
    fn widest_ranges_stay_finite() {
        for (low, high) in [(-f64::MAX, f64::MAX), (0.0, 5e-324), (7.0, 7.0), (0.0, 0.0)] {
            let figure = Figure::default().series(Series::line("a", vec![(low, low), (high, high)]));
            let frame = Frame::of(&figure);
            assert!(frame.y.low < frame.y.high, "{low:e} {high:e}");
            for v in [low, high] {
                if let Some(u) = frame.y.unit(v) {
                    assert!((-1e-9..=1.0 + 1e-9).contains(&u));
                }
            }
        }
    }

    #[test]
    fn impossible_ranges_are_ignored() {
        for range in [(f64::NAN, 1.0), (1.0, 1.0), (-1.0, 1.0)] {
            let axis = Axis::log("x").range(range.0, range.1);
            let figure = Figure::default().x(axis).series(Series::line("a", vec![(0.1, 0.0), (1.0, 1.0)]));
            let frame = Frame::of(&figure);
            assert!(frame.x.low > 0.0 && frame.x.low < frame.x.high);
        }
    }
}
