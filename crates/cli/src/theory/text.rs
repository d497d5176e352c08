//! How results of theory look: a table, a picture, and the caveats.

use lehr_report::{Figure, Table};
use lehr_theory::Caveat;
use std::fmt::Write;

use super::args::Show;
use crate::failure::Failure;
use crate::output;

/// Rows of a picture in the terminal.
const ROWS: u16 = 18;

/// Prints headline, table, picture and caveats.
pub fn print(
    headline: &str,
    table: &Table,
    figure: Option<&Figure>,
    caveats: &[Caveat],
) -> Result<(), Failure> {
    let mut text = format!("{headline}\n\n{}", table.text());
    if let Some(figure) = figure {
        let columns = u16::try_from(output::width()).unwrap_or(100).min(110);
        let _ = write!(text, "\n{}", lehr_report::terminal(figure, columns, ROWS, output::color()));
    }
    if !caveats.is_empty() {
        text.push_str("\nMind:\n");
        for caveat in caveats {
            let _ = writeln!(text, "- {caveat}");
        }
    }
    output::text(&text)
}

/// Saves the picture where `--plot` says.
pub fn save(figure: &Figure, show: &Show) -> Result<(), Failure> {
    match &show.plot {
        Some(path) => lehr_report::save(figure, path).map_err(Failure::failed),
        None => Ok(()),
    }
}
