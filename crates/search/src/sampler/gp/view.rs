//! What the process sees of a space.
use super::model::Points;
use super::values::standardised;
use crate::history::History;
use crate::sampler::sobol::sobol_point;
use crate::space::{Domain, Space};
use crate::stream::Stream;

/// Candidates that are judged before the best are improved: spread over the space, and around the best trials.
const SPREAD: usize = 384;
const NEARBY: usize = 192;
/// A box of continuous coordinates never gets narrower than this.
const LEAST_WIDTH: f64 = 1e-10;

/// The parameters with more than one value as coordinates of the model.
pub(super) struct View<'a> {
    pub(super) space: &'a Space,
    pub(super) axes: Vec<usize>,
    /// Low end and width, in places of [0, 1], of the box that the coordinates of numbers span.
    window: Vec<(f64, f64)>,
}

impl<'a> View<'a> {
    /// Fixed parameters are coordinates too: what is known of their other values helps.
    pub(super) fn new(space: &'a Space) -> Self {
        let varies = |&i: &usize| space.parameters()[i].domain.levels() != Some(1);
        let axes: Vec<usize> = (0..space.len()).filter(varies).collect();
        View { space, window: vec![(0.0, 1.0); axes.len()], axes }
    }

    /// The same parameters, with the box of coordinates drawn around these trials and as wide again.
    pub(super) fn around(&self, history: &History, trials: &[u32]) -> View<'a> {
        let window = (0..self.axes.len()).map(|a| {
            if self.domain(a).is_categorical() {
                return (0.0, 1.0);
            }
            let column = history.unit(self.axes[a]);
            let places = trials.iter().map(|&t| column[t as usize]).filter(|u| !u.is_nan());
            let (low, high) = places.fold((1.0f64, 0.0f64), |(l, h), u| (l.min(u), h.max(u)));
            if low > high {
                return (0.0, 1.0);
            }
            let level = self.domain(a).levels().map_or(LEAST_WIDTH, |n| 1.5 / n as f64);
            let margin = (0.5 * (high - low)).max(0.5 * level);
            let (low, high) = ((low - margin).max(0.0), (high + margin).min(1.0));
            (low, high - low)
        });
        View { space: self.space, axes: self.axes.clone(), window: window.collect() }
    }

    /// Whether a trial lies in the box.
    pub(super) fn holds(&self, history: &History, trial: u32) -> bool {
        self.point(history, trial)
            .iter()
            .enumerate()
            .all(|(a, x)| self.domain(a).is_categorical() || (0.0..=1.0).contains(x))
    }

    /// A coordinate as a place in [0, 1].
    pub(super) fn place(&self, axis: usize, x: f64) -> f64 {
        let (low, width) = self.window[axis];
        (low + width * x).clamp(0.0, 1.0)
    }

    /// Places in [0, 1] of all parameters: spread over the space, and around the leading trials.
    pub(super) fn candidates(
        &self,
        history: &History,
        leaders: &[u32],
        stream: &mut Stream,
    ) -> Vec<Vec<f64>> {
        let shift = stream.bits();
        let mut units = Vec::with_capacity(SPREAD + NEARBY);
        let mut place = vec![0.0; self.axes.len()];
        for k in 0..SPREAD {
            let mut unit = vec![0.5; self.space.len()];
            sobol_point(shift, k as u64, stream, &mut place);
            (0..place.len()).for_each(|a| unit[self.axes[a]] = self.place(a, place[a]));
            units.push(unit);
        }
        for k in 0..if leaders.is_empty() { 0 } else { NEARBY } {
            let leader = leaders[k % leaders.len()] as usize;
            // Steps from a fifth of the range down to a thousandth, in about two thirds of the parameters.
            let size = 0.2 * 0.005f64.powf(stream.uniform());
            let mut unit = vec![0.5; self.space.len()];
            for (a, &i) in self.axes.iter().enumerate() {
                let (low, width) = self.window[a];
                let u = history.unit(i)[leader];
                unit[i] = match (u.is_nan(), stream.uniform() < 0.3) {
                    (true, _) => self.place(a, stream.uniform()),
                    (false, true) => u,
                    (false, false) if self.space.parameters()[i].domain.is_categorical() => {
                        if stream.uniform() < 0.3 { stream.uniform() } else { u }
                    }
                    (false, false) => (u + width * size * stream.normal()).clamp(low, low + width),
                };
            }
            units.push(unit);
        }
        units
    }

    pub(super) fn domain(&self, axis: usize) -> &Domain {
        &self.space.parameters()[self.axes[axis]].domain
    }

    pub(super) fn is_fixed(&self, axis: usize) -> bool {
        self.space.parameters()[self.axes[axis]].fixed.is_some()
    }

    pub(super) fn categorical(&self) -> Vec<bool> {
        (0..self.axes.len()).map(|a| self.domain(a).is_categorical()).collect()
    }

    /// A place in [0, 1] (NaN where inactive) as a coordinate.
    pub(super) fn coordinate(&self, axis: usize, u: f64) -> f64 {
        match (u.is_nan(), self.domain(axis).is_categorical()) {
            (true, true) => -1.0,
            (true, false) => 0.5,
            (false, true) => u,
            (false, false) => (u - self.window[axis].0) / self.window[axis].1,
        }
    }

    pub(super) fn point(&self, history: &History, trial: u32) -> Vec<f64> {
        (0..self.axes.len()).map(|a| self.coordinate(a, history.unit(self.axes[a])[trial as usize])).collect()
    }

    /// Coordinates and standardised values of ranked trials, and what one unit of these is as a loss, near the best.
    pub(super) fn observations(&self, history: &History, ranked: &[u32]) -> (Points, Vec<f64>, f64) {
        let mut points = Points::new(self.axes.len());
        ranked.iter().for_each(|&t| points.push(&self.point(history, t)));
        let (y, unit) = standardised(history, ranked);
        (points, y, unit)
    }

    /// Turns places in [0, 1] of all parameters into internal numbers and into coordinates of what they stand for.
    pub(super) fn settle(&self, unit: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let raw = self.space.from_unit(unit);
        let place = |a: usize| self.coordinate(a, self.domain(a).to_unit(raw[self.axes[a]]));
        let point = (0..self.axes.len()).map(place).collect();
        (raw, point)
    }
}
