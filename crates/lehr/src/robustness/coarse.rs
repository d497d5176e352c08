//! What a coarser grid would have cost.

use serde::Serialize;

use crate::sweep::half_width;

/// The regret of grids whose neighbours are a factor apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regret {
    /// The factor asked for. Where the sweep has no rate at it, the next higher rate is taken.
    pub ratio: f64,
    /// The largest regret over the grids' offsets: loss at the rate that the coarse grid selects minus loss at the
    /// rate that all rates select; both selected on some seeds and judged on another, each in turn. `None` where a
    /// selected rate diverged on the seed that judged.
    pub worst: Option<f64>,
    /// Half-width of the 95 % interval of that mean over seeds; `None` with one seed.
    pub half_width: Option<f64>,
    /// Offsets: grids of this factor that the sweep's rates contain.
    pub offsets: usize,
    /// Fewest rates of a grid.
    pub rates: usize,
}

/// The grids of a factor within the rates: from each start in the first cell, the next rate at least the factor
/// away, and so on.
fn grids(rates: &[f64], ratio: f64) -> Vec<Vec<usize>> {
    let starts = rates.iter().take_while(|&&rate| rate <= rates[0] * ratio * 0.999).count().max(1);
    (0..starts)
        .map(|start| {
            let mut grid = vec![start];
            for next in start + 1..rates.len() {
                if rates[next] >= 0.99 * ratio * rates[grid[grid.len() - 1]] {
                    grid.push(next);
                }
            }
            grid
        })
        .collect()
}

/// The regret at one factor; `losses[i]` are those of rate i by seed. `None` where a grid would have a single rate.
pub(super) fn regret(rates: &[f64], losses: &[Vec<f64>], ratio: f64) -> Option<Regret> {
    let grids = grids(rates, ratio);
    let fewest = grids.iter().map(Vec::len).min()?;
    if fewest < 2 {
        return None;
    }
    let seeds = losses.first()?.len();
    let all: Vec<usize> = (0..rates.len()).collect();
    let select = |grid: &[usize], judge: usize| {
        let voters = |k: &usize| seeds == 1 || *k != judge;
        let mean = |i: usize| (0..seeds).filter(voters).map(|k| losses[i][k]).sum::<f64>();
        grid.iter().copied().min_by(|&a, &b| mean(a).total_cmp(&mean(b))).unwrap_or(grid[0])
    };
    let mut worst: Option<(f64, Option<f64>)> = None;
    let mut diverged = false;
    for grid in &grids {
        let paired: Vec<f64> =
            (0..seeds).map(|k| losses[select(grid, k)][k] - losses[select(&all, k)][k]).collect();
        let mean = paired.iter().sum::<f64>() / seeds as f64;
        diverged |= !mean.is_finite();
        if worst.is_none_or(|(worst, _)| mean > worst) {
            worst = Some((mean, half_width(&paired, 0.95)));
        }
    }
    let (value, half_width) = worst?;
    Some(Regret {
        ratio,
        worst: (!diverged).then_some(value),
        half_width: half_width.filter(|_| !diverged),
        offsets: grids.len(),
        rates: fewest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regret_of_a_quadratic_is_that_of_the_worst_offset() {
        let rates: Vec<f64> = (0..13).map(|i| 2f64.powf(f64::from(i) / 2.0)).collect();
        let losses: Vec<Vec<f64>> = rates.iter().map(|rate| vec![(rate.log2() - 3.0).powi(2)]).collect();
        assert_eq!(regret(&rates, &losses, 2f64.sqrt()).unwrap().worst, Some(0.0));
        let two = regret(&rates, &losses, 2.0).unwrap();
        assert_eq!(two.offsets, 2);
        assert!((two.worst.unwrap() - 0.25).abs() < 1e-9, "half an octave off: {two:?}");
        let four = regret(&rates, &losses, 4.0).unwrap();
        assert!((four.worst.unwrap() - 1.0).abs() < 1e-9 && four.offsets == 4);
        assert_eq!(regret(&rates, &losses, 100.0), None);
    }

    #[test]
    fn noise_does_not_make_regret_where_there_is_none() {
        // Ten flat rates, many seeds: selection on other seeds has no expected regret.
        let rates: Vec<f64> = (0..10).map(|i| 2f64.powi(i)).collect();
        let noise =
            |i: usize, k: usize| ((i as f64 * 12.9898 + k as f64 * 78.233).sin() * 43758.5453).fract();
        let losses: Vec<Vec<f64>> = (0..10).map(|i| (0..40).map(|k| noise(i, k)).collect()).collect();
        let found = regret(&rates, &losses, 4.0).unwrap();
        assert!(found.worst.unwrap().abs() < 3.0 * found.half_width.unwrap(), "{found:?}");
    }
}
