//! Quasi-random search.
use super::{Sampler, check_match, draw_allowed};
use crate::error::SearchError;
use crate::history::History;
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;

/// Quasi-random search: trial n gets point n of an Owen-scrambled Sobol' sequence, which covers the space more evenly than
/// random points; independent of the history.
///
/// The scramble depends on the study's seed. Parameters beyond the 256th restart the sequence's dimensions with another
/// scramble, trials beyond 65,536 its points. A point that violates the constraints is replaced by random ones. Objectives
/// of any kind are ignored. Cost: O(parameters).
/// Source: Sobol' 1967, direction numbers of Joe and Kuo 2008, scrambling of Burley 2020 (crate `sobol_burley`; its 24 bits
/// are continued by random ones).
#[derive(Debug, Clone, Default)]
pub struct Sobol {}

/// Fills `unit` with a point of the scrambled sequence.
pub(crate) fn sobol_point(seed: u64, index: u64, stream: &mut Stream, unit: &mut [f64]) {
    const POINTS: u64 = 1 << 16;
    let dimensions = sobol_burley::NUM_DIMENSIONS as usize;
    let fold = (seed ^ (seed >> 32)) as u32;
    for (i, u) in unit.iter_mut().enumerate() {
        let block = ((index / POINTS) as u32).wrapping_mul(0x9e37_79b9)
            ^ ((i / dimensions) as u32).wrapping_mul(0x85eb_ca6b);
        let sample = sobol_burley::sample((index % POINTS) as u32, (i % dimensions) as u32, fold ^ block);
        *u = f64::from(sample) + stream.uniform() / f64::from(1 << 24);
    }
}

impl Sampler for Sobol {
    fn name(&self) -> &str {
        "sobol"
    }

    fn suggest(&self, space: &Space, history: &History, stream: &mut Stream) -> Result<Params, SearchError> {
        check_match(space, history)?;
        let raw = draw_allowed(space, |attempt, unit| {
            if attempt == 0 {
                // Fixed and constant parameters take no dimension, so that the others get the best ones.
                let free = space.free();
                let mut point = vec![0.0; free.len()];
                sobol_point(stream.seed(), stream.trial(), stream, &mut point);
                free.iter().zip(point).for_each(|(&i, u)| unit[i] = u);
            } else {
                unit.iter_mut().for_each(|u| *u = stream.uniform());
            }
        })?;
        Ok(space.params(&raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Direction;

    fn points(n: u64, seed: u64) -> Vec<Vec<f64>> {
        let space: Space = "a=0.0..1.0, k=3, b=0.0..1.0, c=0.0..1.0".parse().unwrap();
        let history = History::new(space.clone(), Direction::Minimize);
        let one = |t| {
            let params = Sobol::default().suggest(&space, &history, &mut Stream::for_trial(seed, t)).unwrap();
            ["a", "b", "c"].map(|name| params.float(name).unwrap()).to_vec()
        };
        (0..n).map(one).collect()
    }

    #[test]
    fn covers_evenly() {
        // A (0, 2)-net in base 2: 256 points put exactly one into each of 256 intervals of every axis, and into each cell
        // of 16 × 16 in the first two dimensions.
        let points = points(256, 11);
        for axis in 0..3 {
            let mut seen = vec![false; 256];
            points.iter().for_each(|p| seen[(p[axis] * 256.0) as usize] = true);
            assert!(seen.iter().all(|&s| s), "axis {axis}");
        }
        let mut cells = vec![false; 256];
        points.iter().for_each(|p| cells[(p[0] * 16.0) as usize * 16 + (p[1] * 16.0) as usize] = true);
        assert!(cells.iter().all(|&s| s));
    }

    #[test]
    fn seeds_scramble_and_many_dimensions_work() {
        assert_ne!(points(4, 1), points(4, 2));
        assert_eq!(points(4, 1), points(4, 1));
        let mut stream = Stream::for_trial(0, 0);
        let mut unit = vec![2.0; 600];
        sobol_point(3, 70_000, &mut stream, &mut unit);
        assert!(unit.iter().all(|u| (0.0..1.0).contains(u)));
        assert_ne!(unit[0], unit[256]);
    }
}
