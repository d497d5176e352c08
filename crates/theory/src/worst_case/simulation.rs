//! The walk itself, many at once.

use serde::Serialize;

use super::exponent::in_parallel;
use crate::error::{Error, require};

/// Walks that share their noise: one bit each of one random word per step.
const LANES: usize = 64;

/// A base rate and a slope under one of the shapes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Place of the shape among those given.
    pub shape: usize,
    /// Base rate, in units of D/G.
    pub rate: f64,
    /// ε, in units of G.
    pub slope: f64,
}

/// Mean of D − x_T over the walks of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Simulated {
    /// Mean, in units of D.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Means of the blocks of 64 walks; the same block has the same noise in every cell.
    pub blocks: Vec<f64>,
}

/// Walks every cell `64 · blocks` times over the steps of its shape, given as rates relative to the peak.
///
/// All cells of a block see the same noise, which makes comparisons between cells sharper; blocks draw from streams
/// of their own, so the results do not depend on the number of threads.
///
/// # Errors
/// No steps, shapes of different lengths, a cell without a shape, a rate or slope that is negative or not finite,
/// or fewer than two blocks.
pub fn simulate(
    shapes: &[Vec<f64>],
    cells: &[Cell],
    blocks: usize,
    seed: u64,
    threads: usize,
) -> Result<Vec<Simulated>, Error> {
    let steps = shapes.first().map_or(0, Vec::len);
    if steps == 0 {
        return Err(Error::NoSteps);
    }
    if shapes.iter().any(|shape| shape.len() != steps) || cells.iter().any(|cell| cell.shape >= shapes.len())
    {
        return Err(Error::Data("every cell needs a shape, and all shapes the same number of steps".into()));
    }
    for cell in cells {
        require(cell.rate.is_finite() && cell.rate >= 0.0, "a rate", cell.rate, "finite and at least 0")?;
        require(cell.slope.is_finite() && cell.slope >= 0.0, "a slope", cell.slope, "finite and at least 0")?;
    }
    require(blocks >= 2, "the number of blocks", blocks as f64, "at least 2")?;
    let ends = in_parallel(blocks, threads, |block| walk(shapes, cells, stream(seed, block as u64)));
    let simulated = |cell: usize| {
        let walks: Vec<f64> = ends.iter().flat_map(|end| end[cell]).collect();
        let count = walks.len() as f64;
        let mean = walks.iter().sum::<f64>() / count;
        let squares: f64 = walks.iter().map(|y| (y - mean).powi(2)).sum();
        Simulated {
            mean,
            standard_error: (squares / (count - 1.0) / count).sqrt(),
            blocks: ends.iter().map(|end| end[cell].iter().sum::<f64>() / LANES as f64).collect(),
        }
    };
    Ok((0..cells.len()).map(simulated).collect())
}

/// One block: where its walks end, per cell.
fn walk(shapes: &[Vec<f64>], cells: &[Cell], mut state: u64) -> Vec<[f64; LANES]> {
    let mut distance = vec![[2.0; LANES]; cells.len()];
    let mut sign = [0.0; LANES];
    let lines: Vec<&[f64]> = cells.iter().map(|cell| &shapes[cell.shape][..]).collect();
    for step in 0..lines.first().map_or(0, |line| line.len()) {
        let word = next(&mut state);
        for (lane, sign) in sign.iter_mut().enumerate() {
            *sign = if word >> lane & 1 == 1 { 1.0 } else { -1.0 };
        }
        for ((cell, line), distance) in cells.iter().zip(&lines).zip(&mut distance) {
            let rate = cell.rate * line[step];
            let drift = rate * cell.slope;
            for (y, sign) in distance.iter_mut().zip(&sign) {
                *y = (*y - drift - rate * sign).clamp(0.0, 2.0);
            }
        }
    }
    distance
}

/// The first state of a block's random stream.
fn stream(seed: u64, block: u64) -> u64 {
    let mut state = seed ^ block.wrapping_mul(0xD1B5_4A32_D192_ED03);
    next(&mut state);
    next(&mut state)
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::super::diffusion::{Grid, mean_distance};
    use super::super::{Shape, Walk};
    use super::*;

    /// The walk and the computed distribution, for rates far off and slopes around the worst.
    #[test]
    fn simulation_agrees_with_the_distribution() {
        let steps = 20_000;
        let shapes: [(&str, &dyn Shape); 4] = [
            ("constant", &|_: f64| 1.0),
            ("linear", &|u: f64| 1.0 - u),
            ("square", &|u: f64| (1.0 - u).powi(2)),
            ("cosine", &|u: f64| (std::f64::consts::FRAC_PI_2 * (1.0 - u)).sin().powi(2)),
        ];
        let table: Vec<Vec<f64>> = shapes
            .iter()
            .map(|(_, shape)| (0..steps).map(|t| shape.at(t as f64 / steps as f64)).collect())
            .collect();
        let mut cells = Vec::new();
        for shape in 0..shapes.len() {
            for (rate, slope) in [(0.03, 0.01), (0.1, 0.015), (0.1, 0.03), (0.25, 0.03)] {
                cells.push(Cell { shape, rate, slope });
            }
        }
        let walked = simulate(&table, &cells, 24, 7, 2).unwrap();
        for (cell, walked) in cells.iter().zip(&walked) {
            let (name, shape) = shapes[cell.shape];
            let walk = Walk { shape, peak: cell.rate, slope: cell.slope, steps: steps as f64 };
            let computed = mean_distance(&walk, Grid::FINE);
            let allowed = 4.0 * walked.standard_error + 0.02 * computed;
            assert!(
                (walked.mean - computed).abs() < allowed,
                "{name} {cell:?}: {computed} {} ± {}",
                walked.mean,
                walked.standard_error
            );
        }
    }

    #[test]
    fn threads_change_nothing_and_seeds_do() {
        let shapes = [vec![1.0; 500]];
        let cells = [Cell { shape: 0, rate: 0.1, slope: 0.05 }];
        let run = |seed, threads| simulate(&shapes, &cells, 3, seed, threads).unwrap();
        assert_eq!(run(1, 1), run(1, 2));
        assert_ne!(run(1, 1), run(2, 1));
    }

    #[test]
    fn refuses_what_cannot_walk() {
        let shapes = [vec![1.0; 5]];
        let cell = Cell { shape: 0, rate: 0.1, slope: 0.05 };
        assert!(simulate(&[], &[], 2, 0, 1).is_err());
        assert!(simulate(&shapes, &[Cell { shape: 1, ..cell }], 2, 0, 1).is_err());
        assert!(simulate(&shapes, &[Cell { rate: f64::NAN, ..cell }], 2, 0, 1).is_err());
        assert!(simulate(&shapes, &[cell], 1, 0, 1).is_err());
    }
}
