//! The search for the best point of a model.
use super::lbfgs;
use super::model::{Model, Points};
use super::view::View;
use crate::stream::Stream;

/// A candidate: its value, its internal numbers, its places in [0, 1].
pub(super) struct Candidate {
    pub(super) value: f64,
    pub(super) raw: Vec<f64>,
    unit: Vec<f64>,
}

/// The search for the point with the largest expected improvement.
pub(super) struct Search<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) model: &'a Model,
    pub(super) best: f64,
}

impl Search<'_> {
    /// Judges candidates at once and returns them best first.
    pub(super) fn judge(&self, units: Vec<Vec<f64>>) -> Vec<Candidate> {
        let mut points = Points::new(self.view.axes.len());
        let mut settled = Vec::with_capacity(units.len());
        for unit in units {
            let (raw, point) = self.view.settle(&unit);
            if self.view.space.allows(&raw) {
                points.push(&point);
                settled.push((raw, unit));
            }
        }
        let values = self.model.log_improvements(&points, self.best);
        let join = |(value, (raw, unit)): (f64, (Vec<f64>, Vec<f64>))| Candidate { value, raw, unit };
        let mut all: Vec<Candidate> = values.into_iter().zip(settled).map(join).collect();
        all.sort_by(|a, b| b.value.total_cmp(&a.value));
        all
    }

    /// Climbs from a candidate: by gradient in the continuous parameters, by trying in the countable ones.
    pub(super) fn climb(&self, mut candidate: Candidate, stream: &mut Stream) -> Candidate {
        for _ in 0..2 {
            let before = candidate.value;
            candidate = self.climb_continuous(candidate);
            candidate = self.try_levels(candidate, stream);
            if candidate.value <= before + 1e-3 {
                break;
            }
        }
        candidate
    }

    fn climb_continuous(&self, candidate: Candidate) -> Candidate {
        let (_, base) = self.view.settle(&candidate.unit);
        let continuous =
            |&a: &usize| self.view.domain(a).levels().is_none() && !candidate.raw[self.view.axes[a]].is_nan();
        let moving: Vec<usize> = (0..base.len()).filter(continuous).collect();
        if moving.is_empty() {
            return candidate;
        }
        let mut x: Vec<f64> = moving.iter().map(|&a| base[a]).collect();
        let mut full = base.clone();
        let mut full_gradient = vec![0.0; base.len()];
        minimize_negative(&mut x, |x, g| {
            moving.iter().zip(x).for_each(|(&a, &x)| full[a] = x);
            let value = self.model.log_improvement(&full, self.best, &mut full_gradient);
            moving.iter().zip(g).for_each(|(&a, g)| *g = full_gradient[a]);
            value
        });
        let mut unit = candidate.unit.clone();
        moving.iter().zip(&x).for_each(|(&a, &x)| unit[self.view.axes[a]] = self.view.place(a, x));
        self.better(candidate, vec![unit])
    }

    /// Other levels of each countable parameter: all of a few, else neighbours and random ones.
    fn try_levels(&self, mut candidate: Candidate, stream: &mut Stream) -> Candidate {
        for a in 0..self.view.axes.len() {
            let Some(levels) = self.view.domain(a).levels().filter(|_| !self.view.is_fixed(a)) else {
                continue;
            };
            let i = self.view.axes[a];
            let n = levels as f64;
            let here = (candidate.unit[i] * n).floor();
            let others: Vec<f64> = if levels <= 12 {
                (0..levels).map(|k| k as f64).collect()
            } else {
                let mut near: Vec<f64> = [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0].iter().map(|d| here + d).collect();
                near.extend((0..6).map(|_| (stream.uniform() * n).floor()));
                near
            };
            let moved = others.into_iter().filter(|&k| k != here && (0.0..n).contains(&k)).map(|k| {
                let mut unit = candidate.unit.clone();
                unit[i] = (k + 0.5) / n;
                unit
            });
            let moved = moved.collect();
            candidate = self.better(candidate, moved);
        }
        candidate
    }

    fn better(&self, candidate: Candidate, units: Vec<Vec<f64>>) -> Candidate {
        match self.judge(units).into_iter().next() {
            Some(other) if other.value > candidate.value => other,
            _ => candidate,
        }
    }
}

/// Maximises within the unit cube.
fn minimize_negative(x: &mut [f64], mut f: impl FnMut(&[f64], &mut [f64]) -> f64) {
    lbfgs::minimize(x, (0.0, 1.0), 25, 1e-3, |x, g| {
        let value = -f(x, g);
        g.iter_mut().for_each(|g| *g = -*g);
        value
    });
}
