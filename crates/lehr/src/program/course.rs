//! The schedule of a run, as a program is handed it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use lehr_schedule::shape::Table;
use lehr_schedule::{Curve, Horizon, Level, Schedule};

use super::error::ProgramError;

/// Values that are worked out at a time.
const CHUNK: u64 = 1 << 14;

/// A schedule resolved for one run.
#[derive(Clone, Debug)]
pub struct Course {
    /// The spec, with parameters filled in.
    pub spec: String,
    /// Absolute rates over the run's horizon; nothing where no parameter is a rate.
    pub curve: Option<Curve>,
}

/// Writes the rates of a curve for every update of its horizon: CSV `step,lr`, or little-endian 64-bit floats where the
/// name ends in `.f64`. The file is there as a whole or not at all.
///
/// # Errors
/// [`ProgramError::Io`] if it cannot be written.
pub fn write_schedule(curve: &Curve, path: &Path) -> Result<(), ProgramError> {
    let beside = path.with_extension("part");
    let binary = is_binary(path);
    let written = File::create(&beside).and_then(|file| {
        let mut file = BufWriter::with_capacity(1 << 16, file);
        if !binary {
            file.write_all(b"step,lr\n")?;
        }
        rates(curve, |step, rate| match binary {
            true => file.write_all(&rate.to_le_bytes()),
            false => writeln!(file, "{step},{rate:e}"),
        })?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?;
        std::fs::rename(&beside, path)
    });
    written.map_err(ProgramError::io("write", path))
}

/// Reads a schedule file, as a program that is handed one does: the curve has its rates, bit for bit, and its length.
///
/// # Errors
/// [`ProgramError::Io`] if it cannot be read, [`ProgramError::ScheduleFile`] if it is not one.
pub fn read_schedule(path: &Path) -> Result<Curve, ProgramError> {
    let wrong = |problem: String| ProgramError::ScheduleFile { path: path.to_owned(), problem };
    let rates = match is_binary(path) {
        true => read_binary(&std::fs::read(path).map_err(ProgramError::io("read", path))?),
        false => read_lines(&std::fs::read_to_string(path).map_err(ProgramError::io("read", path))?),
    };
    let rates = rates.map_err(wrong)?;
    let horizon = Horizon::steps(rates.len() as u64);
    // Rates are absolute; a peak is needed all the same, and one cannot be 0.
    let peak = rates.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let levels = rates.into_iter().map(Level::lr).collect();
    let schedule = Schedule::new([Table { levels, every: None, along: None }.into()]);
    schedule.resolve_with_peak(&horizon, peak).map_err(|why| wrong(why.to_string()))
}

fn is_binary(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "f64")
}

fn read_binary(bytes: &[u8]) -> Result<Vec<f64>, String> {
    let (rates, rest) = bytes.as_chunks();
    match rest.is_empty() {
        true => Ok(rates.iter().map(|rate| f64::from_le_bytes(*rate)).collect()),
        false => Err(format!("its {} bytes are no multiple of 8", bytes.len())),
    }
}

fn read_lines(text: &str) -> Result<Vec<f64>, String> {
    let mut rates = Vec::new();
    let mut lines = text.lines();
    if lines.next() != Some("step,lr") {
        return Err("its first line is not 'step,lr'".into());
    }
    for (step, line) in lines.enumerate() {
        let rate = line.split_once(',').filter(|(number, _)| number.parse() == Ok(step));
        let rate = rate.and_then(|(_, rate)| rate.parse().ok());
        rates.push(
            rate.ok_or_else(|| format!("line {} is '{line}', and update {step} was to come", step + 2))?,
        );
    }
    Ok(rates)
}

fn rates(curve: &Curve, mut take: impl FnMut(u64, f64) -> io::Result<()>) -> io::Result<()> {
    let (mut start, steps) = (0, curve.steps());
    let mut values = vec![0.0; CHUNK.min(steps) as usize];
    while start < steps {
        let end = steps.min(start + CHUNK);
        let values = &mut values[..(end - start) as usize];
        curve.fill(start..end, values);
        (start..end).zip(values).try_for_each(|(step, rate)| take(step, *rate))?;
        start = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lehr_schedule::{Horizon, Schedule};

    #[test]
    fn both_forms_hold_every_digit() {
        let schedule: Schedule = "warmup 10%, cosine".parse().unwrap();
        let curve = schedule.resolve_with_peak(&Horizon::steps(40_000), 3e-4).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (csv, f64s) = (folder.path().join("s.csv"), folder.path().join("s.f64"));
        write_schedule(&curve, &csv).unwrap();
        write_schedule(&curve, &f64s).unwrap();
        let text = std::fs::read_to_string(csv).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("step,lr"));
        let bytes = std::fs::read(f64s).unwrap();
        assert_eq!(bytes.len(), 8 * 40_000);
        for (step, line) in lines.enumerate() {
            let (number, rate) = line.split_once(',').unwrap();
            assert_eq!(number.parse::<usize>().unwrap(), step);
            assert_eq!(rate.parse::<f64>().unwrap(), curve.at(step as u64));
            let binary = f64::from_le_bytes(bytes[8 * step..8 * step + 8].try_into().unwrap());
            assert_eq!(binary, curve.at(step as u64));
        }
        assert!(write_schedule(&curve, Path::new("/no/such/folder/s.csv")).is_err());
    }

    #[test]
    fn a_file_is_read_as_the_curve_that_it_was_written_from() {
        let folder = tempfile::tempdir().unwrap();
        for (spec, name) in
            [("warmup 10%, cosine", "s.csv"), ("linear to 0.1", "s.f64"), ("constant from 0", "0.csv")]
        {
            let schedule: Schedule = spec.parse().unwrap();
            let curve = schedule.resolve_with_peak(&Horizon::steps(1000), 3e-4).unwrap();
            let path = folder.path().join(name);
            write_schedule(&curve, &path).unwrap();
            let read = read_schedule(&path).unwrap();
            assert_eq!(read.iter().collect::<Vec<_>>(), curve.iter().collect::<Vec<_>>(), "{spec}");
        }
        let refused = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            read_schedule(&path).unwrap_err().to_string()
        };
        assert!(refused("a.csv", b"lr\n1\n").contains("first line"));
        assert!(refused("b.csv", b"step,lr\n0,0.1\n2,0.1\n").contains("line 3 is '2,0.1', and update 1"));
        assert!(refused("c.csv", b"step,lr\n0,NaN\n").contains("c.csv is not a schedule file"));
        assert!(refused("d.csv", b"step,lr\n").contains("at least one"));
        assert!(refused("e.f64", b"1234567").contains("7 bytes"));
        assert!(matches!(read_schedule(&folder.path().join("f.csv")), Err(ProgramError::Io { .. })));
    }
}
