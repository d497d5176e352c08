//! What a sweep says, in sentences.
use lehr::sweep::{Analysis, Comparison, Edge, Interval, Reason, Recommendation};
use lehr_report::number::{self, rate};

use crate::view::Words;

/// The words of an analysis; its cost is for the caller to say.
pub fn of(analysis: &Analysis) -> Words {
    let Some(found) = &analysis.recommendation else {
        return Words {
            headline: "Nothing can be recommended: at every rate a run diverged.".into(),
            next: vec!["Try lower rates.".into()],
            ..Words::default()
        };
    };
    let mut words = Words { headline: headline(found), reasons: reasons(found), ..Words::default() };
    caution(found, &mut words);
    words
}

fn headline(found: &Recommendation) -> String {
    format!("Use '{}' with a peak rate of {}.", found.schedule, rate(found.best.rate))
}

/// Why, with the numbers.
fn reasons(found: &Recommendation) -> Vec<String> {
    let Recommendation { schedule, best, reason, comparisons } = found;
    let mut reasons = Vec::new();
    if let Some(Interval { low, high, .. }) = best.interval {
        reasons.push(format!(
            "The best rate lies between {} and {} (90 % interval over seeds).",
            rate(low),
            rate(high)
        ));
    }
    let gap = comparisons
        .iter()
        .find(|other| other.schedule == *schedule)
        .map_or(String::new(), |c| format!(" (difference {:.4} ± {:.4})", c.difference, c.half_width));
    reasons.push(match reason {
        Reason::Only => "It is the only schedule that was tried and trained.".to_owned(),
        Reason::Best if comparisons.iter().all(|c| !c.within_noise) => {
            "It is better than every other schedule beyond the noise.".to_owned()
        }
        Reason::Best => {
            "It has the lowest loss, and no simpler schedule is within the noise of it.".to_owned()
        }
        Reason::SimplestWithinNoise { best } => {
            format!("'{best}' has the lowest loss, but this simpler one is within the noise of it{gap}.")
        }
        Reason::Indistinguishable { best } if best == schedule => {
            "The schedules cannot be told apart with these seeds; it has the lowest loss and is the simplest."
                .to_owned()
        }
        Reason::Indistinguishable { best } => format!(
            "The schedules cannot be told apart with these seeds: '{best}' has the lowest loss, this one is the \
             simplest{gap}."
        ),
        Reason::OneSeed => "It has the lowest loss; one seed shows no noise.".to_owned(),
    });
    let worse: Vec<String> = comparisons.iter().filter(|c| !c.within_noise).map(worse).collect();
    if !worse.is_empty() {
        reasons.push(format!("Worse beyond the noise: {}.", worse.join(", ")));
    }
    reasons
}

fn worse(other: &Comparison) -> String {
    let by = if other.diverged { "it diverged".to_owned() } else { format!("by {:.4}", other.difference) };
    format!("'{}' ({by})", other.schedule)
}

/// Doubts, and what to do about them.
fn caution(found: &Recommendation, words: &mut Words) {
    let edge = match found.best.edge {
        Some(Edge::Low) => Some(("lowest", "below")),
        Some(Edge::High) => Some(("highest", "above")),
        None => None,
    };
    if let Some((which, beyond)) = edge {
        words.doubts.push(format!("The best rate is the {which} one that was tried."));
        words.next.push(format!("Widen --lr: try rates {beyond} {}.", rate(found.best.rate)));
    }
    if found.best.half_width.is_none() {
        words.doubts.push("With one seed the schedules and rates may differ by luck.".into());
        words.next.push("Repeat the best rates with 3 seeds or more.".into());
    }
    if let Reason::Indistinguishable { .. } = found.reason {
        words.next.push("To tell the schedules apart, add seeds or train longer.".into());
    }
    if words.next.is_empty() {
        let text = match found.best.interval {
            Some(Interval { low, high, .. }) if high / low > 2.0 => {
                format!("For a sharper rate, try more rates between {} and {}.", rate(low), rate(high))
            }
            _ => "Train with it; a longer run wants a new look at the rate (`lehr theory transfer`).".into(),
        };
        words.next.push(text);
    }
}

/// `0.1–0.5`, or one rate; an end that the sweep cut off is marked.
pub fn interval(interval: Interval) -> String {
    let Interval { low, high, open_low, open_high } = interval;
    let (below, above) = (if open_low { "≤" } else { "" }, if open_high { "≥" } else { "" });
    match low == high {
        true => rate(low),
        false => format!("{below}{}–{above}{}", rate(low), rate(high)),
    }
}

/// `1 run`, `2,000 runs`.
pub fn counted(n: usize, word: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {word}{plural}", number::count(n as u64))
}

/// A text with a capital and a full stop.
pub fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str() + "."
}

#[cfg(test)]
mod tests {
    use super::*;
    use lehr::sweep::{Row, Sweep, analyse};

    fn words(rows: impl IntoIterator<Item = (&'static str, f64, u64, f64)>) -> Words {
        let rows = rows.into_iter().map(|(schedule, rate, seed, loss)| Row {
            schedule: schedule.into(),
            rate,
            seed,
            loss,
        });
        of(&analyse(&Sweep::new(rows.collect::<Vec<_>>()).unwrap()))
    }

    #[test]
    fn says_what_to_use_and_what_speaks_against_it() {
        let got = words([("cosine", 0.1, 0, 1.0), ("cosine", 1.0, 0, 2.0), ("linear", 0.1, 0, 1.5)]);
        assert_eq!(got.headline, "Use 'cosine' with a peak rate of 0.1.");
        assert!(got.doubts.iter().any(|doubt| doubt.contains("lowest one")), "{got:?}");
        assert!(got.doubts.iter().any(|doubt| doubt.contains("one seed")), "{got:?}");
        let got = words([("cosine", 0.1, 0, f64::NAN)]);
        assert!(got.headline.starts_with("Nothing can be recommended"));
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(counted(1, "run"), "1 run");
        assert_eq!(counted(2000, "run"), "2,000 runs");
    }
}
