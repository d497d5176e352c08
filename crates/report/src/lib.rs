//! Figures, tables and numbers for people.
//!
//! One [`Figure`] is drawn by three renderers that share ranges, ticks, clipping and thinning:
//! [`terminal`] (braille), [`svg`] and [`png`]; [`save`] picks by the ending of the file name.
//! Points that are not finite break a line instead of stopping the drawing, and a figure without
//! anything to draw says so.
//!
//! ```
//! use lehr_report::{Axis, Figure, Series};
//! let figure = Figure::new("loss against rate")
//!     .x(Axis::log("peak rate"))
//!     .y(Axis::linear("validation loss"))
//!     .series(Series::line("cosine", vec![(1e-3, 0.9), (1e-2, 0.5), (1e-1, 0.6)]).diverged([1.0]));
//! let text = lehr_report::terminal(&figure, 72, 16, false);
//! assert!(text.contains("peak rate"));
//! ```
mod error;
mod figure;
mod frame;
mod layout;
pub mod number;
mod palette;
mod pixels;
mod png;
mod save;
mod svg;
mod table;
mod terminal;
mod ticks;
mod trace;

pub use error::ReportError;
pub use figure::{Axis, Figure, Mark, Place, Scale, Series, Style};
pub use palette::{Colour, PALETTE};
pub use png::png;
pub use save::{Picture, save};
pub use svg::svg;
pub use table::{Align, Table};
pub use terminal::terminal;
