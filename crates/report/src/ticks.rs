//! Where an axis has its ticks and what they say.
use crate::number::significant;

/// A value with its label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub value: f64,
    pub label: String,
}

/// The labelled ticks and the values of the fine lines between them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Ticks {
    pub major: Vec<Tick>,
    pub minor: Vec<f64>,
}

/// Round values (1, 2 or 5 times a power of ten) between two bounds, about `wanted` of them, and three if that is
/// possible without crowding.
pub(crate) fn linear(low: f64, high: f64, wanted: usize) -> Ticks {
    let width = (high / 2.0 - low / 2.0) * 2.0;
    let step_for = |wanted: usize| round_step(width / wanted.max(1) as f64);
    let step = match multiples(low, high, step_for(wanted)).len() {
        0..3 => step_for(2 * wanted),
        _ => step_for(wanted),
    };
    let largest = low.abs().max(high.abs());
    let tick = |value| Tick { value, label: label(value, step, largest) };
    Ticks { major: multiples(low, high, step).into_iter().map(tick).collect(), minor: Vec::new() }
}

/// Powers of ten between two positive bounds; with 2 and 5 in between, or every few decades only,
/// so that there are about `wanted`.
pub(crate) fn log(low: f64, high: f64, wanted: usize) -> Ticks {
    let wanted = wanted.max(2);
    let (first, last) = (low.log10(), high.log10());
    let slack = 1e-9 * (last - first).abs().max(1.0);
    let decades: Vec<i32> = ((first - slack).ceil() as i32..=(last + slack).floor() as i32).collect();
    let inside = |v: &f64| *v >= low * (1.0 - 1e-9) && *v <= high * (1.0 + 1e-9);
    let scaled = |m: u32, d: i32| format!("{m}e{d}").parse::<f64>().unwrap_or(f64::NAN);
    let all = |mantissas: &'static [u32]| {
        let (from, to) = (first.floor() as i32, last.floor() as i32);
        (from..=to).flat_map(move |d| mantissas.iter().map(move |m| scaled(*m, d))).filter(inside)
    };
    let named = |values: Vec<f64>| -> Vec<Tick> {
        values.into_iter().map(|value| Tick { value, label: significant(value, 3) }).collect()
    };
    if decades.len() >= 3 {
        let stride = decades.len().div_ceil(wanted).max(1) as i32;
        let major = decades.iter().filter(|d| d.rem_euclid(stride) == 0).map(|d| scaled(1, *d)).collect();
        let minor = if stride == 1 {
            all(&[2, 3, 4, 5, 6, 7, 8, 9]).collect()
        } else {
            decades.iter().map(|d| scaled(1, *d)).collect()
        };
        return Ticks { major: named(major), minor };
    }
    let coarse: Vec<f64> = all(&[1, 2, 5]).collect();
    let minor = all(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).collect();
    if coarse.len() >= 3 {
        return Ticks { major: named(coarse), minor };
    }
    // Less than about a decade: round differences read better than powers of ten.
    Ticks { minor: Vec::new(), ..linear(low, high, wanted) }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `raw`.
fn round_step(raw: f64) -> f64 {
    if !raw.is_finite() || raw <= 0.0 {
        return 1.0;
    }
    let power = raw.log10().floor();
    let unit = 10f64.powf(power);
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * unit >= raw * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * unit
}

/// The multiples of `step` between two bounds; at most a hundred, whatever the numbers.
fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let slack = 1e-9;
    let (from, to) = ((low / step - slack).ceil(), (high / step + slack).floor());
    let mut values = Vec::new();
    for k in 0..100 {
        let index = from + f64::from(k);
        if index > to || index.is_nan() {
            break;
        }
        // Dividing by the inverse of a small step keeps 0.3 from reading 0.30000000000000004.
        let value = if step < 1.0 { index / (1.0 / step).round() } else { index * step };
        let value = if (value - index * step).abs() <= step * 1e-6 { value } else { index * step };
        if values.last() == Some(&value) {
            break;
        }
        values.push(value);
    }
    values
}

/// A label with just the decimals that the step needs.
fn label(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let places = -step.log10().floor() as i32;
    if (1e6..1e15).contains(&largest) && step >= 1e4 {
        let (unit, name) = if largest >= 1e9 { (1e9, "G") } else { (1e6, "M") };
        return format!("{}{name}", significant(value / unit, 6));
    }
    if !(1e-3..1e6).contains(&largest) || places > 6 {
        let digits = (value.abs().log10().floor() as i32 + places + 1).max(1) as usize;
        return exponent(value, digits);
    }
    let text = format!("{value:.*}", places.max(0) as usize);
    if value.abs() >= 1000.0 && places <= 0 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", crate::number::count(value.abs().round() as u64));
    }
    text
}

/// `2.5e-4`, however many digits.
fn exponent(value: f64, digits: usize) -> String {
    let text = format!("{:.*e}", digits.clamp(1, 17) - 1, value);
    match text.split_once('e') {
        Some((mantissa, power)) if mantissa.contains('.') => {
            format!("{}e{power}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &Ticks) -> Vec<&str> {
        ticks.major.iter().map(|t| t.label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(labels(&linear(0.0, 1.0, 5)), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&linear(0.0, 10_000.0, 5)), ["0", "2,000", "4,000", "6,000", "8,000", "10,000"]);
        assert_eq!(labels(&linear(0.0, 3e-4, 3)), ["0", "1e-4", "2e-4", "3e-4"]);
        assert_eq!(labels(&linear(0.0, 5e6, 5)), ["0", "1M", "2M", "3M", "4M", "5M"]);
        assert_eq!(labels(&linear(0.845, 0.955, 2)), ["0.85", "0.90", "0.95"]);
        assert_eq!(labels(&linear(-0.1, 0.1, 4)), ["-0.10", "-0.05", "0", "0.05", "0.10"]);
    }

    #[test]
    fn log_ticks_are_powers_of_ten() {
        assert_eq!(labels(&log(1e-4, 10.0, 8)), ["1e-4", "1e-3", "0.01", "0.1", "1", "10"]);
        assert_eq!(labels(&log(3e-4, 2.0, 8)), ["1e-3", "0.01", "0.1", "1"]);
        assert_eq!(labels(&log(0.02, 0.6, 8)), ["0.02", "0.05", "0.1", "0.2", "0.5"]);
        assert_eq!(labels(&log(1e-12, 1e12, 5)).len(), 5);
        assert!(log(0.31, 0.39, 6).major.len() >= 3);
    }

    #[test]
    fn strange_bounds_end() {
        for (low, high) in [
            (0.0, f64::MAX),
            (-f64::MAX, f64::MAX),
            (5e-324, 1e-320),
            (1e16, 1e16 + 2.0),
            (1.0, 1.0 + f64::EPSILON),
        ] {
            assert!(linear(low, high, 5).major.len() <= 100);
            if low > 0.0 {
                assert!(log(low, high, 5).major.len() <= 100);
            }
        }
        assert!(log(5e-324, f64::MAX, 5).major.len() <= 8);
    }
}
