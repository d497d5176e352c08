//! Runs against each other.

use super::run::Run;
use super::{Diagnosis, Finding, Severity};

/// Adds to each run that anneals how it ends against the best constant-rate run of the set.
pub(super) fn against_constant(runs: &[Run], diagnoses: &mut [Diagnosis]) {
    let constant = (0..runs.len())
        .filter(|&i| runs[i].is_constant())
        .filter_map(|i| Some((i, diagnoses[i].end?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let Some((reference, level)) = constant else { return };
    let (name, noise) = (runs[reference].name.clone(), diagnoses[reference].noise);
    for (run, diagnosis) in runs.iter().zip(diagnoses) {
        let Some(end) = diagnosis.end.filter(|_| run.rates.is_some() && !run.is_constant()) else { continue };
        let gain = level - end;
        let pays = gain > 3.0 * noise.hypot(diagnosis.noise);
        diagnosis.findings.push(Finding {
            code: if pays { "annealing_pays" } else { "annealing_within_noise" },
            severity: if pays { Severity::Good } else { Severity::Note },
            evidence: format!(
                "ends at {end:.4}, the best constant rate ({name}) at {level:.4}: {gain:+.4} better (noise of a point \
                 {:.1e}; the noise between seeds is not in it)",
                noise.hypot(diagnosis.noise)
            ),
            suggestion: match pays {
                true => "keep annealing".to_owned(),
                false => "a constant rate does as well here: the simpler schedule will do".to_owned(),
            },
            step: None,
        });
    }
}
