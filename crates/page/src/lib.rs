//! The page of a study, a sweep or a tuning run.
//!
//! A [`View`] says what a page shows, as data: what to use and how sure that is, in words, and one part per picture. It is
//! made from results by [`source`]; [`html`] writes it as one file that needs nothing else, [`markdown`] as text,
//! [`figure`] as a picture. A part without data is absent, and its picture is not shown.

mod asset;
mod error;
mod figure;
mod html;
mod markdown;
#[cfg(feature = "serve")]
pub mod server;
pub mod source;
mod thin;
pub mod view;
pub mod words;

pub use error::PageError;
pub use figure::figure;
pub use html::html;
pub use markdown::markdown;
pub use thin::thin;
pub use view::View;
