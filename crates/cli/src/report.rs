//! `lehr report`: let me look at it, as a file.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lehr::robustness::Columns;
use lehr_page::{View, html, markdown, source};

use crate::failure::Failure;
use crate::output;
use crate::study::Place;

/// Writes a page: one file with all pictures, the table of trials and a summary in words
///
/// SOURCE is the name of a study, the folder of a `lehr tune` run, a sweep as CSV with one row per run, or what `lehr find`,
/// `lehr lab`, `lehr robustness` or `lehr diagnose` printed with --json. The page needs nothing else and works offline.
#[derive(Args)]
pub struct Report {
    /// What to report on
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    #[command(flatten)]
    place: Place,
    /// The file to write; without it the report goes to stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to write [default: by the ending of --output, else md]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Column of the peak rate in a CSV file
    #[arg(long, value_name = "COLUMN", default_value = "lr")]
    rate: String,
    /// Column of the final loss
    #[arg(long, value_name = "COLUMN", default_value = "loss")]
    loss: String,
    /// Columns that name the schedule
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', default_value = "schedule")]
    by: Vec<String>,
    /// Column of the seed
    #[arg(long, value_name = "COLUMN", default_value = "seed")]
    seed: String,
}

/// The kinds of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The page.
    Html,
    /// The summary and the best trials as Markdown.
    Md,
    /// Everything that the page shows, as data.
    Json,
    /// The first picture.
    Svg,
}

impl Format {
    /// The format that a file name asks for.
    fn of(path: &Path) -> Result<Self, Failure> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("html" | "htm") => Ok(Self::Html),
            Some("md") => Ok(Self::Md),
            Some("json") => Ok(Self::Json),
            Some("svg") => Ok(Self::Svg),
            _ => Err(Failure::usage(format!(
                "{} ends in none of .html, .md, .json, .svg: rename it or give --format",
                path.display()
            ))),
        }
    }
}

/// Runs the command.
pub fn run(args: &Report) -> Result<(), Failure> {
    let format = match (args.format, &args.output) {
        (Some(format), _) => format,
        (None, Some(path)) => Format::of(path)?,
        (None, None) => Format::Md,
    };
    let view = match args.source.exists() && !args.place.is_named() {
        true => file(args)?,
        false => study(args)?,
    };
    let text = written(&view, format)?;
    match &args.output {
        Some(path) => {
            std::fs::write(path, text)
                .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
            eprintln!("wrote {}", path.display());
            Ok(())
        }
        None => output::text(&text),
    }
}

/// The view of a study.
fn study(args: &Report) -> Result<View, Failure> {
    let study = args.place.study(Some(&args.source.to_string_lossy()))?;
    source::of_study(&study, source::now()).map_err(Failure::failed)
}

/// The view of a file or folder.
fn file(args: &Report) -> Result<View, Failure> {
    let columns = Columns {
        rate: args.rate.clone(),
        loss: args.loss.clone(),
        by: args.by.clone(),
        seed: args.seed.clone(),
    };
    source::read(&args.source, &columns).map_err(Failure::usage)
}

fn written(view: &View, format: Format) -> Result<String, Failure> {
    match format {
        Format::Html => html(view).map_err(Failure::failed),
        Format::Md => Ok(markdown(view)),
        Format::Json => serde_json::to_string_pretty(view).map(|text| text + "\n").map_err(Failure::failed),
        Format::Svg => {
            let missing = || Failure::failed("there is no picture to draw");
            lehr_report::svg(&lehr_page::figure(view).ok_or_else(missing)?).map_err(Failure::failed)
        }
    }
}
