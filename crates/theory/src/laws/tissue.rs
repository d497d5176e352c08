//! The annealing law of Tissue, Wang and Wang (arXiv 2408.11029).

use super::curve::Exposure;

/// Parameters as they are fitted: L₀, A, α, C by their logarithms, λ by ln(1/(1−λ)).
pub(super) const NAMES: [&str; 5] = ["L0", "A", "alpha", "C", "lambda"];

/// λ from its fitted form.
pub(super) fn lambda(theta: f64) -> f64 {
    1.0 - (-theta).exp()
}

/// L = L₀ + A·S₁^{−α} − C·S₂ with S₁ = Σ η and S₂ = Σ_i m_i, m_i = λ·m_{i−1} + (η_{i−1} − η_i). The rise before the
/// rate first falls (the warm-up) is left out of S₂, as in the source.
pub(super) fn evaluate(exposure: &Exposure, theta: &[f64], mut row: impl FnMut(usize, f64, &[f64])) {
    let [floor, amplitude, alpha, c] = std::array::from_fn(|i| theta[i].exp());
    let lambda = lambda(theta[4]);
    let (mut momentum, mut area) = (0.0, 0.0);
    let (mut momentum_slope, mut area_slope) = (0.0, 0.0);
    let mut at = 1;
    let mut fallen = false;
    for (i, (&step, &sum)) in exposure.steps.iter().zip(&exposure.sums).enumerate() {
        while at < step {
            let change = exposure.rates[at - 1] - exposure.rates[at];
            fallen |= change > 0.0;
            momentum_slope = momentum + lambda * momentum_slope;
            momentum = lambda * momentum + if fallen { change } else { 0.0 };
            area += momentum;
            area_slope += momentum_slope;
            at += 1;
        }
        let power = amplitude * sum.powf(-alpha);
        let gradient = [floor, power, -alpha * sum.ln() * power, -c * area, -c * area_slope * (1.0 - lambda)];
        row(i, floor + power - c * area, &gradient);
    }
}
