//! Sweeps as a folder of runs in TensorBoard's event files.

use std::collections::BTreeMap;
use std::path::Path;

use super::RobustnessError;
use super::read::Columns;
use crate::diagnose::read::{LOSS, RATE, VALIDATION, pick, run_name};
use crate::sweep::{Row, Sweep};
use crate::tensorboard::{Reader, find_runs, series};

/// Reads a sweep from a folder with a folder of event files per run.
///
/// A run's settings are what `add_hparams` wrote and what its path says as `key=value`, separated by commas, blanks or
/// further folders: `cosine/lr=0.1,seed=3`. The peak rate is the setting of that name, or else the highest rate that was
/// logged; the loss is the last one logged (the validation loss, where there is one and none was named); the schedule is
/// made of the settings in `columns.by`, or else of what is left of the path.
///
/// The second part names the runs that were left out, and why: no rate, no loss, or an end before that of the others.
///
/// # Errors
/// If there are no event files, or no run has both a rate and a loss.
pub fn read_events(folder: &Path, columns: &Columns) -> Result<(Sweep, Vec<String>), RobustnessError> {
    let fail = |why: String| RobustnessError::Input(why);
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    for run in find_runs(folder).map_err(|error| fail(error.to_string()))? {
        let mut reader = Reader::open(&run).map_err(|error| fail(error.to_string()))?;
        let found = series(reader.read_new().map_err(|error| fail(error.to_string()))?);
        let name = run_name(folder, &run);
        let (path, rest) = settings(&name);
        let setting = |key: &str| path.get(key).or_else(|| reader.settings().get(key)).map(String::as_str);
        let default = Columns::default();
        let named = |given: &String, usual: &String| (given != usual).then(|| given.clone());
        let (rate_name, loss_name) =
            (named(&columns.rate, &default.rate), named(&columns.loss, &default.loss));
        let logged_peak = || {
            let rates = pick(&found, &rate_name, &RATE)?;
            Some(rates.iter().map(|point| point.1).fold(f64::NAN, f64::max))
        };
        let rate = match setting(&columns.rate).map(str::parse::<f64>) {
            Some(rate) => rate.ok(),
            None => logged_peak(),
        };
        let losses = match &loss_name {
            Some(name) => found.get(name),
            None => pick(&found, &None, &VALIDATION).or_else(|| pick(&found, &None, &LOSS)),
        };
        let (Some(rate), Some(&(end, loss))) = (rate, losses.and_then(|losses| losses.last())) else {
            let what = if rate.is_none() { "rate" } else { "loss" };
            left_out.push(format!("{name}: no {what}"));
            continue;
        };
        let seed = match setting(&columns.seed).map(|text| text.parse::<f64>().ok()) {
            None => 0,
            Some(Some(seed)) if seed >= 0.0 && seed.fract() == 0.0 && seed <= 9e15 => seed as u64,
            Some(_) => return Err(fail(format!("{name}: the seed is not a whole number of at least 0"))),
        };
        let by: Vec<&str> = columns.by.iter().filter_map(|key| setting(key)).collect();
        let schedule = match (by.is_empty(), rest.is_empty()) {
            (false, _) => by.join(" "),
            (true, false) => rest,
            (true, true) => "all runs".to_owned(),
        };
        rows.push((name, end, Row { schedule, rate, seed, loss }));
    }
    // A run that ended early for another reason than divergence cannot be compared.
    let horizon = rows.iter().map(|row| row.1).max().unwrap_or(0);
    rows.retain(|(name, end, row)| {
        let whole = *end == horizon || !row.loss.is_finite();
        if !whole {
            left_out
                .push(format!("{name}: its last loss is of step {end}, that of others of step {horizon}"));
        }
        whole
    });
    if rows.is_empty() {
        let there = match left_out.is_empty() {
            true => "it holds no event files (files with `tfevents` in their names)".to_owned(),
            false => format!("no run has both a rate and a loss ({})", left_out.join("; ")),
        };
        return Err(fail(format!("{}: {there}", folder.display())));
    }
    Ok((Sweep::new(rows.into_iter().map(|row| row.2))?, left_out))
}

/// The settings that a path says as `key=value`, and the rest of it.
fn settings(name: &str) -> (BTreeMap<String, String>, String) {
    let (mut found, mut rest) = (BTreeMap::new(), Vec::new());
    for part in name.split(['/', '\\', ',', ' ']).filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some((key, value)) => drop(found.insert(key.to_owned(), value.to_owned())),
            None => rest.push(part),
        }
    }
    (found, rest.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_settings() {
        let (found, rest) = settings("cosine/lr=0.1,seed=3/x");
        assert_eq!((found["lr"].as_str(), found["seed"].as_str(), rest.as_str()), ("0.1", "3", "cosine x"));
        let empty = tempfile::tempdir().unwrap();
        let error = read_events(empty.path(), &Columns::default()).unwrap_err().to_string();
        assert!(error.contains("no event files"), "{error}");
    }
}
