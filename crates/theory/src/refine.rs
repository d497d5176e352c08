//! A schedule from measured gradient norms, after Defazio, Cutkosky, Mehta and Mishchenko (arXiv 2310.07831).

use crate::error::Error;
use crate::rates::check_norms;

/// Which norms were measured, and so how they weigh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// ℓ2 norms of SGD gradients: w = Ĝ⁻².
    Sgd,
    /// ℓ1 norms of gradients under Adam: w = Ĝ⁻¹.
    Adam,
}

/// The refined schedule η_t = w_t·Σ_{p>t} w_p, divided by its largest value, for t = 1 … T; η_T = 0.
///
/// `window` is the width of the median filter over the norms, in steps, rounded up to an odd number; the
/// published choice is about 0.1·T, and 1 leaves the norms as they are. At both edges the norms are reflected
/// (the published code repeats the first value on the left instead). Constant norms give (T−t)/(T−1), so that
/// the last update is at rate 0; scaling the norms changes nothing.
///
/// # Errors
/// Fewer than two norms, or one that is not finite and above zero.
pub fn refine(norms: &[f64], kind: Norm, window: usize) -> Result<Vec<f64>, Error> {
    check_norms(norms, norms.len())?;
    if norms.len() < 2 {
        return Err(Error::Data("refinement needs the gradient norms of two steps or more".into()));
    }
    let smooth = median_filter(norms, window);
    let scale = smooth.iter().copied().fold(f64::INFINITY, f64::min);
    let mut rates: Vec<f64> = Vec::with_capacity(norms.len());
    let mut after = crate::sum::Sum::default();
    for norm in smooth.iter().rev() {
        let weight = match kind {
            Norm::Sgd => (scale / norm).powi(2),
            Norm::Adam => scale / norm,
        };
        rates.push(weight * after.value());
        after.add(weight);
    }
    rates.reverse();
    let largest = rates.iter().copied().fold(0.0, f64::max);
    rates.iter_mut().for_each(|rate| *rate /= largest);
    Ok(rates)
}

/// The running median over an odd window, reflected at the edges (the edge value itself is not repeated).
fn median_filter(values: &[f64], window: usize) -> Vec<f64> {
    let half = (window / 2).min(values.len() - 1);
    if half == 0 {
        return values.to_vec();
    }
    let last = values.len() - 1;
    let reflected = |index: isize| {
        let index = index.unsigned_abs();
        values[if index > last { 2 * last - index } else { index }]
    };
    // A sorted window: one binary search to leave and one to enter per step.
    let mut sorted: Vec<f64> = (-(half as isize)..=half as isize).map(reflected).collect();
    sorted.sort_by(f64::total_cmp);
    let mut medians = Vec::with_capacity(values.len());
    for step in 0..values.len() as isize {
        if step > 0 {
            let leaving = reflected(step - 1 - half as isize);
            let entering = reflected(step + half as isize);
            sorted.remove(sorted.partition_point(|value| *value < leaving));
            sorted.insert(sorted.partition_point(|value| *value < entering), entering);
        }
        medians.push(sorted[half]);
    }
    medians
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn constant_norms_give_linear_decay() {
        for kind in [Norm::Sgd, Norm::Adam] {
            let rates = refine(&[3.0; 101], kind, 11).unwrap();
            for (t, rate) in rates.iter().enumerate() {
                assert!((rate - (100 - t) as f64 / 100.0).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn refuses_norms_that_are_none() {
        assert!(refine(&[], Norm::Sgd, 1).is_err());
        assert!(refine(&[1.0], Norm::Sgd, 1).is_err());
        assert!(refine(&[1.0, 0.0], Norm::Sgd, 1).is_err());
        assert!(refine(&[1.0, f64::NAN], Norm::Adam, 1).is_err());
    }

    proptest! {
        #[test]
        fn scaling_changes_nothing(norms in prop::collection::vec(0.1..10.0f64, 2..60), window in 0usize..80) {
            let scaled: Vec<f64> = norms.iter().map(|norm| norm * 64.0).collect();
            prop_assert_eq!(refine(&norms, Norm::Sgd, window).unwrap(), refine(&scaled, Norm::Sgd, window).unwrap());
        }

        #[test]
        fn filter_is_the_median_of_the_reflected_window(
            values in prop::collection::vec(-5.0..5.0f64, 2..40), half in 0usize..50,
        ) {
            let half = half.min(values.len() - 1);
            let last = values.len() as isize - 1;
            let filtered = median_filter(&values, 2 * half + 1);
            for (step, found) in filtered.iter().enumerate() {
                let mut window: Vec<f64> = (-(half as isize)..=half as isize).map(|offset| {
                    let index = (step as isize + offset).abs();
                    values[(if index > last { 2 * last - index } else { index }) as usize]
                }).collect();
                window.sort_by(f64::total_cmp);
                prop_assert_eq!(*found, window[half]);
            }
        }
    }
}
