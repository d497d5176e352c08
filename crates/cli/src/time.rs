//! Lengths of time as arguments.

/// Seconds from `90`, `90s`, `5m`, `1.5h` or `2d`.
pub fn seconds(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number = if text.parse::<f64>().is_ok() { text } else { number };
    let unit = match &text[number.len()..] {
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        other => return Err(format!("'{other}' is no unit of time; write 90s, 5m, 2h or 1d")),
    };
    let number: f64 =
        number.trim().parse().map_err(|_| "write a number of seconds, or 90s, 5m, 2h, 1d".to_owned())?;
    Ok(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let good = [
            ("90", 90.0),
            ("90s", 90.0),
            ("5m", 300.0),
            ("5min", 300.0),
            ("1.5h", 5400.0),
            ("2d", 172_800.0),
            ("-1", -1.0),
            ("1e3", 1e3),
        ];
        for (text, wanted) in good {
            assert_eq!(seconds(text), Ok(wanted), "{text}");
        }
        assert!(seconds("nan").unwrap().is_nan());
        assert!(seconds("5 parsecs").unwrap_err().contains("parsecs"));
        assert!(seconds("").unwrap_err().contains("90s"));
        assert!(seconds("s").unwrap_err().contains("90s"));
    }
}
