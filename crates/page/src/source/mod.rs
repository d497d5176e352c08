//! Where views come from: results on disk, and studies.
mod file;
mod result;
mod study;
mod sweep;
mod tune;

pub use file::read;
pub use study::of_study;
pub use sweep::{Given, of_sweep};
pub use tune::of_folder;

/// Microseconds since 1970 (UTC), as studies count time.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}
