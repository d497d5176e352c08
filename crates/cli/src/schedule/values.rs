//! `lehr schedule values`: the rate of every update, for people and for programs.

use clap::Args;
use lehr_schedule::{Curve, Schedule};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::horizon::{RunArgs, count};
use super::input;
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
    let schedule = input::schedule(&args.schedule)?;
    let curve = args.run.resolve(&schedule)?;
    let Some(path) = &args.output else {
        return match args.json {
            true => output::json(SCHEMA, &Object::new(&schedule, &curve, args)?),
            false => csv(&curve, args.every, &mut io::stdout().lock()).map_err(Failure::from),
        };
    };
    let binary = args.f64 || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("f64"));
    let object = match args.json {
        true => Some(output::object(SCHEMA, &Object::new(&schedule, &curve, args)?)?),
        false => None,
    };
    write_file(path, |file| match &object {
        Some(object) => file.write_all(object.as_bytes()),
        None if binary => floats(&curve, args.every, file),
        None => csv(&curve, args.every, file),
    })
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

/// The curves of the columns: the rate, then channels, then groups.
fn columns(curve: &Curve) -> Vec<(String, &Curve)> {
    let channels = curve.channels().map(|(name, channel)| (name.to_owned(), channel));
    let groups = curve.groups().map(|(name, group)| (format!("lr:{name}"), group));
    std::iter::once(("lr".to_owned(), curve)).chain(channels).chain(groups).collect()
}

/// Calls `take` with the first update of each chunk and the chunk's values, column by column.
fn chunks(
    curves: &[&Curve],
    steps: u64,
    every: u64,
    mut take: impl FnMut(u64, &[Vec<f64>]) -> io::Result<()>,
) -> io::Result<()> {
    let mut values = vec![Vec::new(); curves.len()];
    let most = (CHUNK / curves.len().max(1) as u64).clamp(1, 1 << 14);
    let mut start = 0;
    while start < steps {
        let rows = most.min((steps - start).div_ceil(every));
        for (curve, column) in curves.iter().zip(&mut values) {
            column.resize(rows as usize, 0.0);
            if every == 1 {
                curve.fill(start..start + rows, column);
            } else {
                (0..rows).zip(column.iter_mut()).for_each(|(i, value)| *value = curve.at(start + i * every));
            }
        }
        take(start, &values)?;
        start = start.saturating_add(rows.saturating_mul(every));
    }
    Ok(())
}

fn csv(curve: &Curve, every: u64, out: &mut impl Write) -> io::Result<()> {
    let columns = columns(curve);
    let curves: Vec<&Curve> = columns.iter().map(|(_, curve)| *curve).collect();
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    writeln!(out, "step,{}", names.join(","))?;
    let mut text = String::new();
    chunks(&curves, curve.steps(), every, |start, values| {
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

fn floats(curve: &Curve, every: u64, out: &mut impl Write) -> io::Result<()> {
    chunks(&[curve], curve.steps(), every, |_, values| {
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
    horizon: lehr_schedule::Horizon,
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
    fn new(schedule: &Schedule, curve: &Curve, args: &Values) -> Result<Self, Failure> {
        let numbers = curve.steps().div_ceil(args.every).saturating_mul(columns(curve).len() as u64 + 1);
        if numbers > MOST_IN_JSON {
            let numbers = lehr_report::number::count(numbers);
            return Err(Failure::usage(format!(
                "{numbers} numbers are too many for one JSON object: give --every N, or leave --json out"
            )));
        }
        let step = || (0..curve.steps()).step_by(usize::try_from(args.every).unwrap_or(usize::MAX));
        let values = |curve: &Curve| step().map(|t| curve.at(t)).collect::<Vec<f64>>();
        Ok(Self {
            schedule: schedule.to_string(),
            horizon: curve.horizon(),
            peak: args.run.peak(),
            step: step().collect(),
            lr: values(curve),
            channels: curve.channels().map(|(name, curve)| (name.to_owned(), values(curve))).collect(),
            groups: curve.groups().map(|(name, curve)| (name.to_owned(), values(curve))).collect(),
        })
    }
}
