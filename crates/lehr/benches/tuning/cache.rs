//! Runs that have been made, kept in a file: an interrupted benchmark goes on, and a changed strategy pays only for what is new.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use lehr_search::Params;

use super::task::{Bench, Curve, Result};

/// Single runs by what they depend on.
pub struct Cache {
    known: HashMap<String, Curve>,
    file: File,
}

impl Cache {
    pub fn open(bench: &Bench, folder: &Path) -> Result<Self> {
        let path = folder.join(format!("runs-{}.tsv", bench.name));
        let mut known = HashMap::new();
        if let Ok(file) = File::open(&path) {
            for line in BufReader::new(file).lines().map_while(std::result::Result::ok) {
                // A line that a crash has torn is trained again.
                if let Some((key, curve)) = line.split_once('\t').and_then(|(k, c)| Some((k, read(c)?))) {
                    known.insert(key.to_owned(), curve);
                }
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok(Self { known, file })
    }

    /// The first updates of a run, up to `until`, from the cache or trained now.
    pub fn course(
        &mut self,
        bench: &Bench,
        (params, steps, seed): (&Params, u64, u64),
        every: Option<u64>,
        until: u64,
    ) -> Result<Curve> {
        let key = format!("{} {params} {steps} {seed} {every:?} {until}", bench.name);
        if let Some(curve) = self.known.get(&key) {
            return Ok(curve.clone());
        }
        let curve = bench.course(params, steps, seed, every, until)?;
        // One write, so that two processes do not mix their lines.
        let line = format!("{key}\t{}\n", write(&curve));
        self.file.write_all(line.as_bytes()).map_err(|e| e.to_string())?;
        self.known.insert(key, curve.clone());
        Ok(curve)
    }
}

fn write(curve: &Curve) -> String {
    let points: Vec<String> = curve.points.iter().map(|(s, v)| format!("{s}:{v:?}")).collect();
    format!("{} {}.", curve.diverged.map_or(-1, |s| s as i64), points.join(" "))
}

fn read(text: &str) -> Option<Curve> {
    let mut words = text.strip_suffix('.')?.split_whitespace();
    let diverged: i64 = words.next()?.parse().ok()?;
    let point = |w: &str| w.split_once(':').and_then(|(s, v)| Some((s.parse().ok()?, v.parse().ok()?)));
    Some(Curve { points: words.map(point).collect::<Option<_>>()?, diverged: u64::try_from(diverged).ok() })
}
