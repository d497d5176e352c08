//! The law of an annealed run's loss: progress that is the same at every horizon, and noise that the rate pays for.
//!
//! With x = log₂ rate, τ = log₂ of horizon over target, and (x₀, τ₀) the anchor, the best run of the rung whose runs are widest apart:
//!
//! ```text
//! loss(x, τ) = level + F(x + τ) + O(x + τ) + G(x, τ) + H(τ)
//! F(s) = A·2^{−αu − qu²} + B·2^{−βu}     u = s − x₀ − τ₀ − b     what is still to be learnt after a progress s
//! O(s) = ω·log₂(1 + 4^{u − o})/2                                 over-fitting: from the progress o on, so much per octave
//! G(x, τ) = Γ·2^{gw + g₂w₊² − c(τ−τ₀)}   w = x − x₀ − b          the noise that annealing has not taken away
//! H(τ) = h·(2^{−η(τ−τ₀)} − 1)/(η ln 2)                           what short runs lack at any rate
//! ```
//!
//! A weight decay λ divides O by (1 + z)^1.3, where z is the shrinkage of a run to the target at the best rate, λ·Σ rates, over the
//! one that halves O, and costs K·(z/8)^1.6. On the wine network what a λ changes is nearly the same function of the progress at
//! every horizon.
//!
//! A run at a low rate is a walk along the gradient flow, for which only the sum of the rates counts: so a short run at a high
//! rate says what a long one at a low rate will give, and where its best rate is follows from both sides. A, B and Γ are such
//! that at the anchor's horizon the best rate is x₀ + b and an octave costs K there. On the tasks of `cargo xtask bench
//! tuning` F is the same at all horizons to the fourth digit where noise does not hide it; multi-epoch data have O, which
//! makes the best rate fall like one over the horizon.
//!
//! How fast the best rate falls with the horizon hangs on α most of all: about (α − c)/(α + g) of an octave per octave. Short runs of a
//! network make F look steep, since what a linear model can is learnt first; believing their α, one would have the best rate fall like
//! one over the horizon. So α is held to what tasks of all kinds have in common, and what is steeper for a while is an error of F.
//!
//! Two parts are there for the answer, its interval and the end of the search ([`doubting`]), not for which run is next: with them it is no
//! sooner at a good rate, and later on some tasks. The second part of F is learnt slowly: β = 0.35, and at the best rate it is a share ρ of F's slope. A network
//! first learns what a linear model can, within a few octaves of progress, and then little for many more; short runs end in between. And
//! noise at any rate falls with the horizon only down to what is left at all: seeds of a network end in different minima.

use std::f64::consts::LN_2;

use super::model::{RUNGS, rung};

// Places in the vector of coordinates.
const BEST: usize = 0;
const BEND: usize = 1;
const FALL: usize = 2;
const FALL_BOW: usize = 3;
const RISE: usize = 4;
const RISE_BOW: usize = 5;
const ANNEAL: usize = 6;
const LACK: usize = 7;
const LACK_POWER: usize = 8;
const OVER: usize = 9;
pub(super) const OVER_FROM: usize = 10;
const NOISE: usize = 11;
const NOISE_POWER: usize = 12;
const NOISE_RATE: usize = 13;
const JITTER: usize = 14;
const CLIFF: usize = 15;
const CLIFF_DRIFT: usize = 16;
pub(super) const SPREAD: usize = 17;
pub(super) const DECAY: usize = 18;
/// Number of coordinates of the law.
pub(super) const COORDINATES: usize = 19;

/// Mean and standard deviation of each coordinate before any data; losses in units of the model's scale. They are wide enough
/// for the tasks of `cargo xtask bench tuning`, whose spread they follow.
pub(super) const PRIOR: [(f64, f64); COORDINATES] = [
    (0.0, 1.5),   // b
    (-2.7, 1.2),  // ln K
    (0.1, 0.2),   // ln α, tight: see above
    (-2.7, 0.7),  // ln q
    (0.1, 0.35),  // ln g
    (0.06, 0.07), // g₂, none if below 0
    (0.4, 0.25),  // c
    (-3.0, 1.5),  // ln h
    (0.8, 0.3),   // η
    (-0.3, 1.0),  // ln ω/K
    (4.0, 3.5),   // o
    (-1.5, 1.0),  // ln of the noise that is there at any rate, over K
    (0.75, 0.2),  // its power of the horizon
    (-1.2, 0.5),  // ln of the noise over G
    (-2.5, 1.0),  // ln of a seed's head start, in octaves of progress
    (4.0, 2.5),   // octaves from the anchor to the cliff; it may be below the best rate
    (0.3, 0.35),  // by how much the cliff rises per octave of horizon
    (-4.0, 1.5),  // ln of the spread of levels between other parameters
    (-2.3, 1.5),  // log₂ of the shrinkage that halves over-fitting
];

/// Coordinates that come after all others where the law doubts itself: ln of the odds ρ/(1 − ρ), and ln of the noise that is left at any
/// horizon, over K.
const DOUBTS: [(f64, f64); 2] = [(-3.0, 1.5), (-3.3, 1.2)];

/// Makes a prior one of a law that doubts itself: α may be another one after all; of the networks of the benchmark noise falls faster at
/// first, and seeds are further apart in their progress.
pub(super) fn doubting(prior: &mut Vec<(f64, f64)>) {
    prior[FALL].1 = 0.4;
    prior[NOISE_POWER] = (0.9, 0.25);
    prior[JITTER] = (-2.1, 1.0);
    prior.extend(DOUBTS);
}

/// The prior of o where it is known how often a run to the target sees each example: once is too few to over-fit, and more often
/// brings it nearer.
pub(super) fn over_from(epochs: Option<f64>) -> (f64, f64) {
    let Some(epochs) = epochs else { return PRIOR[OVER_FROM] };
    let doublings = epochs.log2().clamp(0.0, 3.3);
    (7.0 - 1.35 * doublings, 3.0 - 0.15 * doublings)
}

/// The most that noise costs, in units of the scale: a run that learns nothing ends at the loss of guessing.
const MOST: f64 = 4.0;
/// With the shrinkage z of a weight decay over the one that halves over-fitting, that falls like (1 + z)^−POWER; the bias that comes
/// with it costs K at z = DEAR, and grows by this power.
const DECAY_POWER: f64 = 1.3;
const DEAR: (f64, f64) = (8.0, 1.6);
/// β: the power of the progress with which the slow part of F falls.
const SLOW_POWER: f64 = 0.35;
/// The width of the cliff, in octaves.
const CLIFF_WIDTH: f64 = 0.35;

/// Where the coordinates are anchored.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Anchor {
    pub x: f64,
    pub tau: f64,
    /// The loss there; how far the level is off is among the errors.
    pub loss: f64,
}

/// One set of coordinates, made ready.
#[derive(Clone, Debug)]
pub(super) struct Law {
    anchor: Anchor,
    best: f64,
    level: f64,
    fall: (f64, f64, f64),
    /// The slope of the slow part of F at the best rate.
    slow: f64,
    rise: (f64, f64, f64),
    anneal: f64,
    lack: (f64, f64),
    over: (f64, f64),
    noise: (f64, f64, f64),
    /// The noise that is left at any horizon.
    left: f64,
    jitter: f64,
    cliff: (f64, f64),
    /// K, and log₂ of the weight decay times the updates to the target over two, that halves over-fitting.
    decay: (f64, f64),
}

/// What a setting of the other parameters changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// By how many octaves it moves the best rate.
    pub shift: f64,
    /// How many times it doubles G.
    pub louder: f64,
    /// With which share of c its G falls with the horizon.
    pub quiet: f64,
    /// How many times it doubles the cost of over-fitting.
    pub over: f64,
    /// log₂ of its weight decay times half of the updates to the target.
    pub decay: f64,
}

impl Place {
    pub const USUAL: Self = Self { shift: 0.0, louder: 0.0, quiet: 1.0, over: 0.0, decay: f64::NEG_INFINITY };
}

/// What a law says of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// The loss, as far as the law knows.
    pub loss: f64,
    /// What the loss would be without F, O and G.
    pub level: f64,
    /// Over-fitting.
    pub over: f64,
    /// F, G and H, of which the law's error is a share.
    pub fall: f64,
    pub rise: f64,
    pub lack: f64,
    /// F at the best rate of the anchor's horizon.
    pub usual: f64,
    /// Standard deviation between seeds, and the part of it that is there at any rate.
    pub noise: f64,
    pub floor: f64,
    /// Probability that the run is beyond the cliff.
    pub wrecked: f64,
}

/// (2^{−βu} − 1)/(β ln 2), which is −u at β = 0.
fn gain(power: f64, u: f64) -> f64 {
    let rate = power * LN_2;
    if rate.abs() < 1e-6 { -u } else { (-rate * u).clamp(-50.0, 50.0).exp_m1() / rate }
}

impl Law {
    /// With `doubts` the last coordinates are [`DOUBTS`].
    pub fn new(v: &[f64], anchor: Anchor, doubts: bool) -> Self {
        let bend = v[BEND].exp();
        let (fall, rise) = (v[FALL].exp() * LN_2, v[RISE].exp() * LN_2);
        let none = [f64::NEG_INFINITY; 2];
        let [odds, left] = if doubts { *v.last_chunk().unwrap_or(&none) } else { none };
        let share = 1.0 / (1.0 + (-odds).exp());
        let steep = 2.0 * bend / ((1.0 - share) * fall + share * SLOW_POWER * LN_2 + rise);
        let (a, slow, gamma) = ((1.0 - share) * steep / fall, share * steep, steep / rise);
        Self {
            anchor,
            best: anchor.x + v[BEST],
            level: anchor.loss - a - slow / (SLOW_POWER * LN_2) - gamma,
            fall: (a, fall, v[FALL_BOW].exp() * LN_2),
            slow,
            rise: (gamma, rise, v[RISE_BOW].max(0.0) * LN_2),
            anneal: v[ANNEAL] * LN_2,
            lack: (v[LACK].exp(), v[LACK_POWER]),
            over: (bend * v[OVER].exp(), v[OVER_FROM]),
            noise: (bend * v[NOISE].exp(), v[NOISE_POWER], v[NOISE_RATE].exp()),
            left: bend * left.exp(),
            jitter: v[JITTER].exp(),
            cliff: (anchor.x + v[CLIFF], v[CLIFF_DRIFT]),
            decay: (bend, v[DECAY] - anchor.x - v[BEST] - anchor.tau),
        }
    }

    /// How many times G is doubled at a place and horizon.
    pub fn louder(&self, tau: f64, place: Place) -> f64 {
        place.louder + (1.0 - place.quiet) * self.anneal * (tau - self.anchor.tau) / LN_2
    }

    /// How many times the cost of over-fitting is doubled at a place.
    pub fn over(&self, place: Place) -> f64 {
        place.over - DECAY_POWER * (place.decay - self.decay.1).min(60.0).exp2().ln_1p() / LN_2
    }

    /// What is expected at log₂ rate `x` and log₂ horizon over target `tau`.
    pub fn at(&self, x: f64, tau: f64, place: Place) -> Said {
        let louder = self.louder(tau, place);
        let x = x - place.shift;
        let w = x - self.best;
        let past = tau - self.anchor.tau;
        let u = w + past;
        // Before the vertex of the bow nothing is learnt yet.
        let (a, alpha, bow) = self.fall;
        let learnt = u.max(-alpha / (2.0 * bow)).max(-30.0);
        let fast = a * (-alpha * learnt - bow * learnt * learnt).exp();
        let beta = SLOW_POWER * LN_2;
        let slow = self.slow * (-beta * learnt).exp();
        let fall = fast + slow / beta;
        let slope = fast * (alpha + 2.0 * bow * learnt).max(0.0) + slow;
        let (omega, from) = self.over;
        let beyond = 2.0 * LN_2 * (u - from);
        let over =
            omega * self.over(place).exp2() * if beyond > 30.0 { beyond } else { beyond.exp().ln_1p() }
                / (2.0 * LN_2);
        let (gamma, g, g2) = self.rise;
        let up = w.max(0.0);
        let power = g * w + g2 * up * up.min(4.0) - self.anneal * past + louder * LN_2;
        let plain = gamma * power.min(60.0).exp();
        let rise = saturated(plain);
        let lack = self.lack.0 * gain(self.lack.1, past);
        let floor = (self.noise.0 * (-self.noise.1 * past).exp2()).hypot(self.left);
        let noise = (floor * floor + (self.noise.2 * rise).powi(2) + (self.jitter * slope).powi(2)).sqrt();
        let far = (x - self.cliff.0 - self.cliff.1 * past) / CLIFF_WIDTH;
        let wrecked = if far < -12.0 { 0.0 } else { 1.0 / (1.0 + (-1.7 * far).exp()) };
        let bias = self.decay.0 * (DEAR.1 * (place.decay - self.decay.1 - DEAR.0.log2())).min(60.0).exp2();
        let level = self.level + lack + saturated(bias);
        Said {
            loss: level + fall + over + rise,
            level,
            over,
            fall,
            rise,
            lack,
            usual: a + self.slow / beta,
            noise,
            floor,
            wrecked,
        }
    }
}

/// A cost that is small as it is, and of any size at most [`MOST`].
fn saturated(cost: f64) -> f64 {
    MOST * cost / (MOST + cost)
}

/// G, of which this is the usual value, made so many times as large before it saturates.
pub(super) fn louder_rise(rise: f64, factor: f64) -> f64 {
    MOST * rise * factor / (MOST - rise + rise * factor).max(1e-300)
}

const _: () = assert!(RUNGS == 7);

/// Whether two horizons are of the same rung.
pub(super) fn same_rung(a: f64, b: f64) -> bool {
    rung(a) == rung(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The prior's means, with these doubts.
    fn doubting(odds: f64, left: f64) -> Vec<f64> {
        PRIOR.map(|p| p.0).into_iter().chain([odds, left]).collect()
    }

    /// At the anchor's horizon, without over-fitting, loss is lowest at x₀ + b, and of F's slope there the slow part has its share.
    #[test]
    fn the_best_rate_is_where_it_is_said_to_be() {
        let anchor = Anchor { x: -7.0, tau: -3.0, loss: 0.0 };
        let slope = |law: &Law, x: f64, what: fn(&Said) -> f64| {
            let at = |x: f64| what(&law.at(x, anchor.tau, Place::USUAL));
            (at(x + 1e-4) - at(x - 1e-4)) / 2e-4
        };
        for odds in [-30.0, -1.0, 0.5] {
            let mut v = doubting(odds, -40.0);
            (v[BEST], v[BEND], v[OVER], v[RISE_BOW], v[FALL_BOW]) = (0.4, -8.0, -40.0, -1.0, -30.0);
            let law = Law::new(&v, anchor, true);
            let steep = slope(&law, -6.6, |said| said.fall);
            assert!(slope(&law, -6.6, |said| said.loss).abs() < 0.02 * steep.abs(), "{odds}");
            let (slow, share) = (-law.slow / steep, 1.0 / (1.0 + (-odds).exp()));
            assert!((slow - share).abs() < 1e-3, "{slow} {share}");
        }
    }

    /// Noise falls with the horizon until what is left at any is all of it; without doubts none is left.
    #[test]
    fn noise_does_not_fall_below_what_is_left() {
        let anchor = Anchor { x: -7.0, tau: -12.0, loss: 0.0 };
        let v = doubting(-3.0, -3.0);
        let floor = |doubts: bool, tau: f64| Law::new(&v, anchor, doubts).at(-9.0, tau, Place::USUAL).floor;
        let left = (v[BEND] - 3.0).exp();
        assert!(floor(true, -12.0) > 3.0 * left && (floor(true, 0.0) / left - 1.0).abs() < 0.01);
        assert!(floor(false, 0.0) < 0.02 * left);
    }
}
