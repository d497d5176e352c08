//! The first look: the cheapest rung, wide steps, until the best rate has a worse one on both sides.

use super::question::{Point, Seen};

/// The widest and the narrowest step of the first look, in octaves.
const STEP: (f64, f64) = (2.0, 3.0);

/// Losses that differ by less, relative to their size, count as equal: programs print single precision.
const EQUAL: f64 = 3e-7;

/// What the first look says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Look {
    /// Try this rate next (log₂).
    At(f64),
    /// Nothing to try before a run under way has ended.
    Wait,
    /// The best rate is bracketed, or at an end of the range.
    Done,
}

/// The next rate of the first look at one rung and place, within `low..high`, from `start`; all as log₂.
///
/// It walks from the start towards lower losses, and where they are equal towards higher rates: at rates so low that nothing is learnt
/// all losses are. A run that diverged counts as worse than anything. While runs are under way it tries the other neighbour rather
/// than to wait.
pub(super) fn look(points: &[&Point], low: f64, high: f64, start: f64) -> Look {
    let step = ((high - low) / 5.0).clamp(STEP.0, STEP.1);
    let start = start.clamp(low, high);
    let mut tried: Vec<(f64, f64)> = points
        .iter()
        .map(|p| {
            (
                p.x,
                match p.seen {
                    Seen::Loss(loss) => loss,
                    Seen::Diverged => f64::INFINITY,
                    Seen::Open => f64::NAN,
                },
            )
        })
        .collect();
    if tried.is_empty() {
        return Look::At(start);
    }
    tried.sort_by(|a, b| a.0.total_cmp(&b.0));
    let lowest = tried.iter().map(|t| t.1).fold(f64::INFINITY, f64::min);
    let done = match lowest.is_finite() {
        true => tried.iter().rfind(|t| t.1 <= lowest + EQUAL * lowest.abs()),
        false => tried.iter().find(|t| t.1 == lowest),
    };
    let centre = done.copied().unwrap_or(tried[tried.len() / 2]);
    let near = |from: f64, to: f64| {
        let (a, b) = (from.min(to), from.max(to));
        tried.iter().copied().filter(|t| t.0 >= a && t.0 <= b && t.0 != centre.0).collect::<Vec<_>>()
    };
    // Everything diverged: down to the low end, in wide steps.
    if centre.1 == f64::INFINITY {
        let lowest = tried[0].0;
        let open = tried.iter().any(|t| t.1.is_nan() && t.0 < centre.0);
        return match () {
            () if lowest > low + 0.1 => Look::At((lowest - step).max(low)),
            () if open => Look::Wait,
            () => Look::Done,
        };
    }
    let mut waiting = false;
    for side in [step, -step] {
        let wall = centre.0 + 1.34 * side;
        let end = if side > 0.0 { high } else { low };
        if (end - centre.0).abs() < 0.25 {
            continue;
        }
        let found = near(centre.0, wall);
        if found.iter().any(|t| !t.1.is_nan()) {
            continue;
        }
        if !found.is_empty() {
            waiting = true;
            continue;
        }
        return Look::At((centre.0 + side).clamp(low, high));
    }
    if waiting { Look::Wait } else { Look::Done }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(best: f64, cliff: f64, start: f64) -> Vec<Point> {
        let mut points: Vec<Point> = Vec::new();
        loop {
            let seen: Vec<&Point> = points.iter().collect();
            match look(&seen, -13.0, 4.0, start) {
                Look::At(x) => {
                    let loss = Seen::Loss((x - best).powi(2));
                    let seen = if x > cliff { Seen::Diverged } else { loss };
                    points.push(Point {
                        place: 0,
                        trial: points.len(),
                        x,
                        tau: -5.0,
                        horizon: 1,
                        seed: 0,
                        seen,
                    });
                }
                Look::Wait => unreachable!(),
                Look::Done => return points,
            }
            assert!(points.len() < 15);
        }
    }

    #[test]
    fn brackets_the_best_rate_wherever_it_is() {
        for best in [-12.9, -9.0, -4.5, 0.3, 3.9] {
            let points = walk(best, 5.0, -4.5);
            let nearest = points.iter().map(|p| (p.x - best).abs()).fold(f64::INFINITY, f64::min);
            assert!(nearest <= 1.8 && points.len() <= 8, "{best}: {nearest} of {}", points.len());
        }
    }

    /// From where nothing is learnt it goes up until something is.
    #[test]
    fn equal_losses_lead_up() {
        let (low, high) = (-1063.0, 996.0);
        let mut points: Vec<Point> = Vec::new();
        loop {
            let seen: Vec<&Point> = points.iter().collect();
            let Look::At(x) = look(&seen, low, high, -33.5) else { break };
            let learnt = (1.0 - 0.1 * (x + 7.0).abs()).max(0.0);
            // Single precision.
            let seen = Seen::Loss(f64::from((1.0986 - learnt) as f32));
            let trial = points.len();
            points.push(Point { place: 0, trial, x, tau: -5.0, horizon: 1, seed: 0, seen });
            assert!(trial < 20);
        }
        assert!(points.iter().any(|p| (p.x + 7.0).abs() < 1.6), "{points:?}");
    }

    #[test]
    fn divergence_leads_down_and_all_diverged_ends() {
        let points = walk(-10.0, -9.0, -4.5);
        assert!(points.iter().any(|p| (p.x + 10.0).abs() < 1.6) && points.len() <= 8);
        let points = walk(0.0, -20.0, -4.5);
        assert!(points.iter().all(|p| p.seen == Seen::Diverged) && points.len() <= 5);
        assert!(points.iter().any(|p| p.x == -13.0));
    }

    #[test]
    fn runs_under_way_are_not_waited_for_while_there_is_something_to_try() {
        let open = |x| Point { place: 0, trial: 0, x, tau: -5.0, horizon: 1, seed: 0, seen: Seen::Open };
        assert_eq!(look(&[], -13.0, 4.0, -4.5), Look::At(-4.5));
        let a = open(-4.5);
        assert_eq!(look(&[&a], -13.0, 4.0, -4.5), Look::At(-1.5));
        let b = open(-1.5);
        assert_eq!(look(&[&a, &b], -13.0, 4.0, -4.5), Look::At(1.5));
    }
}
