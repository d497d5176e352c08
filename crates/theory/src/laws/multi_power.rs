//! The multi-power law of Luo et al. (arXiv 2503.12811), with a progress exponent.

use super::curve::Exposure;

/// Parameters as they are fitted: L₀, A, α, B, C, β by their logarithms, γ and p as they are.
pub(super) const NAMES: [&str; 8] = ["L0", "A", "alpha", "B", "C", "beta", "gamma", "p"];

/// L = L₀ + A·S₁^{−α} − B·Σ_k (η_{k−1} − η_k)·[1 − (1 + C·η_k^{−γ}·S_k)^{−β}] at each step of the exposure, with
/// S₁ = Σ η_max·(η/η_max)^p the progress so far (p = 1: the published law) and S_k the sum of the rates from the
/// k-th change of the rate on. The sum runs over every change, the rise of the warm-up among them, as in the
/// published code.
///
/// `row(i, loss, gradient)` receives each value with its derivatives in the fitted parameters.
pub(super) fn evaluate(exposure: &Exposure, theta: &[f64], mut row: impl FnMut(usize, f64, &[f64])) {
    let [floor, amplitude, alpha, b, c, beta] = std::array::from_fn(|i| theta[i].exp());
    let (gamma, p) = (theta[6], theta[7]);
    let peak = exposure.rates.iter().copied().fold(0.0, f64::max);
    let log_peak = peak.ln();
    // Per drop: C·η^{−γ} and ln η.
    let speed: Vec<(f64, f64)> =
        exposure.drops.iter().map(|drop| (c * drop.rate.powf(-gamma), drop.rate.ln())).collect();
    let (mut progress, mut progress_slope) = (0.0, 0.0);
    for (i, (&sum, &begun)) in exposure.sums.iter().zip(&exposure.begun).enumerate() {
        for &(updates, log_rate) in &exposure.runs[i] {
            let gained = peak * updates * (p * (log_rate - log_peak)).exp();
            progress += gained;
            progress_slope += gained * (log_rate - log_peak);
        }
        let (mut drop_sum, mut by_x, mut by_gamma, mut by_beta) = (0.0, 0.0, 0.0, 0.0);
        for (drop, &(speed, log_rate)) in exposure.drops[..begun].iter().zip(&speed) {
            let x = speed * (sum - drop.sum).max(0.0);
            let log = x.ln_1p();
            let left = (-beta * log).exp();
            drop_sum += drop.fall * (1.0 - left);
            let slope = drop.fall * left * beta * x / (1.0 + x);
            by_x += slope;
            by_gamma -= slope * log_rate;
            by_beta += drop.fall * left * log * beta;
        }
        let power = amplitude * progress.powf(-alpha);
        let gradient = [
            floor,
            power,
            -alpha * progress.ln() * power,
            -b * drop_sum,
            -b * by_x,
            -b * by_beta,
            -b * by_gamma,
            -alpha * power * progress_slope / progress,
        ];
        row(i, floor + power - b * drop_sum, &gradient);
    }
}
