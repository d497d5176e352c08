//! `lehr schedule values`: the rate of every update, for people and for programs.

use clap::Args;
use lehr_schedule::{Curve, Horizon, Spec};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::horizon::RunArgs;
use super::input;
use super::replay::{MetricArgs, Replay};
use crate::count::count;
use crate::failure::Failure;
use crate::output;

const SCHEMA: &str = "lehr.schedule.values/1";
/// Values that are worked out at a time.
const CHUNK: u64 = 1 << 18;
/// Most numbers that `--json` puts into one object.
const MOST_IN_JSON: u64 = 20_000_000;

/// Prints the rate of each update as CSV (`step,lr`)
///
/// Numbers have the fewest digits that read back to the same value. Quantities that go along with the rate
/// (`with momentum …`) and rates of parameter groups follow as further columns.
#[derive(Args)]
pub struct Values {
    /// Text such as 'warmup 500, cosine to 0.1', @FILE, or - for stdin
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    metric: MetricArgs,
    /// Only every Nth update: 0, N, 2N, …
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    every: u64,
    /// Write to this file; a name that ends in .f64 means --f64
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Rates only, as little-endian 64-bit floats
    #[arg(long, requires = "output", conflicts_with = "json")]
    f64: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Values) -> Result<(), Failure> {
    if args.every == 0 {
        return Err(Failure::usage("--every 0 would print nothing: give 1 or more"));
    }
    let source = match input::spec(&args.schedule)? {
        Spec::Schedule(schedule) => {
            args.metric.refuse()?;
            Source::Curve(schedule.to_string(), args.run.resolve(&schedule)?)
        }
        Spec::Feedback(feedback) => Source::Replay(Replay::new(&feedback, &args.metric, &args.run)?),
    };
    let Some(path) = &args.output else {
        return match args.json {
            true => output::json(SCHEMA, &Object::new(&source, args)?),
            false => csv(&source, args.every, &mut io::stdout().lock()).map_err(Failure::from),
        };
    };
    let binary = args.f64 || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("f64"));
    let object = match args.json {
        true => Some(output::object(SCHEMA, &Object::new(&source, args)?)?),
        false => None,
    };
    write_file(path, |file| match &object {
        Some(object) => file.write_all(object.as_bytes()),
        None if binary => floats(&source, args.every, file),
        None => csv(&source, args.every, file),
    })
}

/// Where rates come from: a schedule with its text, or one that reacted to a recorded metric.
enum Source {
    Curve(String, Curve),
    Replay(Replay),
}

/// The rates of one column.
#[derive(Clone, Copy)]
enum Column<'s> {
    Curve(&'s Curve),
    Rates(&'s [f64]),
}

impl Source {
    fn schedule(&self) -> &str {
        match self {
            Self::Curve(schedule, _) => schedule,
            Self::Replay(replay) => &replay.schedule,
        }
    }

    fn horizon(&self) -> Horizon {
        match self {
            Self::Curve(_, curve) => curve.horizon(),
            Self::Replay(replay) => replay.horizon,
        }
    }

    /// The columns: the rate, then channels, then groups.
    fn columns(&self) -> Vec<(String, Column<'_>)> {
        let curve = match self {
            Self::Curve(_, curve) => curve,
            Self::Replay(replay) => return vec![("lr".to_owned(), Column::Rates(&replay.rates))],
        };
        let channels = curve.channels().map(|(name, channel)| (name.to_owned(), channel));
        let groups = curve.groups().map(|(name, group)| (format!("lr:{name}"), group));
        let all = std::iter::once(("lr".to_owned(), curve)).chain(channels).chain(groups);
        all.map(|(name, curve)| (name, Column::Curve(curve))).collect()
    }
}

impl Column<'_> {
    fn at(self, t: u64) -> f64 {
        match self {
            Self::Curve(curve) => curve.at(t),
            Self::Rates(rates) => rates.get(t as usize).copied().unwrap_or(f64::NAN),
        }
    }

    /// Updates `start`, `start + every`, ….
    fn fill(self, start: u64, every: u64, out: &mut [f64]) {
        match self {
            Self::Curve(curve) if every == 1 => curve.fill(start..start + out.len() as u64, out),
            _ => (0..).zip(out).for_each(|(i, value)| *value = self.at(start + i * every)),
        }
    }
}

/// Writes a file; a message names it.
fn write_file(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failure> {
    let done = File::create(path).and_then(|file| {
        let mut file = BufWriter::with_capacity(1 << 16, file);
        write(&mut file)?;
        file.flush()
    });
    done.map_err(|error| Failure::failed(format!("{}: cannot write the values: {error}", path.display())))
}

/// Calls `take` with the first update of each chunk and the chunk's values, column by column.
fn chunks(
    columns: &[Column<'_>],
    steps: u64,
    every: u64,
    mut take: impl FnMut(u64, &[Vec<f64>]) -> io::Result<()>,
) -> io::Result<()> {
    let mut values = vec![Vec::new(); columns.len()];
    let most = (CHUNK / columns.len().max(1) as u64).clamp(1, 1 << 14);
    let mut start = 0;
    while start < steps {
        let rows = most.min((steps - start).div_ceil(every));
        for (column, out) in columns.iter().zip(&mut values) {
            out.resize(rows as usize, 0.0);
            column.fill(start, every, out);
        }
        take(start, &values)?;
        start = start.saturating_add(rows.saturating_mul(every));
    }
    Ok(())
}

fn csv(source: &Source, every: u64, out: &mut impl Write) -> io::Result<()> {
    let (names, columns): (Vec<String>, Vec<Column<'_>>) = source.columns().into_iter().unzip();
    writeln!(out, "step,{}", names.join(","))?;
    let mut text = String::new();
    chunks(&columns, source.horizon().steps, every, |start, values| {
        text.clear();
        for row in 0..values.first().map_or(0, Vec::len) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}", start + row as u64 * every);
            for column in values {
                let _ = write!(text, ",{}", Shortest(column.get(row).copied().unwrap_or(f64::NAN)));
            }
            text.push('\n');
        }
        out.write_all(text.as_bytes())
    })?;
    out.flush()
}

fn floats(source: &Source, every: u64, out: &mut impl Write) -> io::Result<()> {
    let rates: Vec<Column<'_>> = source.columns().into_iter().take(1).map(|(_, rates)| rates).collect();
    chunks(&rates, source.horizon().steps, every, |_, values| {
        let bytes: Vec<u8> = values.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        out.write_all(&bytes)
    })
}

/// The fewest digits that read back to the same float; whole numbers without `.0`.
struct Shortest(f64);

impl std::fmt::Display for Shortest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.fract() == 0.0 && self.0.abs() < 1e15 {
            true => write!(f, "{}", self.0),
            false => write!(f, "{:?}", self.0),
        }
    }
}

/// The values as one object.
#[derive(Serialize)]
struct Object {
    schedule: String,
    horizon: Horizon,
    /// `null`: rates are fractions of the peak.
    peak: Option<f64>,
    step: Vec<u64>,
    lr: Vec<f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    channels: BTreeMap<String, Vec<f64>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    groups: BTreeMap<String, Vec<f64>>,
}

impl Object {
    fn new(source: &Source, args: &Values) -> Result<Self, Failure> {
        let (columns, horizon) = (source.columns(), source.horizon());
        let numbers = horizon.steps.div_ceil(args.every).saturating_mul(columns.len() as u64 + 1);
        if numbers > MOST_IN_JSON {
            let numbers = lehr_report::number::count(numbers);
            return Err(Failure::usage(format!(
                "{numbers} numbers are too many for one JSON object: give --every N, or leave --json out"
            )));
        }
        let step = || (0..horizon.steps).step_by(usize::try_from(args.every).unwrap_or(usize::MAX));
        let (mut lr, mut channels, mut groups) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (i, (name, column)) in columns.into_iter().enumerate() {
            let values: Vec<f64> = step().map(|t| column.at(t)).collect();
            match name.strip_prefix("lr:") {
                _ if i == 0 => lr = values,
                Some(group) => drop(groups.insert(group.to_owned(), values)),
                None => drop(channels.insert(name, values)),
            }
        }
        let (schedule, peak) = (source.schedule().to_owned(), args.run.peak());
        Ok(Self { schedule, horizon, peak, step: step().collect(), lr, channels, groups })
    }
}
