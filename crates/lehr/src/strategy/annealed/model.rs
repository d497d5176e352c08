//! What the loss is believed to depend on: a posterior over a few readable numbers, by a small Markov chain.
//!
//! With x = log₂ rate and τ = log₂ of horizon over target,
//!
//! ```text
//! loss = level(τ) + bend(τ)·ψ(x − best(τ)) + noise          ψ(d) = d² below the best rate, r·d² above it
//! best(τ)  = m − a·u + c·u²      (u = τ − anchor; a has the prior ½ of the theory, c lets the drift curve)
//! level(τ) = l + g·(2^{−βu} − 1)/(β ln 2)                    bend(τ) = K·2^{−κu}
//! ```
//!
//! plus, for every rung, a deviation of level and best rate from these laws, and, for every other parameter, weights that move
//! level and best rate. Far from the best rate the parabola is not believed to the letter: the error that it is allowed
//! grows with the distance. Above a cliff that is learnt with the rest a run is wrecked, and diverges or ends anywhere
//! above the level: divergence says where the cliff is, and nothing else is made up for it.

use lehr_search::Stream;

use super::question::{Point, Question, Seen};

/// Rungs that have deviations of their own: one per octave below the target.
const RUNGS: usize = 7;

// Places in the vector of parameters.
const BEST: usize = 0;
const DRIFT: usize = 1;
const CURVE: usize = 2;
const LEVEL: usize = 3;
const GAIN: usize = 4;
const POWER: usize = 5;
const BEND: usize = 6;
const BEND_POWER: usize = 7;
const SKEW: usize = 8;
const NOISE: usize = 9;
const NOISE_POWER: usize = 10;
const CLIFF: usize = 11;
const SPREAD: usize = 12;
const RUNG_LEVEL: usize = 13;
const RUNG_BEST: usize = RUNG_LEVEL + RUNGS;
const WEIGHTS: usize = RUNG_BEST + RUNGS;

/// Mean and standard deviation of each shared parameter before any data; losses in units of [`Model::scale`].
const PRIOR: [(f64, f64); RUNG_LEVEL] = [
    (0.0, 2.0),  // best: around the best run of the first look
    (0.5, 0.25), // drift: ½ in theory
    (0.0, 0.06), // its curvature, per octave²
    (0.0, 3.0),  // level
    (-2.5, 1.5), // ln of the gain per octave of horizon
    (0.5, 0.35), // power of the gain
    (-3.5, 1.5), // ln of the bend
    (0.5, 0.3),  // its power
    (-0.5, 0.7), // ln of the bend above over the bend below the best rate
    (-5.0, 1.5), // ln of the noise
    (0.5, 0.3),  // its power
    (1.4, 0.5),  // ln of the octaves from the best rate to the cliff
    (-3.0, 1.0), // ln of the spread of levels between other parameters
];
/// Standard deviation of a rung's level from the law, in units of the gain; and of its best rate, in octaves.
const RUNG_SPREAD: (f64, f64) = (0.15, 0.15);
/// Standard deviation of the best rate per unit of another parameter, in octaves.
const SHIFT_SPREAD: f64 = 0.8;
/// The width of the cliff, in octaves.
const CLIFF_WIDTH: f64 = 0.35;
/// How far above the level a wrecked run ends, in units of the scale.
const WRECK: f64 = 3.0;

/// Sweeps of each chain before one is chosen, of the chosen one before its draws count, and from one draw to the next.
const TRIAL_SWEEPS: usize = 60;
const WARM_UP: usize = 250;
const THINNING: usize = 6;
/// Draws that are kept.
pub(super) const DRAWS: usize = 180;

/// What a run is expected to give under one draw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// The loss of a run that is not wrecked.
    pub loss: f64,
    /// The standard deviation of one run around it.
    pub noise: f64,
    /// The probability that it is wrecked.
    pub wrecked: f64,
    /// The level of the rung.
    pub level: f64,
}

impl Expected {
    /// The expected loss, wrecks included.
    pub fn mean(&self) -> f64 {
        (1.0 - self.wrecked) * self.loss + self.wrecked * (self.level + WRECK)
    }
}

/// The weights that a place brings.
#[derive(Clone, Debug)]
pub(super) struct Features {
    level: Vec<f64>,
    shift: Vec<f64>,
    lean: f64,
}

/// One draw from the posterior.
#[derive(Clone, Debug)]
pub(super) struct Draw(Vec<f64>);

/// The posterior.
pub(super) struct Model {
    /// Losses are (loss − `zero`)/`scale` within.
    pub zero: f64,
    pub scale: f64,
    pub draws: Vec<Draw>,
    anchor: f64,
    levels: usize,
}

impl Features {
    pub fn new(level: &[f64], shift: &[f64], lean: f64) -> Self {
        Self { level: level.to_vec(), shift: shift.to_vec(), lean }
    }
}

fn rung(tau: f64) -> usize {
    ((-tau).round().max(0.0) as usize).min(RUNGS - 1)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// (2^{−βu} − 1)/(β ln 2), which is −u at β = 0.
fn gain(power: f64, u: f64) -> f64 {
    let rate = power * std::f64::consts::LN_2;
    if rate.abs() < 1e-6 { -u } else { (-rate * u).clamp(-50.0, 50.0).exp_m1() / rate }
}

/// The loss under parameters `v` for a place whose level and best rate are moved by `lift` and `shift`.
fn expect(v: &[f64], anchor: f64, lift: f64, shift: f64, x: f64, tau: f64) -> Expected {
    let u = tau - anchor;
    let k = rung(tau);
    let slope = v[GAIN].exp();
    let best = v[BEST] - v[DRIFT] * u + v[CURVE] * u * u + RUNG_SPREAD.1 * v[RUNG_BEST + k] + shift;
    let level = v[LEVEL] + slope * (gain(v[POWER], u) + RUNG_SPREAD.0 * v[RUNG_LEVEL + k]) + lift;
    let bend = (v[BEND] - v[BEND_POWER] * std::f64::consts::LN_2 * u).exp();
    let d = x - best;
    let skew = if d > 0.0 { v[SKEW].exp() } else { 1.0 };
    let rise = bend * skew * d * d;
    let run = (v[NOISE] - v[NOISE_POWER] * std::f64::consts::LN_2 * u).exp();
    let doubt = (0.12 * d.abs().powf(1.3)).min(3.0) * rise;
    // The cliff hardly moves with the horizon.
    let cliff = v[BEST] + v[CLIFF].exp() + shift - 0.15 * u;
    let wrecked = 1.0 / (1.0 + (-1.7 * (x - cliff) / CLIFF_WIDTH).exp());
    Expected { loss: level + rise, noise: run.hypot(doubt), wrecked, level }
}

/// ln density of Student's t with 5 degrees of freedom, up to a constant.
fn log_t(error: f64, spread: f64) -> f64 {
    let z = error / spread;
    -3.0 * (z * z / 5.0).ln_1p() - spread.ln()
}

/// ln likelihood of what was seen.
pub(super) fn log_likelihood(seen: Seen, zero: f64, scale: f64, expected: &Expected) -> f64 {
    match seen {
        Seen::Diverged => expected.wrecked.max(1e-30).ln(),
        Seen::Open => 0.0,
        Seen::Loss(loss) => {
            let y = (loss - zero) / scale;
            let plain = (1.0 - expected.wrecked) * log_t(y - expected.loss, expected.noise).exp();
            let above = (y - expected.level).max(0.0);
            let wreck = expected.wrecked * above / WRECK * (-above / WRECK).exp() / WRECK;
            (plain + wreck).max(1e-300).ln()
        }
    }
}

/// What a chain walks on.
struct Belief<'a> {
    model: &'a Model,
    points: &'a [Point],
    features: &'a [Features],
    prior: &'a [(f64, f64)],
    /// Parameters that no point depends on.
    unseen: &'a [bool],
}

impl Belief<'_> {
    fn log_posterior(&self, v: &[f64]) -> f64 {
        let before: f64 =
            v.iter().zip(self.prior).map(|(v, (mean, sd))| -0.5 * ((v - mean) / sd).powi(2)).sum();
        let moves: Vec<(f64, f64)> = self.features.iter().map(|f| self.model.moves(v, f)).collect();
        let of = |p: &Point| {
            let (lift, shift) = moves[p.place];
            let expected = expect(v, self.model.anchor, lift, shift, p.x, p.tau);
            log_likelihood(p.seen, self.model.zero, self.model.scale, &expected)
        };
        before + self.points.iter().map(of).sum::<f64>()
    }
}

/// Which parameters no point depends on: the deviations of rungs without a run, weights of choices that were not tried.
fn unseen(points: &[Point], features: &[Features], levels: usize, shifts: usize) -> Vec<bool> {
    let mut unseen = vec![false; WEIGHTS + levels + shifts];
    for k in 0..RUNGS {
        let empty = !points.iter().any(|p| rung(p.tau) == k);
        unseen[RUNG_LEVEL + k] = empty;
        unseen[RUNG_BEST + k] = empty;
    }
    unseen[SPREAD] = levels == 0;
    for i in 0..levels {
        unseen[WEIGHTS + i] = points.iter().all(|p| features[p.place].level[i] == 0.0);
    }
    for i in 0..shifts {
        unseen[WEIGHTS + levels + i] = points.iter().all(|p| features[p.place].shift[i] == 0.0);
    }
    unseen
}

/// Metropolis, one parameter at a time, with steps that adapt during the warm-up.
struct Chain {
    v: Vec<f64>,
    now: f64,
    /// Sum of ln densities on the way.
    mean: f64,
    steps: Vec<f64>,
}

impl Chain {
    fn new(belief: &Belief<'_>, v: Vec<f64>) -> Self {
        let now = belief.log_posterior(&v);
        Self { v, now, mean: 0.0, steps: belief.prior.iter().map(|p| 0.5 * p.1).collect() }
    }

    fn sweep(&mut self, belief: &Belief<'_>, stream: &mut Stream, adapt: bool) {
        for i in 0..self.v.len() {
            let old = self.v[i];
            let (mean, sd) = belief.prior[i];
            if belief.unseen[i] {
                // No point speaks: a draw from the prior.
                self.v[i] = mean + sd * stream.normal();
                self.now -= 0.5 * (((self.v[i] - mean) / sd).powi(2) - ((old - mean) / sd).powi(2));
                continue;
            }
            self.v[i] += self.steps[i] * stream.normal();
            let new = belief.log_posterior(&self.v);
            let accept = new >= self.now || stream.uniform() < (new - self.now).exp();
            if accept {
                self.now = new;
            } else {
                self.v[i] = old;
            }
            if adapt {
                self.steps[i] = (self.steps[i] * if accept { 1.12 } else { 0.92 }).clamp(1e-4 * sd, 3.0 * sd);
            }
        }
    }
}

impl Model {
    /// The posterior of the question's points; `None` where no run was complete.
    pub fn fit(question: &Question<'_>, features: &[Features], seed: u64) -> Option<Self> {
        let (zero, scale) = units(&question.points)?;
        let anchor = anchor(&question.points);
        let levels = features.first().map_or(0, |f| f.level.len());
        let shifts = features.first().map_or(0, |f| f.shift.len());
        let mut model = Self { zero, scale, draws: Vec::new(), anchor, levels };
        let points: Vec<Point> = question.points.iter().filter(|p| p.seen != Seen::Open).copied().collect();
        let mut prior: Vec<(f64, f64)> = PRIOR.to_vec();
        prior[BEST] = model.near(&points);
        prior.resize(WEIGHTS + levels + shifts, (0.0, 1.0));
        let mut stream = Stream::for_trial(seed, question.points.len() as u64);
        let unseen = unseen(&points, features, levels, shifts);
        let belief = Belief { model: &model, points: &points, features, prior: &prior, unseen: &unseen };
        let starts = model.begin(&points, &prior).into_iter().map(|start| Chain::new(&belief, start));
        let mut chains: Vec<Chain> = starts.collect();
        for chain in &mut chains {
            (0..TRIAL_SWEEPS).for_each(|_| chain.sweep(&belief, &mut stream, true));
            for _ in 0..TRIAL_SWEEPS {
                chain.sweep(&belief, &mut stream, true);
                chain.mean += chain.now;
            }
        }
        let mut chain = chains.into_iter().max_by(|a, b| a.mean.total_cmp(&b.mean))?;
        (0..WARM_UP).for_each(|_| chain.sweep(&belief, &mut stream, true));
        let mut draws = Vec::with_capacity(DRAWS);
        for _ in 0..DRAWS {
            (0..THINNING).for_each(|_| chain.sweep(&belief, &mut stream, false));
            draws.push(Draw(chain.v.clone()));
        }
        model.draws = draws;
        Some(model)
    }

    /// The best point of the rung with most points (of equals the cheapest), and its loss within.
    fn fullest<'p>(&self, points: &'p [Point]) -> Option<(&'p Point, f64)> {
        let of_rung = |k: usize| {
            points.iter().filter(move |p| rung(p.tau) == k).filter_map(|p| match p.seen {
                Seen::Loss(loss) => Some((p, (loss - self.zero) / self.scale)),
                _ => None,
            })
        };
        let most = (0..RUNGS).max_by_key(|&k| (of_rung(k).count(), k))?;
        of_rung(most).min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Where the first look has left the best rate, at the anchor.
    fn near(&self, points: &[Point]) -> (f64, f64) {
        let at = |p: &Point| p.x + PRIOR[DRIFT].0 * (p.tau - self.anchor);
        (self.fullest(points).map_or(0.0, |(p, _)| at(p)), PRIOR[BEST].1)
    }

    /// Where chains may start: at the best rate of the prior and beside it.
    fn begin(&self, points: &[Point], prior: &[(f64, f64)]) -> Vec<Vec<f64>> {
        let mut mean: Vec<f64> = prior.iter().map(|p| p.0).collect();
        if let Some((point, y)) = self.fullest(points) {
            mean[LEVEL] = y - mean[GAIN].exp() * gain(mean[POWER], point.tau - self.anchor);
        }
        let beside = |by: f64| {
            let mut v = mean.clone();
            v[BEST] += by;
            v
        };
        [-1.2, 0.0, 1.2].map(beside).to_vec()
    }

    /// By how much a place moves level and best rate.
    fn moves(&self, v: &[f64], features: &Features) -> (f64, f64) {
        let (levels, shifts) = v[WEIGHTS..].split_at(self.levels);
        let lift =
            if features.level.is_empty() { 0.0 } else { v[SPREAD].exp() * dot(levels, &features.level) };
        (lift, features.lean + SHIFT_SPREAD * dot(shifts, &features.shift))
    }

    /// What a run at a place is expected to give under a draw.
    pub fn expect(&self, draw: &Draw, features: &Features, x: f64, tau: f64) -> Expected {
        let (lift, shift) = self.moves(&draw.0, features);
        expect(&draw.0, self.anchor, lift, shift, x, tau)
    }

    /// The best rate at a place under a draw, as log₂.
    pub fn best(&self, draw: &Draw, features: &Features, tau: f64) -> f64 {
        let (v, u) = (&draw.0, tau - self.anchor);
        v[BEST] - v[DRIFT] * u
            + v[CURVE] * u * u
            + RUNG_SPREAD.1 * v[RUNG_BEST + rung(tau)]
            + self.moves(v, features).1
    }

    /// The standard deviation of one run at a horizon, in units of the scale.
    pub fn noise(&self, draw: &Draw, tau: f64) -> f64 {
        (draw.0[NOISE] - draw.0[NOISE_POWER] * std::f64::consts::LN_2 * (tau - self.anchor)).exp()
    }

    /// A loss in the user's units.
    pub fn loss(&self, y: f64) -> f64 {
        self.zero + self.scale * y
    }
}

/// Zero and unit of the losses: the lowest one, and by how much too low a rate was seen to cost more at the rung with most
/// points (where none was too low, by how much too high a one did).
fn units(points: &[Point]) -> Option<(f64, f64)> {
    let losses: Vec<(&Point, f64)> = points
        .iter()
        .filter_map(|p| match p.seen {
            Seen::Loss(loss) => Some((p, loss)),
            _ => None,
        })
        .collect();
    let zero = losses.iter().map(|l| l.1).min_by(f64::total_cmp)?;
    let count = |k: usize| losses.iter().filter(|l| rung(l.0.tau) == k).count();
    // Of rungs with equally many points the cheapest.
    let most = (0..RUNGS).max_by_key(|&k| (count(k), k))?;
    let of_rung: Vec<_> = losses.iter().filter(|l| rung(l.0.tau) == most).collect();
    let best = of_rung.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let gap = |l: &&&(&Point, f64)| l.1 - best.1;
    let below = of_rung.iter().filter(|l| l.0.x < best.0.x).map(|l| gap(&l)).fold(0.0, f64::max);
    let above = of_rung.iter().filter(|l| l.0.x > best.0.x).map(|l| gap(&l));
    let above = above.filter(|gap| *gap > 0.0).fold(f64::INFINITY, f64::min);
    let scale = match () {
        () if below > 0.0 => below,
        () if above.is_finite() => above,
        () => 0.0,
    };
    // Without any variation the unit is a rounding error of the losses.
    Some((zero, scale.max(1e-9 * zero.abs()).max(1e-300)))
}

/// The mean log₂ horizon of the points: there level and best rate are known best, and apart from their slopes.
fn anchor(points: &[Point]) -> f64 {
    let done: Vec<f64> = points.iter().filter(|p| p.seen != Seen::Open).map(|p| p.tau).collect();
    done.iter().sum::<f64>() / done.len().max(1) as f64
}
