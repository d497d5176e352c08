//! The laboratory: ends of runs on a grid of rates, horizons and seeds, so that a search takes milliseconds.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use lehr::strategy::RunState;

use super::task::{Bench, Result};

/// What a table holds.
struct Extent {
    /// Points per octave of rate; between them losses of one seed are interpolated.
    per_octave: f64,
    /// Octaves of horizons below the target.
    halvings: u32,
    seeds: u64,
}

const WHOLE: Extent = Extent { per_octave: 8.0, halvings: 6, seeds: 32 };
/// For a program, which trains a hundred times as slowly; its target is short, so that no shorter runs are asked for.
const COARSE: Extent = Extent { per_octave: 4.0, halvings: 3, seeds: 16 };

/// The first seed of the table, far from those of the truth.
const FIRST_SEED: u64 = 2_000_000;

/// Ends of runs by horizon, seed and rate.
pub struct Surface {
    low: f64,
    per_octave: f64,
    /// Horizon, and for each seed the end at each rate: the loss, or minus the update at which it was lost.
    rungs: Vec<(u64, Vec<Vec<f64>>)>,
}

impl Surface {
    /// The table of a task, trained where `folder` does not have it yet.
    pub fn cached(bench: &Bench, folder: &Path) -> Result<Self> {
        let path = folder.join(format!("surface-{}.txt", bench.name));
        let mut known = std::collections::HashMap::new();
        for line in std::fs::read_to_string(&path).unwrap_or_default().lines() {
            let numbers: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            if let [steps, seed, ends @ ..] = &numbers[..] {
                known.insert((*steps as u64, *seed as u64), ends.to_vec());
            }
        }
        let Extent { per_octave, halvings, seeds } = if bench.is_program() { COARSE } else { WHOLE };
        let (low, high) = bench.range;
        let count = ((high / low).log2() * per_octave).ceil() as usize;
        let rates: Vec<f64> = (0..=count).map(|i| low * (i as f64 / per_octave).exp2()).collect();
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let mut file = file.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        let mut rungs = Vec::new();
        for halvings in (0..=halvings).rev() {
            let steps = (bench.target as f64 / f64::from(1u32 << halvings)).round() as u64;
            let mut all = Vec::new();
            for seed in 0..seeds {
                if let Some(ends) = known.remove(&(steps, seed)).filter(|ends| ends.len() == rates.len()) {
                    all.push(ends);
                    continue;
                }
                let curves = bench.train_rates(&rates, steps, FIRST_SEED + seed)?;
                let ends: Vec<f64> = curves
                    .iter()
                    .map(|c| c.diverged.map_or_else(|| c.end(), |at| -1.0 - at as f64))
                    .collect();
                let words: Vec<String> = ends.iter().map(|end| format!("{end:.7}")).collect();
                writeln!(file, "{steps} {seed} {}", words.join(" ")).map_err(|e| e.to_string())?;
                all.push(ends);
            }
            rungs.push((steps, all));
        }
        Ok(Self { low, per_octave, rungs })
    }

    /// The end of a run; the horizon is the nearest one of the table.
    pub fn run(&self, rate: f64, steps: u64, seed: u64) -> RunState {
        let near = |rung: &&(u64, Vec<Vec<f64>>)| rung.0.abs_diff(steps);
        let Some((_, seeds)) = self.rungs.iter().min_by_key(near) else { return RunState::Failed };
        // Any number of seeds fall on those of the table.
        let ends = &seeds[(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % seeds.len()];
        let at = ((rate / self.low).log2() * self.per_octave).clamp(0.0, (ends.len() - 1) as f64);
        let (i, j) = (at.floor() as usize, at.ceil() as usize);
        let lost = [ends[i], ends[j]].into_iter().find(|end| *end < 0.0);
        match lost {
            Some(at) => RunState::Diverged { at: (-1.0 - at) as u64 },
            None => RunState::Complete(ends[i] + (at - at.floor()) * (ends[j] - ends[i])),
        }
    }
}
