//! Expected improvement, in logarithms.
use statrs::function::erf::erfc;

/// ln of the expected improvement in units of σ, for z = (best − mean)/σ, and the two ratios that its gradient needs.
///
/// h(z) = φ(z) + z·Φ(z); returned are ln h, φ/h and Φ/h, stable for every z.
/// Source: Ament et al., "Unexpected improvements to expected improvement", NeurIPS 2023.
pub(super) fn log_improvement(z: f64) -> (f64, f64, f64) {
    const LN_SQRT_TAU: f64 = 0.918_938_533_204_672_8;
    let log_density = -0.5 * z * z - LN_SQRT_TAU;
    if z > -1.0 {
        let density = log_density.exp();
        let below = 0.5 * erfc(-z * std::f64::consts::FRAC_1_SQRT_2);
        let h = density + z * below;
        return (h.ln(), density / h, below / h);
    }
    // Φ(z) = φ(z)·M with Mills' ratio M, so h = φ·(1 − |z|·M); 1 − |z|·M ≈ 1/z² − 3/z⁴ + 15/z⁶ far out.
    let a = -z;
    let (mills, rest) = if a < 20.0 {
        let scaled = erfc(a * std::f64::consts::FRAC_1_SQRT_2) * (0.5 * a * a).exp();
        let mills = 1.253_314_137_315_500_3 * scaled;
        (mills, 1.0 - a * mills)
    } else {
        let q = 1.0 / (a * a);
        let rest = q * (1.0 - q * (3.0 - q * (15.0 - 105.0 * q)));
        ((1.0 - rest) / a, rest)
    };
    (log_density + rest.ln(), 1.0 / rest, mills / rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_high_precision_values() {
        // ln(φ(z) + z·Φ(z)), mpmath with 50 digits.
        for (z, expected) in REFERENCE {
            let (found, ..) = log_improvement(z);
            assert!((found - expected).abs() < 1e-8 * expected.abs().max(1.0), "{z}: {found} {expected}");
        }
    }

    #[test]
    fn ratios_are_the_derivative() {
        // d ln h/dz = Φ/h.
        for z in [-30.0, -19.0, -5.0, -1.001, -0.999, 0.0, 2.0, 8.0] {
            let d = 1e-5;
            let slope = (log_improvement(z + d).0 - log_improvement(z - d).0) / (2.0 * d);
            assert!((slope - log_improvement(z).2).abs() < 1e-4 * slope.abs(), "{z}: {slope}");
        }
    }

    const REFERENCE: [(f64, f64); 11] = [
        (-40.0, -808.29856835662),
        (-25.0, -319.86146358149597),
        (-20.5, -217.09186837038314),
        (-19.5, -196.99258561722834),
        (-10.0, -55.55312203612235),
        (-3.0, -7.869686059603029),
        (-1.0, -2.4851210257126413),
        (-0.5, -1.6205162643873199),
        (0.0, -0.9189385332046728),
        (1.0, 0.08002621884930694),
        (5.0, 1.6094379231264313),
    ];
}
