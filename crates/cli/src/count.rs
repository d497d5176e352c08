//! Numbers of steps and tokens, as arguments.

/// A whole number as people write it: 10000, 10_000, 10,000, 1e4, 10k, 2M, 1G.
pub fn count(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a whole number such as 10000, 10_000, 10k or 1e4");
    let plain: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    if let Ok(whole) = plain.parse::<u64>() {
        return Ok(whole);
    }
    let (digits, scale) = match plain.char_indices().last() {
        Some((i, 'k' | 'K')) => (&plain[..i], 1e3),
        Some((i, 'M')) => (&plain[..i], 1e6),
        Some((i, 'G')) => (&plain[..i], 1e9),
        Some((i, 'T')) => (&plain[..i], 1e12),
        _ => (plain.as_str(), 1.0),
    };
    let value = digits.parse::<f64>().map_err(|_| wrong())? * scale;
    match value {
        _ if value.fract() != 0.0 || !value.is_finite() => Err(wrong()),
        _ if value < 0.0 => Err(format!("'{text}' is negative")),
        _ if value > (1u64 << 53) as f64 => Err(format!("'{text}' is more than 2^53")),
        _ => Ok(value as u64),
    }
}

/// A count in a range, for arguments.
pub fn within(low: u64, high: u64) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync {
    move |text| match count(text)? {
        value if value < low => Err(format!("'{text}' is less than {low}")),
        value if value > high => Err(format!("'{text}' is more than {high}")),
        value => Ok(value),
    }
}

/// A number of updates, at least one.
pub fn steps(text: &str) -> Result<u64, String> {
    within(1, u64::MAX)(text)
}

/// The largest seed. JSON and CSV carry whole numbers up to 2^53, and several seeds count up from the first.
const SEED: u64 = 1 << 52;

/// A seed.
pub fn seed(text: &str) -> Result<u64, String> {
    let fitting = text.parse().ok().filter(|seed| *seed <= SEED);
    fitting.ok_or_else(|| format!("a seed is a whole number from 0 to {SEED}"))
}

#[cfg(test)]
mod tests {
    use super::{count, seed, within};

    #[test]
    fn seeds_are_whole_numbers() {
        assert_eq!((seed("0"), seed("4503599627370496")), (Ok(0), Ok(1 << 52)));
        for text in ["-1", "1.5", "", "x", "4503599627370497", "18446744073709551616"] {
            assert!(seed(text).unwrap_err().contains("whole number from 0"), "{text}");
        }
    }

    #[test]
    fn counts_as_people_write_them() {
        let good = [("0", 0), ("10000", 10_000), ("10_000", 10_000), ("10,000", 10_000), ("1e4", 10_000)];
        for (text, value) in
            good.into_iter().chain([("2.5k", 2500), ("3M", 3_000_000), ("1G", 1_000_000_000)])
        {
            assert_eq!(count(text), Ok(value), "{text}");
        }
        for text in ["", "k", "-1", "1.5", "nan", "inf", "1e300", "ten", "5 %"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_says_its_end() {
        let some = within(10, 1_000);
        assert_eq!(some("1k"), Ok(1_000));
        assert_eq!(some("9"), Err("'9' is less than 10".into()));
        assert_eq!(some("2k"), Err("'2k' is more than 1000".into()));
    }
}
