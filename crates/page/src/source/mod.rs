//! Where views come from: results on disk, and studies.
mod file;
mod study;
mod sweep;
mod tune;

pub use file::read;
pub use study::of_study;
pub use sweep::{Given, of_sweep};
pub use tune::of_folder;
