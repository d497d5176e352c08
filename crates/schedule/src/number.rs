//! Writing numbers as short as possible so that they read back unchanged.
use alloc::format;
use core::fmt;

/// Prints a float with the fewest digits that read back to the same value: `500`, `0.1`, `1e-7`.
pub(crate) struct Shortest(pub f64);

impl fmt::Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}", self.0);
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}
