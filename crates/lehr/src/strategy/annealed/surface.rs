//! What the level of a setting may depend on: features whose products are the kernel between two settings.
//!
//! A plane with a bow in each number and products of two; a wavy line in each number, since a weight decay is right within a
//! decade or two of many; and waves over all of them. Waves are random cosines, which make a squared-exponential kernel
//! (random features: Rahimi and Recht 2007).

use std::f64::consts::TAU;

use lehr_search::Stream;

/// Shares of the variance: of the plane, of waves in one number, of waves over all.
const SHARES: (f64, f64, f64) = (0.3, 0.5, 0.2);
/// Their numbers of cosines, per number and in all.
const WAVES: (usize, usize) = (12, 24);
/// Their lengths, as shares of a number's range.
const LENGTHS: (f64, f64) = (0.15, 0.5);

/// One of the other parameters at a setting: its number in [0, 1], and how little is known of what it does before any run.
pub(super) struct Number {
    pub unit: f64,
    pub unknown: f64,
}

/// The features of a setting of numbers and choices (1 for the one that was chosen, else 0, with how little is known).
pub(super) fn surface(numbers: &[Number], choices: &[(f64, f64)]) -> Vec<f64> {
    let line = |n: &Number| 2.0 * n.unit - 1.0;
    let square = |unknown: f64| unknown * unknown;
    let mut plane: Vec<f64> = choices.iter().map(|(chosen, unknown)| chosen * square(*unknown)).collect();
    plane.extend(numbers.iter().map(|n| line(n) * square(n.unknown)));
    plane.extend(numbers.iter().map(|n| (line(n).powi(2) - 1.0 / 3.0) * square(n.unknown)));
    for (i, a) in numbers.iter().enumerate() {
        plane.extend(numbers[..i].iter().map(|b| 0.7 * line(a) * line(b) * a.unknown * b.unknown));
    }
    let waves = |share: f64, count: usize| (2.0 * share / count as f64).sqrt();
    let mut all: Vec<f64> = plane.iter().map(|x| SHARES.0.sqrt() * x).collect();
    for (i, n) in numbers.iter().enumerate() {
        let mut stream = Stream::for_trial(0x0a1e, i as u64);
        let size = waves(SHARES.1, WAVES.0) * square(n.unknown);
        all.extend((0..WAVES.0).map(|_| {
            let frequency = stream.normal() / LENGTHS.0;
            size * (frequency * n.unit + TAU * stream.uniform()).cos()
        }));
    }
    if !numbers.is_empty() {
        let mut stream = Stream::for_trial(0x0a11, 0);
        let unknown =
            numbers.iter().map(|n| n.unknown).chain(choices.iter().map(|c| c.1)).fold(0.0, f64::max);
        let size = waves(SHARES.2, WAVES.1) * square(unknown);
        all.extend((0..WAVES.1).map(|_| {
            let mut at = TAU * stream.uniform();
            for x in numbers.iter().map(|n| n.unit).chain(choices.iter().map(|c| 0.5 * c.0)) {
                at += stream.normal() / LENGTHS.1 * x;
            }
            size * at.cos()
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::annealed::field::dot;

    /// Near settings are alike, far ones less so, and those of a schedule, of which the theory knows most, vary less.
    #[test]
    fn near_settings_are_alike() {
        let at = |unit: f64, unknown: f64| {
            surface(
                &[Number { unit, unknown }, Number { unit: 0.4, unknown }],
                &[(1.0, unknown), (0.0, unknown)],
            )
        };
        let apart = |a: f64, b: f64, unknown: f64| {
            let (a, b) = (at(a, unknown), at(b, unknown));
            dot(&a, &a) + dot(&b, &b) - 2.0 * dot(&a, &b)
        };
        assert!(apart(0.8, 0.82, 1.0) < 0.1 * apart(0.8, 0.5, 1.0));
        assert!(apart(0.8, 0.2, 0.5) < 0.2 * apart(0.8, 0.2, 1.0));
        let size = dot(&at(0.5, 1.0), &at(0.5, 1.0));
        assert!((0.4..2.5).contains(&size), "{size}");
    }
}
