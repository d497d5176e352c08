//! Sweeps as CSV: one row per run.

use std::collections::HashMap;
use std::path::Path;

use super::RobustnessError;
use crate::sweep::{Row, Sweep};

/// The columns of a sweep file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Peak rate.
    pub rate: String,
    /// Final loss.
    pub loss: String,
    /// What names the schedule; several columns are joined by blanks, empty fields left out.
    pub by: Vec<String>,
    /// Seed; a file without this column has one seed.
    pub seed: String,
}

impl Default for Columns {
    fn default() -> Self {
        Self { rate: "lr".into(), loss: "loss".into(), by: vec!["schedule".into()], seed: "seed".into() }
    }
}

/// Reads a sweep. A loss that is empty or no finite number (`nan`, `inf`, `diverged`) counts as diverged.
///
/// # Errors
/// A file or column that is missing, a rate or seed that is no number, the same run twice (the message names
/// columns that tell such runs apart), or two runs with different horizons in a column `horizon` or `steps`.
pub fn read_csv(path: &Path, columns: &Columns) -> Result<Sweep, RobustnessError> {
    let fail = |why: String| RobustnessError::Input(format!("{}: {why}", path.display()));
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| fail(error.to_string()))?;
    let header: Vec<String> =
        reader.headers().map_err(|error| fail(error.to_string()))?.iter().map(str::to_owned).collect();
    if header.is_empty() {
        return Err(fail("it is empty; the first line names the columns".into()));
    }
    let place = |name: &str| {
        let missing = || fail(format!("no column '{name}'; the columns are {}", header.join(", ")));
        header.iter().position(|found| found == name).ok_or_else(missing)
    };
    let (rate, loss) = (place(&columns.rate)?, place(&columns.loss)?);
    let by: Vec<usize> = match columns.by.iter().map(|name| place(name)).collect::<Result<_, _>>() {
        Ok(by) => by,
        Err(_) if columns.by == Columns::default().by => Vec::new(),
        Err(error) => return Err(error),
    };
    let seed = header.iter().position(|found| *found == columns.seed);
    let horizon = header.iter().position(|found| found == "horizon" || found == "steps");
    let mut rows = Vec::new();
    let mut records: Vec<csv::StringRecord> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| fail(error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let field = |place: usize| record.get(place).unwrap_or("");
        let number = |place: usize| {
            let wrong =
                || fail(format!("line {line}, {}: '{}' is not a number", header[place], field(place)));
            field(place).parse::<f64>().map_err(|_| wrong())
        };
        let parts: Vec<&str> = by.iter().map(|&place| field(place)).filter(|part| !part.is_empty()).collect();
        let seed = seed.map_or(Ok(0.0), number)?;
        if !(0.0..=9e15).contains(&seed) || seed.fract() != 0.0 {
            return Err(fail(format!("line {line}: the seed {seed} is not a whole number of at least 0")));
        }
        rows.push(Row {
            schedule: if parts.is_empty() { "all runs".to_owned() } else { parts.join(" ") },
            rate: number(rate)?,
            seed: seed as u64,
            loss: field(loss).parse().unwrap_or(f64::NAN),
        });
        records.push(record);
    }
    let mut first: HashMap<(String, u64, u64), usize> = HashMap::new();
    for (i, row) in rows.iter().enumerate() {
        let key = (row.schedule.clone(), row.rate.to_bits(), row.seed);
        if let Some(&before) = first.get(&key) {
            let differ = (0..header.len())
                .filter(|&k| k != loss && records[i].get(k) != records[before].get(k))
                .map(|k| header[k].as_str())
                .collect::<Vec<_>>();
            return Err(fail(format!(
                "two runs of '{}' have the rate {:e} and seed {}; {}",
                row.schedule,
                row.rate,
                row.seed,
                match differ.is_empty() {
                    true => "they differ in no column: give each run its own seed".to_owned(),
                    false =>
                        format!("they differ in {}: name what tells them apart with --by", differ.join(", ")),
                }
            )));
        }
        first.insert(key, i);
    }
    if let Some(horizon) = horizon {
        let named = columns.by.iter().any(|name| *name == header[horizon]);
        for pair in records.windows(2) {
            if !named && pair[0].get(horizon) != pair[1].get(horizon) {
                let (a, b) = (pair[0].get(horizon).unwrap_or(""), pair[1].get(horizon).unwrap_or(""));
                return Err(fail(format!(
                    "runs with different horizons ({a} and {b} in '{}') cannot be compared; keep one, or add the \
                     column to --by",
                    header[horizon]
                )));
            }
        }
    }
    Ok(Sweep::new(rows)?)
}
