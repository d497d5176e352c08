//! Grid search.
use super::given::{Taken, fits};
use super::{Sampler, check_match};
use crate::error::SearchError;
use crate::history::History;
use crate::space::{Domain, Scale, Space};
use crate::stream::Stream;
use crate::value::{Params, Value};

/// Grids larger than this are refused: they are written out in memory.
const MAX_POINTS: usize = 10_000_000;

/// `points` numbers from `low` to `high` with equal ratios; both ends are exact, one point is the geometric middle.
///
/// Fails unless 0 < low ≤ high < ∞ and points ≥ 1.
pub fn log_grid(low: f64, high: f64, points: usize) -> Result<Vec<f64>, SearchError> {
    if !(low > 0.0 && low <= high && high.is_finite()) {
        let message = format!("needs 0 < low <= high, not {low}..{high}");
        return Err(SearchError::setting("logarithmic grid", message));
    }
    let (a, b) = (low.ln(), high.ln());
    spread(low, high, points, |share| (a + share * (b - a)).exp().clamp(low, high))
}

/// `points` numbers from `low` to `high` with equal distances; both ends are exact, one point is the middle.
///
/// Fails unless low ≤ high, both finite, and points ≥ 1.
pub fn linear_grid(low: f64, high: f64, points: usize) -> Result<Vec<f64>, SearchError> {
    if !(low.is_finite() && low <= high && high.is_finite()) {
        return Err(SearchError::setting("linear grid", format!("needs low <= high, not {low}..{high}")));
    }
    spread(low, high, points, |share| (low + share * (high - low)).clamp(low, high))
}

fn spread(low: f64, high: f64, points: usize, at: impl Fn(f64) -> f64) -> Result<Vec<f64>, SearchError> {
    match points {
        0 => Err(SearchError::setting("grid", "needs at least 1 point")),
        1 => Ok(vec![at(0.5)]),
        n if n > MAX_POINTS => {
            Err(SearchError::setting("grid", format!("{n} points are too many (at most {MAX_POINTS})")))
        }
        n => Ok((0..n)
            .map(|i| match i {
                0 => low,
                i if i == n - 1 => high,
                i => at(i as f64 / (n - 1) as f64),
            })
            .collect()),
    }
}

/// Grid search: every combination of the listed values, once.
///
/// Real parameters get a number of points at equal distances on their scale, both ends included; stepped, whole-number and
/// ordinal ones all their values, or that number of points spread over them where they have more; categorical ones all
/// their choices. Combinations that differ only in inactive parameters are one; those that violate a constraint are left
/// out. The last parameter moves fastest.
///
/// A suggestion is the first combination that no trial has, in whatever state that trial is, so that a resumed study ends
/// with complete coverage and parallel workers never share a point. When all are taken, [`SearchError::Exhausted`] is
/// returned. Trials off the grid are ignored. Cost: O(trials × parameters).
#[derive(Debug, Clone)]
pub struct Grid {
    space: Space,
    /// Internal numbers of the points, row by row.
    points: Vec<f64>,
}

impl Grid {
    /// The grid with `points` values for each parameter that has more (or uncountably many).
    ///
    /// Fails if there is nothing to enumerate or the grid has more than ten million points.
    pub fn new(space: &Space, points: usize) -> Result<Self, SearchError> {
        Self::with_values(space, points, &[])
    }

    /// As [`Grid::new`], with the values of some parameters listed.
    pub fn with_values(
        space: &Space,
        points: usize,
        listed: &[(&str, Vec<Value>)],
    ) -> Result<Self, SearchError> {
        for (name, values) in listed {
            if space.get(name).is_none() || values.is_empty() {
                let message = "values are listed for it, but it is not in the space or the list is empty";
                return Err(SearchError::parameter(name, message));
            }
        }
        let mut axes = Vec::with_capacity(space.len());
        for parameter in space.parameters() {
            let one = |value: &Value| {
                parameter.domain.raw(value).ok_or_else(|| {
                    let message = format!("the grid value {value} is not in {}", parameter.domain);
                    SearchError::parameter(&parameter.name, message)
                })
            };
            let list = listed.iter().find(|(name, _)| **name == *parameter.name);
            axes.push(match (&parameter.fixed, list) {
                (Some(value), _) => vec![one(value)?],
                (None, Some((_, values))) => values.iter().map(one).collect::<Result<_, _>>()?,
                (None, None) => axis(&parameter.domain, points)?,
            });
        }
        let mut grid = Grid { space: space.clone(), points: Vec::new() };
        grid.enumerate(&axes, &mut Vec::with_capacity(space.len()))?;
        if grid.is_empty() {
            return Err(SearchError::Infeasible { attempts: axes.iter().map(Vec::len).product() });
        }
        Ok(grid)
    }

    fn enumerate(&mut self, axes: &[Vec<f64>], row: &mut Vec<f64>) -> Result<(), SearchError> {
        let Some(axis) = axes.get(row.len()) else {
            if self.space.allows(row) {
                self.points.extend_from_slice(row);
            }
            return match self.points.len() / row.len().max(1) {
                n if n > MAX_POINTS => Err(SearchError::setting(
                    "grid",
                    format!("has more than {MAX_POINTS} points; use fewer per parameter"),
                )),
                _ => Ok(()),
            };
        };
        let active = self.space.parameters()[row.len()].is_active(&self.space, row);
        for &x in if active { axis } else { &[f64::NAN][..] } {
            row.push(x);
            let result = self.enumerate(axes, row);
            row.pop();
            result?;
        }
        Ok(())
    }

    /// How many points it has.
    pub fn len(&self) -> usize {
        self.points.len() / self.space.len().max(1)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Its points, in order.
    pub fn iter(&self) -> impl Iterator<Item = Params> {
        self.points.chunks_exact(self.space.len().max(1)).map(|raw| self.space.params(raw))
    }
}

/// The values of one parameter.
fn axis(domain: &Domain, points: usize) -> Result<Vec<f64>, SearchError> {
    let all = || (0..domain.levels().unwrap_or(1)).map(|k| k as f64);
    match domain {
        Domain::Categorical { .. } => Ok(all().collect()),
        Domain::Ordinal { choices } if choices.len() <= points => Ok(all().collect()),
        Domain::Float { low, high, .. } if low == high => Ok(vec![*low]),
        Domain::Float { low, high, scale: Scale::Log, .. } => log_grid(*low, *high, points),
        Domain::Float { low, high, step: None, .. } => linear_grid(*low, *high, points),
        _ if domain.levels().is_some_and(|n| n <= points as u64) => {
            Ok(all().map(|k| domain.from_unit((k + 0.5) / domain.levels().unwrap_or(1) as f64)).collect())
        }
        _ => {
            let mut values: Vec<f64> =
                linear_grid(0.0, 1.0, points)?.into_iter().map(|u| domain.from_unit(u)).collect();
            values.dedup();
            Ok(values)
        }
    }
}

impl Sampler for Grid {
    fn name(&self) -> &str {
        "grid"
    }

    fn suggest(&self, space: &Space, history: &History, _: &mut Stream) -> Result<Params, SearchError> {
        check_match(space, history)?;
        check_match(&self.space, history)?;
        let taken = Taken::new(history);
        let free = |raw: &&[f64]| fits(space, raw) && !taken.has(raw);
        match self.points.chunks_exact(self.space.len().max(1)).find(free) {
            Some(raw) => Ok(space.params(raw)),
            None => Err(SearchError::Exhausted(self.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Outcome};

    #[test]
    fn helpers_have_exact_ends() {
        let g = log_grid(1e-4, 10.0, 6).unwrap();
        assert_eq!((g[0], g[5]), (1e-4, 10.0));
        assert!(g.windows(2).all(|w| (w[1] / w[0] - 10.0).abs() < 1e-9), "{g:?}");
        assert_eq!(linear_grid(0.0, 1.0, 3).unwrap(), [0.0, 0.5, 1.0]);
        assert!((log_grid(1.0, 100.0, 1).unwrap()[0] - 10.0).abs() < 1e-12);
        assert_eq!(log_grid(2.0, 2.0, 3).unwrap(), [2.0, 2.0, 2.0]);
        for bad in [(0.0, 1.0, 3), (1.0, 0.5, 3), (1.0, f64::INFINITY, 3), (f64::NAN, 1.0, 3), (1.0, 2.0, 0)]
        {
            assert!(log_grid(bad.0, bad.1, bad.2).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn covers_everything_once_across_a_resume() {
        let space: Space =
            "lr=log 1e-3..1, opt=sgd|adam, m=0.0..0.9 if opt=sgd, n=1..3, n < 3, seed=4".parse().unwrap();
        let grid = Grid::new(&space, 4).unwrap();
        // 4 rates × (sgd with 4 momenta + adam) × 2 whole numbers.
        assert_eq!(grid.len(), 4 * 5 * 2);
        let mut history = History::new(space.clone(), Direction::Minimize);
        let mut seen = Vec::new();
        for step in 0..grid.len() {
            let params = grid.suggest(&space, &history, &mut Stream::for_trial(0, 0)).unwrap();
            assert!(!seen.contains(&params), "{params} twice");
            let trial = history.start(&params).unwrap();
            match step % 4 {
                0 => history.finish(trial, Outcome::Failed).unwrap(),
                1 => history.finish(trial, Outcome::Diverged).unwrap(),
                2 => {} // left pending
                _ => history.finish(trial, Outcome::Complete(1.0)).unwrap(),
            }
            seen.push(params);
        }
        assert!(grid.iter().all(|p| seen.contains(&p)));
        let end = grid.suggest(&space, &history, &mut Stream::for_trial(0, 0));
        assert_eq!(end, Err(SearchError::Exhausted(40)));
    }

    #[test]
    fn listed_values_and_large_integers() {
        let space: Space = "n=1..1000, x=0.0..1.0".parse().unwrap();
        let grid = Grid::with_values(&space, 3, &[("x", vec![0.25.into()])]).unwrap();
        let n: Vec<_> = grid.iter().map(|p| p.int("n").unwrap()).collect();
        assert_eq!(n, [1, 501, 1000]);
        assert!(Grid::with_values(&space, 3, &[("x", vec![2.0.into()])]).is_err());
        assert!(Grid::with_values(&space, 3, &[("y", vec![2.0.into()])]).is_err());
        assert!(Grid::new(&space, 0).is_err());
        assert!(Grid::new(&"a=1..9, a > 20".parse().unwrap(), 5).is_err());
        let huge: Space = "a=1..9999, b=1..9999".parse().unwrap();
        assert!(Grid::new(&huge, 9999).unwrap_err().to_string().contains("more than"));
    }

    #[test]
    fn values_that_went_through_text_are_recognised() {
        let space: Space = "lr=log 1e-5..1".parse().unwrap();
        let grid = Grid::new(&space, 20).unwrap();
        let mut history = History::new(space.clone(), Direction::Minimize);
        for params in grid.iter() {
            let rounded = format!("{:.11e}", params.float("lr").unwrap()).parse::<f64>().unwrap();
            history.start(&[("lr", rounded)].into_iter().collect()).unwrap();
        }
        assert!(grid.suggest(&space, &history, &mut Stream::for_trial(0, 0)).is_err());
    }
}
