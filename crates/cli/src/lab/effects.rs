//! `lehr lab effects`: the textbook effects, measured.

use clap::Args;
use lehr::effects::{Cell, EFFECTS, Effect, Estimate, Experiment, Line, Plot, Setup, find};
use lehr_report::number::significant;
use lehr_report::{Align, Axis, Figure, Mark, Place, Series, Table};
use serde::Serialize;
use std::path::{Path, PathBuf};

use super::data::Data;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// The textbook effects of learning rates, measured on real data: what the textbook says, what was found, and whether
/// the data show it
///
/// Trains on red wine quality, which is built in, or on data of your own.
#[derive(Args)]
#[command(after_help = names())]
pub struct Effects {
    /// Which effects [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    data: Data,
    /// Seeds
    #[arg(long, value_name = "N", default_value_t = 8, allow_negative_numbers = true)]
    seeds: u64,
    /// First seed
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = crate::count::seed, allow_negative_numbers = true)]
    seed: u64,
    /// Threads [default: all]; the results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Save the picture of each effect: the file's name with -NAME before its ending (.svg or .png); for one effect the
    /// file as it is
    #[arg(long, short = 'o', value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

fn names() -> String {
    let width = EFFECTS.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let lines = EFFECTS.iter().map(|it| format!("  {:width$}  {}\n", it.name, it.claim));
    format!("Effects:\n{}", lines.collect::<String>())
}

#[derive(Serialize)]
struct Answer<'a> {
    data: &'a str,
    seeds: u64,
    seed: u64,
    effects: &'a [Effect],
}

/// Trains, measures and prints.
pub fn run(args: &Effects) -> Result<(), Failure> {
    let experiments: Vec<&Experiment> = match args.names.is_empty() {
        true => EFFECTS.iter().collect(),
        false => args.names.iter().map(|name| named(name)).collect::<Result<_, _>>()?,
    };
    let (task, name) = args.data.standardised(args.seed)?;
    let setup = Setup { name, task, seeds: args.seeds, seed: args.seed, threads: args.threads };
    let mut progress = Progress::new(experiments.len() as u64, "effects");
    let mut effects = Vec::new();
    for (done, experiment) in experiments.iter().enumerate() {
        progress.update(done as u64, || experiment.name.to_owned());
        let effect = experiment.run(&setup).map_err(Failure::usage)?;
        if let Some(path) = &args.plot {
            let path = if experiments.len() == 1 { path.clone() } else { numbered(path, effect.name) };
            lehr_report::save(&figure(&effect, &setup.name), &path).map_err(Failure::failed)?;
        }
        effects.push(effect);
    }
    progress.finish();
    let answer = Answer { data: &setup.name, seeds: args.seeds, seed: args.seed, effects: &effects };
    if args.json { output::json("lehr.lab.effects/1", &answer) } else { human(&answer) }
}

fn named(name: &str) -> Result<&'static Experiment, Failure> {
    find(name).ok_or_else(|| {
        let names: Vec<&str> = EFFECTS.iter().map(|it| it.name).collect();
        Failure::usage(format!("no effect '{name}'; there are {}", names.join(", ")))
    })
}

/// `dir/file-name.svg` for `dir/file.svg`.
fn numbered(path: &Path, name: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{name}.{ending}"))
}

fn figure(effect: &Effect, data: &str) -> Figure {
    let Plot { x, y, lines, marks } = &effect.plot;
    let axis = |it: &lehr::effects::Axis| {
        let axis = if it.log { Axis::log(&it.label) } else { Axis::linear(&it.label) };
        it.range.map_or(axis.clone(), |(low, high)| axis.range(low, high))
    };
    let series = |(place, Line { name, points }): (usize, &Line)| {
        let banded = points.iter().filter(|(_, _, low, high)| low.is_finite() && high.is_finite());
        Series::line(name, points.iter().map(|&(x, y, ..)| (x, y)).collect())
            .band(banded.map(|&(x, _, low, high)| (x, low, high)).collect())
            .colour(place)
    };
    let mut figure = Figure::new(effect.name)
        .subtitle(format!("{data}, {} seeds, bands: 95 %", effect.seeds))
        .x(axis(x))
        .y(axis(y));
    figure.series = lines.iter().enumerate().map(series).collect();
    figure.marks = marks.iter().map(|(at, word)| Mark::new(Place::Vertical(*at), word)).collect();
    figure
}

fn human(answer: &Answer<'_>) -> Result<(), Failure> {
    let columns = u16::try_from(output::width()).unwrap_or(100).min(110);
    let mut text = format!("{}, {} seeds from {}\n", answer.data, answer.seeds, answer.seed);
    for effect in answer.effects {
        let verdict = if effect.shown { "shown" } else { "not shown" };
        text += &format!("\n{}: {}\n{verdict}: {}\n\n", effect.name, effect.claim, effect.found);
        text += &table(effect).text();
        text += &lehr_report::terminal(&figure(effect, answer.data), columns, 14, output::color());
        for note in &effect.notes {
            text += &format!("- {note}\n");
        }
    }
    output::text(&text)
}

fn table(effect: &Effect) -> Table {
    let columns = effect.table.columns.iter().enumerate();
    let mut table =
        Table::new(columns.map(|(i, name)| (name.as_str(), if i == 0 { Align::Left } else { Align::Right })));
    for row in &effect.table.rows {
        table.row(row.iter().map(|cell| match cell {
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => significant(*number, 3),
            Cell::Estimate(Estimate { mean, low, high }) => match low.is_finite() && high.is_finite() {
                true => {
                    format!("{} [{}, {}]", significant(*mean, 4), significant(*low, 4), significant(*high, 4))
                }
                false if mean.is_finite() => significant(*mean, 4),
                false => "diverges".to_owned(),
            },
        }));
    }
    table
}
