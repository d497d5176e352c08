//! Draws from a posterior with a Gaussian prior: a swarm of particles is led from the prior to the posterior.
//!
//! The likelihood is let in by degrees, as its power β rises from 0 to 1 (sequential Monte Carlo, Del Moral, Doucet and Jasra
//! 2006). β rises as far as half of the swarm stays effective; then particles are drawn anew by weight, and each of them walks
//! a few steps whose directions are differences of two others (ter Braak 2006), so that the swarm itself says how wide and how
//! slanted a step may be. Several modes may survive; the same seed gives the same draws. Beside its coordinates a particle says
//! of each of some things whether it is odd: one of these flags is turned in a step of its own.

use lehr_search::Stream;

/// Particles.
const PARTICLES: usize = 200;
/// Walks of every particle at each power, and once the whole likelihood counts.
const WALKS: (usize, usize) = (12, 60);
/// The swarm is looked at so often once the whole likelihood counts, so many walks apart: with fewer draws means would waver.
const LOOKS: usize = 3;
const APART: usize = 22;
/// While particles hardly move they walk on, up to so many times as often.
const PATIENCE: usize = 4;
/// Steps that a particle has to have made at each power, and the share of steps that is aimed at.
const MOVED: (f64, f64) = (1.0, 0.25);
/// The share of the swarm that has to stay effective.
const EFFECTIVE: f64 = 0.5;
/// Powers at most: a likelihood that is not led in by then is let in at once.
const MOST_POWERS: usize = 60;

/// What is known of the coordinates before any data: independent normal numbers.
pub(super) type Prior = [(f64, f64)];

/// Things that may be odd, at most 64, each by itself and with this probability before any data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Odd {
    pub count: usize,
    pub probability: f64,
}

/// One draw: coordinates, and bit i for whether thing i is odd.
#[derive(Clone)]
pub(super) struct Drawn {
    pub v: Vec<f64>,
    pub odd: u64,
}

/// What is known after the data.
pub(super) struct Posterior {
    pub draws: Vec<Drawn>,
    /// ln of the evidence: the mean likelihood over the prior.
    pub evidence: f64,
}

/// ln likelihood of coordinates and of what is odd.
type Likelihood<'a> = &'a dyn Fn(&[f64], u64) -> f64;

struct Particle {
    at: Drawn,
    before: f64,
    likelihood: f64,
}

impl Particle {
    /// Whether it takes a step to where prior and likelihood are these (Metropolis); they are its own then.
    fn takes(&mut self, before: f64, likelihood: f64, power: f64, stream: &mut Stream) -> bool {
        let gain = before - self.before + power * (likelihood - self.likelihood);
        let taken = gain >= 0.0 || stream.uniform() < gain.exp();
        if taken {
            (self.before, self.likelihood) = (before, likelihood);
        }
        taken
    }
}

/// Draws from the posterior. Coordinates that `free` does not name stay as the prior has them: nothing depends on them.
pub(super) fn draw(
    prior: &Prior,
    free: &[usize],
    odd: Odd,
    likelihood: Likelihood<'_>,
    stream: &mut Stream,
) -> Posterior {
    let odds = (odd.probability / (1.0 - odd.probability)).ln();
    let before = |v: &[f64], odd: u64| -> f64 {
        let of = |&i: &usize| -0.5 * ((v[i] - prior[i].0) / prior[i].1).powi(2);
        free.iter().map(of).sum::<f64>() + f64::from(odd.count_ones()) * odds
    };
    let mut swarm: Vec<Particle> = (0..PARTICLES)
        .map(|_| {
            let v: Vec<f64> = prior.iter().map(|(mean, sd)| mean + sd * stream.normal()).collect();
            let odd =
                (0..odd.count).fold(0, |all, i| all | u64::from(stream.uniform() < odd.probability) << i);
            Particle { before: before(&v, odd), likelihood: likelihood(&v, odd), at: Drawn { v, odd } }
        })
        .collect();
    let (mut power, mut size, mut evidence) = (0.0, 1.0, 0.0);
    let mut draws = Vec::new();
    for k in 1..=MOST_POWERS {
        let next = if k == MOST_POWERS { 1.0 } else { next_power(&swarm, power) };
        let (weights, rise) = weighed(&swarm, next - power);
        evidence += rise;
        swarm = redrawn(swarm, &weights, stream);
        power = next;
        let walks = if power < 1.0 { WALKS.0 } else { WALKS.1 };
        let (mut made, mut moved) = (0, 0.0);
        while made < walks || (moved < MOVED.0 && made < PATIENCE * walks) {
            let accepted = walk(&mut swarm, free, (power, size), &before, likelihood, stream);
            turn(&mut swarm, odd, power, &before, likelihood, stream);
            size = (size * (accepted - MOVED.1).exp()).clamp(0.02, 2.0);
            made += 1;
            moved += accepted;
            if power >= 1.0 && made % APART == 0 {
                draws.extend(swarm.iter().map(|particle| particle.at.clone()));
            }
        }
        if power >= 1.0 {
            break;
        }
    }
    draws.extend(swarm.into_iter().map(|particle| particle.at));
    draws.drain(..draws.len() - LOOKS * PARTICLES);
    // Drawing anew by weight has made copies of what nothing depends on.
    for draw in &mut draws {
        for i in (0..prior.len()).filter(|i| !free.contains(i)) {
            draw.v[i] = prior[i].0 + prior[i].1 * stream.normal();
        }
    }
    Posterior { draws, evidence }
}

/// Weights of the swarm when the power rises by `by`, summing to 1, and ln of the mean factor by which the likelihood to its power grows.
fn weighed(swarm: &[Particle], by: f64) -> (Vec<f64>, f64) {
    let top = swarm.iter().map(|p| p.likelihood).fold(f64::NEG_INFINITY, f64::max);
    let all: Vec<f64> = swarm.iter().map(|p| (by * (p.likelihood - top)).exp()).collect();
    let sum: f64 = all.iter().sum();
    (all.iter().map(|w| w / sum).collect(), by * top + (sum / swarm.len() as f64).ln())
}

/// The highest power at which enough of the swarm stays effective.
fn next_power(swarm: &[Particle], power: f64) -> f64 {
    let effective = |by: f64| 1.0 / weighed(swarm, by).0.iter().map(|w| w * w).sum::<f64>();
    let enough = EFFECTIVE * swarm.len() as f64;
    if effective(1.0 - power) >= enough {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0 - power);
    for _ in 0..30 {
        let middle = (low + high) / 2.0;
        if effective(middle) >= enough { low = middle } else { high = middle }
    }
    power + high
}

/// The swarm drawn anew by weight, with one uniform number for all (systematic).
fn redrawn(swarm: Vec<Particle>, weights: &[f64], stream: &mut Stream) -> Vec<Particle> {
    let (mut sum, mut taken) = (0.0, stream.uniform());
    let count = swarm.len() as f64;
    let mut next = Vec::with_capacity(swarm.len());
    for (particle, weight) in swarm.iter().zip(weights) {
        sum += weight * count;
        while taken < sum && next.len() < swarm.len() {
            next.push(Particle { at: particle.at.clone(), ..*particle });
            taken += 1.0;
        }
    }
    // Rounding may leave the last places free.
    while let Some(last) = swarm.last().filter(|_| next.len() < swarm.len()) {
        next.push(Particle { at: last.at.clone(), ..*last });
    }
    next
}

/// One Metropolis step of every particle; directions are those of the swarm before the step, their length `size` times the
/// usual. The share of particles that moved.
fn walk(
    swarm: &mut [Particle],
    free: &[usize],
    (power, size): (f64, f64),
    before: Likelihood<'_>,
    likelihood: Likelihood<'_>,
    stream: &mut Stream,
) -> f64 {
    let mut accepted = 0;
    let start: Vec<Vec<f64>> = swarm.iter().map(|p| p.at.v.clone()).collect();
    let mut trial = vec![0.0; start.first().map_or(0, Vec::len)];
    for particle in swarm.iter_mut() {
        let (a, b) = (&start[stream.below(start.len())], &start[stream.below(start.len())]);
        // Now and then a whole difference, so that a particle may leap from one mode to another; else a part of the
        // coordinates alone.
        let leap = stream.uniform() < 0.1;
        let share = if leap { 1.0 } else { [0.25, 0.5, 1.0][stream.below(3)] };
        let dimensions = (share * free.len() as f64).max(1.0);
        let usual = 2.38 / (2.0 * dimensions).sqrt() * (0.4 + 0.8 * stream.uniform());
        let step = if leap { 1.0 } else { size * usual };
        trial.copy_from_slice(&particle.at.v);
        for &i in free {
            if share == 1.0 || stream.uniform() < share {
                trial[i] += step * (a[i] - b[i]) * (1.0 + 0.05 * stream.normal());
            }
        }
        let odd = particle.at.odd;
        if particle.takes(before(&trial, odd), likelihood(&trial, odd), power, stream) {
            particle.at.v.copy_from_slice(&trial);
            accepted += 1;
        }
    }
    f64::from(accepted) / swarm.len().max(1) as f64
}

/// One Metropolis step of every particle in what it takes for odd: one thing is turned.
fn turn(
    swarm: &mut [Particle],
    odd: Odd,
    power: f64,
    before: Likelihood<'_>,
    likelihood: Likelihood<'_>,
    stream: &mut Stream,
) {
    if odd.count == 0 {
        return;
    }
    for particle in swarm.iter_mut() {
        let turned = particle.at.odd ^ (1 << stream.below(odd.count));
        let (new_before, new_likelihood) =
            (before(&particle.at.v, turned), likelihood(&particle.at.v, turned));
        if particle.takes(new_before, new_likelihood, power, stream) {
            particle.at.odd = turned;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Odd = Odd { count: 0, probability: 0.04 };

    /// A line through three points with known noise has a posterior in closed form.
    #[test]
    fn a_linear_model_has_its_exact_posterior() {
        let prior = [(0.0, 3.0), (0.0, 3.0), (7.0, 2.0)];
        let seen = [(-1.0, 0.9), (0.0, 2.1), (1.0, 2.9)];
        let noise = 0.1;
        let likelihood = |v: &[f64], _: u64| -> f64 {
            seen.iter().map(|(x, y)| -0.5 * ((y - v[0] - v[1] * x) / noise).powi(2)).sum()
        };
        let Posterior { draws, evidence } =
            draw(&prior, &[0, 1], NONE, &likelihood, &mut Stream::for_trial(3, 0));
        assert_eq!(draws.len(), LOOKS * PARTICLES);
        let moments = |i: usize| {
            let mean = draws.iter().map(|d| d.v[i]).sum::<f64>() / draws.len() as f64;
            let var = draws.iter().map(|d| (d.v[i] - mean).powi(2)).sum::<f64>() / draws.len() as f64;
            (mean, var.sqrt())
        };
        // Sums of squares 3 and 2; the prior hardly counts.
        for (i, mean, sd) in [(0, 1.967, 0.0577), (1, 1.0, 0.0707), (2, 7.0, 2.0)] {
            let (m, s) = moments(i);
            assert!((m - mean).abs() < 0.25 * sd && (s / sd - 1.0).abs() < 0.2, "{i}: {m} ± {s}");
        }
        // The residuals are −0.067, 0.133 and −0.067; the rest is the posterior's volume over the prior's, and the prior there.
        let misfit = -0.5 * 0.02667 / (noise * noise);
        let exact = misfit + (0.0577f64 * 0.0707 / 9.0).ln() - 0.5 * (1.967f64.powi(2) + 1.0) / 9.0;
        assert!((evidence - exact).abs() < 0.7, "{evidence} {exact}");
    }

    #[test]
    fn two_modes_survive() {
        let likelihood = |v: &[f64], _: u64| -50.0 * (v[0].abs() - 2.0).powi(2);
        let draws = draw(&[(0.0, 2.0)], &[0], NONE, &likelihood, &mut Stream::for_trial(1, 0)).draws;
        let above = draws.iter().filter(|d| d.v[0] > 0.0).count();
        assert!((draws.len() / 4..3 * draws.len() / 4).contains(&above), "{above}");
    }

    /// Three things see a level with noise 0.1, of which an odd one is off by 0.2: which of them are odd has its exact probabilities.
    #[test]
    fn what_is_odd_has_its_exact_probability() {
        let (seen, noise, off, wide) = ([0.0f64, 0.25, 0.02], 0.1f64, 0.2, 3.0f64);
        let left = |odd: u64, level: f64| {
            [0, 1, 2].map(|i| seen[i] - level - if odd >> i & 1 == 1 { off } else { 0.0 })
        };
        let likelihood =
            |v: &[f64], odd: u64| -> f64 { left(odd, v[0]).iter().map(|r| -0.5 * (r / noise).powi(2)).sum() };
        let some = Odd { count: 3, probability: 0.2 };
        let draws = draw(&[(0.0, wide)], &[0], some, &likelihood, &mut Stream::for_trial(5, 0)).draws;
        // The level integrated out.
        let weight = |odd: u64| -> f64 {
            let r = left(odd, 0.0);
            let (sum, squares) = (r.iter().sum::<f64>(), r.iter().map(|r| r * r).sum::<f64>());
            let pulled = sum * sum / (3.0 + (noise / wide).powi(2));
            (-0.5 * (squares - pulled) / (noise * noise)).exp() * 0.25f64.powi(odd.count_ones() as i32)
        };
        let all: f64 = (0..8).map(weight).sum();
        for odd in 0..8 {
            let found = draws.iter().filter(|d| d.odd == odd).count() as f64 / draws.len() as f64;
            assert!((found - weight(odd) / all).abs() < 0.08, "{odd:b}: {found} {}", weight(odd) / all);
        }
    }
}
