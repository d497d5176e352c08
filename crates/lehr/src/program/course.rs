//! The schedule of a run, as a program is handed it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use lehr_schedule::Curve;

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
    let binary = path.extension().is_some_and(|extension| extension == "f64");
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
}
