//! What a run shows by itself.

use super::run::{Run, median, noise, smooth};
use super::{Diagnosis, Finding, Severity};

/// Everything that one run shows.
pub(super) fn of(run: &Run) -> Diagnosis {
    let noise = noise(&run.losses);
    let mut findings = Vec::new();
    let diverged = divergence(run);
    match diverged {
        Some(finding) => findings.push(finding),
        None => {
            findings.extend(spikes(run, noise));
            findings.extend(restarts(run, noise));
            findings.push(end(run, noise));
            findings.extend(overfitting(run));
        }
    }
    let tail = median(&run.losses[run.losses.len() - tail(run.losses.len())..]);
    Diagnosis {
        run: run.name.clone(),
        end: tail.is_finite().then_some(tail),
        noise,
        findings,
        longer: Vec::new(),
    }
}

/// Points that count as the end: the last thirtieth, at least three.
fn tail(points: usize) -> usize {
    (points / 30).max(3)
}

fn divergence(run: &Run) -> Option<Finding> {
    let smooth = smooth(&run.losses);
    let first = smooth[0];
    let last = median(&run.losses[run.losses.len() - tail(run.losses.len())..]);
    let (at, best) = smooth.iter().copied().enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let lost = last - best > 0.5 * (first - best).max(0.0) && last - best > 0.02 * best.abs();
    if last.is_finite() && !lost {
        return None;
    }
    let begins = run.losses.iter().position(|loss| !loss.is_finite()).unwrap_or(at);
    let peak = run.peak().map_or(String::new(), |peak| format!(" (peak rate {peak:.3e})"));
    let end = if last.is_finite() { format!("{last:.4}") } else { "not finite".to_owned() };
    Some(Finding {
        code: "diverged",
        severity: Severity::Warning,
        evidence: format!("best {best:.4} at step {}, at the end {end}{peak}", run.steps[at]),
        suggestion: match run.steps[begins] * 5 < run.steps[run.steps.len() - 1] {
            true => "halve the peak rate, or lengthen the warm-up: it broke in the first fifth".to_owned(),
            false => "halve the peak rate, or clip gradients: it broke well after the start".to_owned(),
        },
        step: Some(run.steps[begins]),
    })
}

/// Rises of the loss far beyond the noise that were made up for later; those right after a restart are its own.
fn spikes(run: &Run, noise: f64) -> Vec<Finding> {
    let smooth = smooth(&run.losses);
    let starts = restart_points(run);
    let mut found = Vec::new();
    let (mut best, mut i) = (smooth[0], 1);
    while i < smooth.len() {
        let rise = smooth[i] - best;
        if rise > (10.0 * noise).max(0.1 * (smooth[0] - best).abs()).max(0.01 * best.abs()) {
            let back = (i..smooth.len()).find(|&j| smooth[j] <= best + 2.0 * noise);
            let top = smooth[i..back.unwrap_or(smooth.len())].iter().copied().fold(rise + best, f64::max);
            let restarted = starts.iter().any(|&start| start <= i + 2 && i <= start + smooth.len() / 10);
            if !restarted {
                found.push(Finding {
                    code: "spike",
                    severity: Severity::Warning,
                    evidence: match back {
                        Some(j) => format!(
                            "rose from {best:.4} to {top:.4} at step {} and came back by step {}",
                            run.steps[i], run.steps[j]
                        ),
                        None => format!("rose from {best:.4} to {top:.4} at step {} and did not come back", run.steps[i]),
                    },
                    suggestion: "the rate is near the edge of stability: lower the peak, lengthen the warm-up or clip \
                                 gradients"
                        .to_owned(),
                    step: Some(run.steps[i]),
                });
            }
            i = back.unwrap_or(smooth.len());
        }
        if i < smooth.len() {
            best = best.min(smooth[i]);
        }
        i += 1;
    }
    found
}

/// Points at which the rate jumps up again, by a third of the peak or more, after it had fallen by a third.
fn restart_points(run: &Run) -> Vec<usize> {
    let (Some(rates), Some(peak)) = (&run.rates, run.peak()) else { return Vec::new() };
    let mut highest = 0.0f64;
    (1..rates.len())
        .filter(|&i| {
            highest = highest.max(rates[i - 1]);
            rates[i - 1] < 0.67 * highest && rates[i] - rates[i - 1] > 0.33 * peak
        })
        .collect()
}

/// Whether the loss at the end of each cycle is below that at the end of the one before.
fn restarts(run: &Run, noise: f64) -> Vec<Finding> {
    let starts = restart_points(run);
    let level = |end: usize| median(&run.losses[end.saturating_sub(3)..end]);
    let ends: Vec<usize> = starts.iter().copied().skip(1).chain([run.losses.len()]).collect();
    // A cycle that has hardly begun says nothing.
    let pairs = starts.iter().zip(ends).filter(|(start, end)| *end > **start + 3);
    pairs
        .enumerate()
        .map(|(number, (&start, end))| {
            let (before, after) = (level(start), level(end));
            let paid = before - after > 3.0 * noise;
            Finding {
                code: if paid { "restart_paid" } else { "restart_lost" },
                severity: if paid { Severity::Good } else { Severity::Warning },
                evidence: format!(
                    "restart {} at step {}: {before:.4} before it, {after:.4} at the end of its cycle (noise {noise:.1e})",
                    number + 1,
                    run.steps[start]
                ),
                suggestion: match paid {
                    true => "keep it".to_owned(),
                    false => "this restart cost its cycle: drop it, or let the peaks fall (`peak 0.5`)".to_owned(),
                },
                step: Some(run.steps[start]),
            }
        })
        .collect()
}

/// Whether the loss still falls over the last fifth, by a straight line.
fn end(run: &Run, noise: f64) -> Finding {
    let from = (run.losses.len() * 4 / 5).min(run.losses.len() - 5);
    let x: Vec<f64> = run.steps[from..].iter().map(|&step| step as f64).collect();
    let y = &run.losses[from..];
    let count = x.len() as f64;
    let (x0, y0) = (x.iter().sum::<f64>() / count, y.iter().sum::<f64>() / count);
    let spread: f64 = x.iter().map(|x| (x - x0).powi(2)).sum();
    let slope = x.iter().zip(y).map(|(x, y)| (x - x0) * (y - y0)).sum::<f64>() / spread;
    let squares: f64 = x.iter().zip(y).map(|(x, y)| (y - y0 - slope * (x - x0)).powi(2)).sum();
    let error = (squares / (count - 2.0) / spread).sqrt();
    let last = run.steps[run.steps.len() - 1];
    let ahead = 0.2 * last as f64;
    let drop = -slope * ahead;
    let falling = slope < -3.0 * error && drop > noise.max(1e-4 * y0.abs());
    let rates = run.rates.as_ref();
    let annealed = rates.and_then(|rates| Some(rates.last()? / run.peak()?)).filter(|level| *level < 0.02);
    let evidence = format!(
        "over the last fifth the loss changes by {:+.2e} ± {:.1e} per {ahead:.0} steps (noise of a point {noise:.1e})",
        slope * ahead,
        2.0 * error * ahead
    );
    if falling {
        let suggestion = match annealed {
            Some(_) => {
                "it falls because the rate falls, and the rate is now spent: only a longer horizon, annealed anew, \
                        gives more"
            }
            None => "train longer, or anneal the rate to zero: there is loss left to gain",
        };
        let severity = if annealed.is_some() { Severity::Note } else { Severity::Warning };
        return Finding {
            code: "still_falling",
            severity,
            evidence,
            suggestion: suggestion.to_owned(),
            step: Some(last),
        };
    }
    let suggestion = match annealed.is_some() || rates.is_none() {
        true => "nothing to gain by running on at this rate",
        false => "a plateau at a high rate is not the end: anneal the rate before calling it converged",
    };
    let severity = if annealed.is_some() || rates.is_none() { Severity::Good } else { Severity::Note };
    Finding { code: "converged", severity, evidence, suggestion: suggestion.to_owned(), step: Some(last) }
}

/// Whether the validation loss rises from its best while the training loss falls.
fn overfitting(run: &Run) -> Option<Finding> {
    let losses: Vec<f64> = run.validation.iter().map(|point| point.1).collect();
    if losses.len() < 10 {
        return None;
    }
    let (noise, smooth) = (noise(&losses), smooth(&losses));
    let (at, best) = smooth.iter().copied().enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let last = median(&losses[losses.len() - tail(losses.len())..]);
    let when = run.validation[at].0;
    let train = |step: u64| run.points().filter(|point| point.0 <= step).last().map(|point| point.1);
    let (then, now) = (train(when)?, median(&run.losses[run.losses.len() - tail(run.losses.len())..]));
    let rises = last - best > (4.0 * noise).max(0.002 * best.abs()) && at + tail(losses.len()) < losses.len();
    (rises && now <= then).then(|| Finding {
        code: "overfits",
        severity: Severity::Warning,
        evidence: format!(
            "validation {best:.4} at step {when}, {last:.4} at the end (noise {noise:.1e}), while training fell from \
             {then:.4} to {now:.4}"
        ),
        suggestion: format!("end the schedule near step {when}, or regularise: later steps only fit the training data"),
        step: Some(when),
    })
}
