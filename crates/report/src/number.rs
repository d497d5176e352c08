//! Numbers as people read them.
use std::time::Duration;

/// A number with so many significant digits, without trailing zeros: decimals from 0.01 to 99,999,
/// an exponent outside (`3.2e-4`); `NaN`, `inf` and `-inf` by name.
pub fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return not_finite(value);
    }
    if value == 0.0 {
        return "0".into();
    }
    let digits = digits.clamp(1, 17);
    // Rounding first decides the exponent: 0.009999 with three digits is 0.01, not 1e-2.
    let text = format!("{:.*e}", digits - 1, value);
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-2..5).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        trim(&format!("{value:.decimals$}")).to_owned()
    } else {
        format!("{}e{exponent}", trim(mantissa))
    }
}

/// A learning rate: three significant digits, `3.2e-4`, `0.1`, `1`.
pub fn rate(value: f64) -> String {
    significant(value, 3)
}

/// A loss or metric: four significant digits with their zeros, so that columns line up (`0.5000`);
/// an exponent below 0.001 and from 100,000 on.
pub fn loss(value: f64) -> String {
    if !value.is_finite() {
        return not_finite(value);
    }
    let size = value.abs();
    if value == 0.0 || (1e-3..1e5).contains(&size) {
        let decimals = if size < 10.0 { 4 } else { (4 - size.log10().floor() as i32).clamp(0, 4) as usize };
        format!("{value:.decimals$}")
    } else {
        significant(value, 4)
    }
}

/// A share as a percentage with one decimal, `12.3 %`; below a tenth of a per cent with two digits.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value {
        _ if !value.is_finite() => not_finite(value),
        _ if value == 0.0 || value.abs() >= 0.1 => format!("{value:.1} %"),
        _ => format!("{} %", significant(value, 2)),
    }
}

/// A whole number with commas, `1,234,567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A time span in the two units that matter: `850 µs`, `12.3 s`, `2 min 5 s`, `1 h 3 min`, `2 d 4 h`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1e-3 {
        return format!("{} µs", significant(seconds * 1e6, 3));
    }
    if seconds < 0.9995 {
        return format!("{} ms", significant(seconds * 1e3, 3));
    }
    if seconds < 59.95 {
        return format!("{} s", significant(seconds, 3));
    }
    let whole = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    match whole {
        0..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", count(whole / 86_400), whole % 86_400 / 3600),
    }
}

fn not_finite(value: f64) -> String {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "inf"
    } else {
        "-inf"
    }
    .into()
}

/// Takes off zeros behind the decimal point, and the point if nothing is left behind it.
fn trim(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_as_people_write_them() {
        let cases = [
            (3.2e-4, "3.2e-4"),
            (0.1, "0.1"),
            (1.0, "1"),
            (10.0, "10"),
            (0.031_622_776, "0.0316"),
            (0.003_162_277, "3.16e-3"),
            (0.009_999_9, "0.01"),
            (99_999.9, "1e5"),
            (123_456.0, "1.23e5"),
            (0.0, "0"),
            (-0.25, "-0.25"),
            (5e-324, "4.94e-324"),
            (f64::MAX, "1.8e308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, text) in cases {
            assert_eq!(rate(value), text, "{value:e}");
        }
    }

    #[test]
    fn losses_keep_their_zeros() {
        let cases = [
            (0.5, "0.5000"),
            (2.345_67, "2.3457"),
            (12.345_67, "12.346"),
            (1234.56, "1234.6"),
            (1.5e-5, "1.5e-5"),
            (0.0, "0.0000"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in cases {
            assert_eq!(loss(value), text);
        }
    }

    #[test]
    fn counts_and_times() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        let cases = [
            (Duration::from_micros(850), "850 µs"),
            (Duration::from_millis(12), "12 ms"),
            (Duration::from_micros(999_600), "1 s"),
            (Duration::from_millis(12_340), "12.3 s"),
            (Duration::from_millis(59_960), "1 min 0 s"),
            (Duration::from_secs(125), "2 min 5 s"),
            (Duration::from_secs(3780), "1 h 3 min"),
            (Duration::from_secs(187_200), "2 d 4 h"),
        ];
        for (time, text) in cases {
            assert_eq!(duration(time), text);
        }
        for (share, text) in [(0.1234, "12.3 %"), (0.5, "50.0 %"), (0.0, "0.0 %"), (1e-5, "1e-3 %")] {
            assert_eq!(percent(share), text);
        }
    }
}
