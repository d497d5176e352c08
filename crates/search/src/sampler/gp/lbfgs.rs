//! Minimisation of a smooth function in a box.
use std::collections::VecDeque;

/// Pairs that the method remembers.
const MEMORY: usize = 8;

/// Minimises `f` (value, gradient written to its second argument) from `x` within `low..high` per coordinate by limited-memory
/// BFGS with projection (Nocedal and Wright 2006, chapters 7 and 16). Stops after `iterations`, or when a step gains less
/// than `tolerance`. Returns the best value; `x` holds its place.
pub(super) fn minimize(
    x: &mut [f64],
    bounds: (f64, f64),
    iterations: usize,
    tolerance: f64,
    mut f: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> f64 {
    let n = x.len();
    let (low, high) = bounds;
    let mut gradient = vec![0.0; n];
    let mut value = f(x, &mut gradient);
    let mut pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::with_capacity(MEMORY);
    let (mut trial, mut trial_gradient) = (vec![0.0; n], vec![0.0; n]);
    for _ in 0..iterations {
        // Coordinates at a bound that the gradient pushes against do not move.
        let free: Vec<bool> = (0..n)
            .map(|i| !(x[i] <= low && gradient[i] > 0.0 || x[i] >= high && gradient[i] < 0.0))
            .collect();
        let mut direction = two_loop(&gradient, &free, &pairs);
        let mut slope = dot(&direction, &gradient);
        if slope.is_nan() || slope >= 0.0 {
            pairs.clear();
            direction = gradient.iter().zip(&free).map(|(g, &f)| if f { -g } else { 0.0 }).collect();
            slope = dot(&direction, &gradient);
            if slope.is_nan() || slope >= 0.0 {
                break;
            }
        }
        let length = dot(&direction, &direction).sqrt();
        // The first step has no curvature to go by.
        let mut step = if pairs.is_empty() { (0.1f64).min(1.0 / length.max(1e-300)) } else { 1.0 };
        let mut accepted = false;
        for _ in 0..20 {
            for i in 0..n {
                trial[i] = (x[i] + step * direction[i]).clamp(low, high);
            }
            let trial_value = f(&trial, &mut trial_gradient);
            let moved: f64 = (0..n).map(|i| gradient[i] * (trial[i] - x[i])).sum();
            if trial_value <= value + 1e-4 * moved && trial_value.is_finite() {
                let s: Vec<f64> = (0..n).map(|i| trial[i] - x[i]).collect();
                let y: Vec<f64> = (0..n).map(|i| trial_gradient[i] - gradient[i]).collect();
                let sy = dot(&s, &y);
                if sy > 1e-10 * dot(&y, &y).sqrt() * dot(&s, &s).sqrt() {
                    if pairs.len() == MEMORY {
                        pairs.pop_front();
                    }
                    pairs.push_back((s, y, 1.0 / sy));
                }
                let gain = value - trial_value;
                x.copy_from_slice(&trial);
                gradient.copy_from_slice(&trial_gradient);
                value = trial_value;
                accepted = gain > tolerance;
                break;
            }
            step *= 0.4;
        }
        if !accepted {
            break;
        }
    }
    value
}

/// −H·gradient over the free coordinates, H from the remembered pairs.
fn two_loop(gradient: &[f64], free: &[bool], pairs: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().zip(free).map(|(g, &f)| if f { *g } else { 0.0 }).collect();
    let mut shares = Vec::with_capacity(pairs.len());
    for (s, y, rho) in pairs.iter().rev() {
        let share = rho * dot(s, &q);
        q.iter_mut().zip(y).for_each(|(q, y)| *q -= share * y);
        shares.push(share);
    }
    if let Some((_, y, rho)) = pairs.back() {
        let scale = 1.0 / (rho * dot(y, y)).max(1e-300);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((s, y, rho), share) in pairs.iter().zip(shares.iter().rev()) {
        let back = rho * dot(y, &q);
        q.iter_mut().zip(s).for_each(|(q, s)| *q += (share - back) * s);
    }
    q.iter().zip(free).map(|(q, &f)| if f { -q } else { 0.0 }).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rosenbrock(x: &[f64], g: &mut [f64]) -> f64 {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        g[0] = -2.0 * a - 400.0 * x[0] * b;
        g[1] = 200.0 * b;
        a * a + 100.0 * b * b
    }

    #[test]
    fn rosenbrock_inside_and_at_the_edge() {
        let mut x = [-1.2, 1.0];
        let value = minimize(&mut x, (-5.0, 5.0), 200, 0.0, rosenbrock);
        assert!(value < 1e-10 && (x[0] - 1.0).abs() < 1e-4, "{x:?}");
        // Cut at 0.5: the minimum lies at (½, ¼).
        let mut x = [-0.4, 0.4];
        minimize(&mut x, (-0.5, 0.5), 200, 0.0, rosenbrock);
        assert!((x[0] - 0.5).abs() < 1e-6 && (x[1] - 0.25).abs() < 1e-4, "{x:?}");
    }

    #[test]
    fn a_function_that_breaks_ends_the_search() {
        let mut x = [0.5];
        let value = minimize(&mut x, (0.0, 1.0), 50, 0.0, |x, g| {
            g[0] = -1.0;
            if x[0] > 0.55 { f64::NAN } else { -x[0] }
        });
        assert!(value <= -0.5 && x[0] <= 0.55);
    }
}
