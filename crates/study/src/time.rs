//! Moments in microseconds since 1970 (UTC), and their text in the database.
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, fmt::strtime};

/// Now, by the clock of this machine.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

/// The text of a moment as SQLAlchemy writes it to SQLite.
pub(crate) fn to_text(micros: i64) -> String {
    let moment = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    strtime::format("%Y-%m-%d %H:%M:%S%.6f", TimeZone::UTC.to_datetime(moment)).unwrap_or_default()
}

/// The text of a moment, given in microseconds since 1970, as ISO 8601 has it: `2026-11-22T07:39:40Z`.
pub fn iso_time(micros: i64) -> String {
    let moment = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    strtime::format("%Y-%m-%dT%H:%M:%SZ", TimeZone::UTC.to_datetime(moment)).unwrap_or_default()
}

/// The moment of a text, if it is one.
pub(crate) fn from_text(text: &str) -> Option<i64> {
    let moment: DateTime = text.parse().ok()?;
    Some(moment.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip() {
        for (micros, text) in [
            (0, "1970-01-01 00:00:00.000000"),
            (1_795_333_180_123_456, "2026-11-22 07:39:40.123456"),
            (-1, "1969-12-31 23:59:59.999999"),
        ] {
            assert_eq!(to_text(micros), text);
            assert_eq!(from_text(text), Some(micros));
        }
        assert_eq!(iso_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(from_text("2026-11-22 07:39:40"), Some(1_795_333_180_000_000));
        assert_eq!(from_text("yesterday"), None);
    }
}
