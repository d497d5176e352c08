//! By how much the law is wrong, and what seeds have in common: smooth random functions, learnt with the law.
//!
//! F may be off by a share that depends on the progress alone, so that it is the same error at every horizon; G by a share
//! that depends on rate and horizon; H by a share at each rung. Runs of one rung with one seed share a function of the rate:
//! neighbours are luckier or less lucky together, so that their difference is known better than either. Settings of the other
//! parameters have levels, a part of which changes with the horizon: what is good for short runs need not be for long ones.
//! All of them are Gaussian processes with squared-exponential kernels, over settings with the kernel of a quadratic surface. A draw is a realisation of them given the runs (Matheron's rule:
//! Wilson et al. 2020, arXiv 2002.09309), so that in each draw the loss is one definite function.

use lehr_search::Stream;

use super::law::{Said, same_rung};
use super::model::{RUNGS, rung};
use super::question::Point;

/// The errors of F, G and H, as shares.
const SHARES: (f64, f64, f64) = (0.4, 0.5, 0.15);
/// The power of F over its usual size with which its error grows: what is large is known better by its share.
const FALL_POWER: f64 = 0.7;
/// F and G are not taken away by more than this share.
const MOST_TAKEN: f64 = 0.9;
/// Their lengths in octaves: of F in the progress, of G in the rate and in the horizon; of what a seed does, in the rate; of
/// what changes between settings, in the horizon.
const LENGTHS: (f64, f64, f64, f64, f64) = (2.0, 2.0, 3.0, 1.7, 2.0);
/// What changes between settings with the horizon: a share of the spread of their levels, and of G.
const CHANGE: (f64, f64) = (0.87, 0.1);
/// The share of that spread that is the same at every horizon.
const KEPT: f64 = 0.5;
/// The share of a seed's variance that neighbours have in common.
const COMMON: f64 = 0.85;
/// What else may be wrong at a run alone: a share of F + G, and more of it above one unit of the scale.
const ALONE: (f64, f64) = (0.02, 0.2);
/// By how many noises a run that got stuck ends higher: mean and standard deviation. Of 32 seeds of a small network one or two end 5 to 20
/// noises above the median, at one rate and not at those beside it.
const STUCK: (f64, f64) = (5.0, 5.0);
/// Parts that runs share: the errors of F, G and H, what a seed does, the level of all, that of a setting, and its change.
const PARTS: usize = 7;
/// Standard deviation of the level of all, in units of the scale.
const LEVEL: f64 = 1.0;
/// A rung's own error, in noises.
const RUNG_ERROR: f64 = 0.3;

/// Amplitudes of the errors at one run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amplitudes {
    fall: f64,
    rise: f64,
    lack: f64,
    noise: f64,
    alone: f64,
    spread: f64,
    change: f64,
}

impl Amplitudes {
    /// What a law's errors amount to where it says this; `spread` is the one between settings of other parameters.
    pub fn of(said: &Said, spread: f64) -> Self {
        let both = said.fall + said.rise;
        Self {
            fall: SHARES.0 * said.usual * (said.fall / said.usual).powf(FALL_POWER),
            rise: SHARES.1 * said.rise,
            lack: (SHARES.2 * said.lack).hypot(RUNG_ERROR * said.floor),
            noise: said.noise,
            alone: ALONE.0 * both + ALONE.1 * (both - 1.0).max(0.0),
            spread,
            change: (CHANGE.0 * spread).hypot(CHANGE.1 * said.rise),
        }
    }

    /// The amplitude of each of the parts that runs share.
    fn parts(&self) -> [f64; PARTS] {
        [self.fall, self.rise, self.lack, self.noise, LEVEL, KEPT * self.spread, self.change]
    }

    /// Those of a run that got stuck, and by how much it is expected to end higher.
    pub fn stuck(self) -> (Self, f64) {
        (Self { alone: self.alone.hypot(STUCK.1 * self.noise), ..self }, STUCK.0 * self.noise)
    }

    /// The variance that no other run shares.
    fn own(&self) -> f64 {
        (1.0 - COMMON) * self.noise * self.noise + self.alone * self.alone
    }
}

fn kernel(distance: f64, length: f64) -> f64 {
    (-0.5 * (distance / length).powi(2)).exp()
}

/// Knots of a process on a line: white noise smoothed by a Gaussian has the squared-exponential kernel.
#[derive(Clone, Debug)]
struct Knots {
    first: f64,
    step: f64,
    length: f64,
    count: usize,
}

impl Knots {
    fn new(low: f64, high: f64, length: f64) -> Self {
        let step = 0.7 * length;
        let first = low - 1.5 * length;
        let count = ((high + 1.5 * length - first) / step).ceil() as usize + 1;
        Self { first, step, length, count }
    }

    fn weights(&self, at: f64) -> Vec<f64> {
        let norm = (self.step / (self.length * (std::f64::consts::PI / 2.0).sqrt())).sqrt();
        (0..self.count)
            .map(|j| norm * (-((at - self.first - j as f64 * self.step) / self.length).powi(2)).exp())
            .collect()
    }
}

/// Where the loss is asked for: what depends on the place in (rate, horizon) alone.
pub(super) struct Spot {
    pub x: f64,
    pub tau: f64,
    fall: Vec<f64>,
    rise: Vec<f64>,
    lack: usize,
    setting: Vec<f64>,
    change: Vec<f64>,
    /// Kernels with the runs, by part.
    near: Vec<[f64; PARTS]>,
    seed: Option<(usize, Vec<f64>)>,
}

/// The runs, and what is fixed about their errors.
pub(super) struct Field {
    x: Vec<f64>,
    tau: Vec<f64>,
    group: Vec<usize>,
    /// What the level of each run's setting depends on.
    settings: Vec<Vec<f64>>,
    /// Kernels between runs, lower triangle by rows.
    near: Vec<[f64; PARTS]>,
    progress: Knots,
    rate: Knots,
    horizon: Knots,
    seed: Knots,
    change: Knots,
    /// Rung and seed of the runs that are paired; the first [`RUNGS`] stand for a seed that a rung has not had.
    groups: Vec<(usize, u64)>,
}

/// A realisation of the errors.
#[derive(Clone, Debug, Default)]
pub(super) struct Realised {
    fall: Vec<f64>,
    rise: Vec<f64>,
    lack: Vec<f64>,
    seeds: Vec<Vec<f64>>,
    level: f64,
    settings: Vec<f64>,
    changes: Vec<f64>,
    /// For each run, what it pulls in each part.
    pull: Vec<[f64; PARTS]>,
}

/// Σ aᵢ·bᵢ in eight sums side by side: in one alone each addition waits for the one before.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (mut left, mut right) = (a.chunks_exact(8), b.chunks_exact(8));
    for (a, b) in left.by_ref().zip(right.by_ref()) {
        (0..8).for_each(|k| sums[k] += a[k] * b[k]);
    }
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

impl Field {
    /// The field of runs, whose settings' levels depend on `settings`.
    pub fn new(points: &[Point], settings: Vec<Vec<f64>>, low: f64, high: f64) -> Self {
        let mut groups: Vec<(usize, u64)> = (0..RUNGS).map(|k| (k, 0)).collect();
        for p in points {
            let own = (rung(p.tau), p.seed);
            if !groups[RUNGS..].contains(&own) {
                groups.push(own);
            }
        }
        let deepest = points.iter().map(|p| p.tau).fold(-(RUNGS as f64 - 1.0), f64::min);
        let mut field = Self {
            x: points.iter().map(|p| p.x).collect(),
            tau: points.iter().map(|p| p.tau).collect(),
            group: Vec::new(),
            settings,
            near: Vec::new(),
            progress: Knots::new(low + deepest, high, LENGTHS.0),
            rate: Knots::new(low, high, LENGTHS.1),
            horizon: Knots::new(deepest, 0.0, LENGTHS.2),
            seed: Knots::new(low, high, LENGTHS.3),
            change: Knots::new(deepest, 0.0, LENGTHS.4),
            groups,
        };
        field.group = points.iter().map(|p| field.group(p.tau, p.seed)).collect();
        for i in 0..points.len() {
            for j in 0..=i {
                let at = (field.x[i], field.tau[i]);
                field.near.push(field.kernels(at, Some(field.group[i]), &field.settings[i], j));
            }
        }
        field
    }

    /// The group of runs at a horizon with a seed.
    fn group(&self, tau: f64, seed: u64) -> usize {
        let own = (rung(tau), seed);
        self.groups[RUNGS..].iter().position(|g| *g == own).map_or(own.0, |at| RUNGS + at)
    }

    fn kernels(&self, (x, tau): (f64, f64), group: Option<usize>, setting: &[f64], j: usize) -> [f64; PARTS] {
        let (dx, dtau) = (x - self.x[j], tau - self.tau[j]);
        let seed = if group == Some(self.group[j]) { COMMON * kernel(dx, LENGTHS.3) } else { 0.0 };
        let alike = dot(setting, &self.settings[j]);
        [
            kernel(dx + dtau, LENGTHS.0),
            kernel(dx, LENGTHS.1) * kernel(dtau, LENGTHS.2),
            f64::from(u8::from(same_rung(tau, self.tau[j]))),
            seed,
            1.0,
            alike,
            alike * kernel(dtau, LENGTHS.4),
        ]
    }

    /// The covariance of the runs, as its Cholesky factor (lower triangle by rows), into `into`.
    fn factor(&self, of: &[Amplitudes], into: &mut Vec<f64>) {
        let parts: Vec<[f64; PARTS]> = of.iter().map(Amplitudes::parts).collect();
        into.clear();
        let mut at = 0;
        for i in 0..of.len() {
            let row = into.len();
            for j in 0..=i {
                let near = &self.near[at];
                at += 1;
                let mut sum: f64 = (0..PARTS).map(|k| parts[i][k] * parts[j][k] * near[k]).sum();
                if i == j {
                    sum += of[i].own();
                }
                let other = j * (j + 1) / 2;
                sum -= dot(&into[row..row + j], &into[other..other + j]);
                into.push(if i == j { sum.max(1e-300).sqrt() } else { sum / into[other + j] });
            }
        }
    }

    /// ln density of the runs' errors, up to a constant: Student's t, so that a scale that is wrong does not ruin a draw.
    pub fn log_density(
        &self,
        of: &[Amplitudes],
        errors: &[f64],
        factor: &mut Vec<f64>,
        solved: &mut Vec<f64>,
    ) -> f64 {
        self.factor(of, factor);
        forward(factor, errors, solved);
        let logs: f64 = (0..errors.len()).map(|i| factor[i * (i + 3) / 2].ln()).sum();
        let freedom = 8.0;
        let n = errors.len() as f64;
        -0.5 * (freedom + n) * (dot(solved, solved) / freedom).ln_1p() - logs
    }

    /// The spots of the runs.
    pub fn spots(&self) -> Vec<Spot> {
        let of = |i: usize| self.spot((self.x[i], self.tau[i]), Some(self.group[i]), &self.settings[i]);
        (0..self.x.len()).map(of).collect()
    }

    /// A realisation of the errors, given those of the runs, whose spots are `at`.
    pub fn realise(&self, of: &[Amplitudes], errors: &[f64], at: &[Spot], stream: &mut Stream) -> Realised {
        let mut normals = |n: usize| -> Vec<f64> { (0..n).map(|_| stream.normal()).collect() };
        let mut drawn = Realised {
            fall: normals(self.progress.count),
            rise: normals(self.rate.count * self.horizon.count),
            lack: normals(RUNGS),
            seeds: (0..self.groups.len()).map(|_| normals(self.seed.count)).collect(),
            level: normals(1)[0],
            settings: normals(self.settings.first().map_or(0, Vec::len)),
            changes: normals(self.settings.first().map_or(0, Vec::len) * self.change.count),
            pull: Vec::new(),
        };
        let own = normals(of.len());
        let left: Vec<f64> = (0..of.len())
            .map(|i| errors[i] - drawn.at(&of[i], &at[i]).iter().sum::<f64>() - of[i].own().sqrt() * own[i])
            .collect();
        let (mut factor, mut solved) = (Vec::new(), Vec::new());
        self.factor(of, &mut factor);
        forward(&factor, &left, &mut solved);
        backward(&factor, &mut solved);
        drawn.pull = solved.iter().zip(of).map(|(s, of)| of.parts().map(|a| s * a)).collect();
        drawn
    }

    /// A place at which to ask; with a seed, for that one's runs.
    pub fn spot_of(&self, x: f64, tau: f64, seed: Option<u64>, setting: &[f64]) -> Spot {
        self.spot((x, tau), seed.map(|seed| self.group(tau, seed)), setting)
    }

    fn spot(&self, (x, tau): (f64, f64), group: Option<usize>, setting: &[f64]) -> Spot {
        let (rate, horizon) = (self.rate.weights(x), self.horizon.weights(tau));
        let change = if setting.is_empty() { Vec::new() } else { self.change.weights(tau) };
        Spot {
            x,
            tau,
            fall: self.progress.weights(x + tau),
            rise: products(&rate, &horizon),
            change: products(setting, &change),
            lack: rung(tau),
            near: (0..self.x.len()).map(|j| self.kernels((x, tau), group, setting, j)).collect(),
            setting: setting.to_vec(),
            seed: group.map(|group| (group, self.seed.weights(x))),
        }
    }
}

fn products(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().flat_map(|a| b.iter().map(move |b| a * b)).collect()
}

impl Spot {
    /// Whether it is for a run with a seed.
    pub fn has_seed(&self) -> bool {
        self.seed.is_some()
    }
}

impl Realised {
    /// The error at a place with these amplitudes, by part.
    fn at(&self, of: &Amplitudes, spot: &Spot) -> [f64; PARTS] {
        let mut sums = [
            dot(&self.fall, &spot.fall),
            dot(&self.rise, &spot.rise),
            self.lack[spot.lack],
            0.0,
            self.level,
            dot(&self.settings, &spot.setting),
            dot(&self.changes, &spot.change),
        ];
        if let Some((group, weights)) = &spot.seed {
            sums[3] = COMMON.sqrt() * dot(&self.seeds[*group], weights);
        }
        for (pull, near) in self.pull.iter().zip(&spot.near) {
            sums.iter_mut().zip(pull.iter().zip(near)).for_each(|(sum, (pull, near))| *sum += pull * near);
        }
        let mut parts = of.parts();
        parts.iter_mut().zip(sums).for_each(|(part, sum)| *part *= sum);
        parts
    }

    /// The error at a place, of which neither F nor G is to become negative: that of G, and all others.
    pub fn of(&self, said: &Said, of: &Amplitudes, spot: &Spot) -> (f64, f64) {
        let [fall, rise, rest @ ..] = self.at(of, spot);
        let rest = fall.max(-MOST_TAKEN * said.fall) + rest.iter().sum::<f64>();
        (rise.max(-MOST_TAKEN * said.rise), rest)
    }
}

/// The noise of one run around its draw: with a seed, what that one shares is in the draw.
pub(super) fn own_noise(of: &Amplitudes, seeded: bool) -> f64 {
    let noise = if seeded { (1.0 - COMMON).sqrt() * of.noise } else { of.noise };
    noise.hypot(of.alone)
}

/// Solves L·x = b.
fn forward(factor: &[f64], b: &[f64], x: &mut Vec<f64>) {
    x.clear();
    for (i, b) in b.iter().enumerate() {
        let row = &factor[i * (i + 1) / 2..];
        let sum = b - dot(&row[..i], x);
        x.push(sum / row[i]);
    }
}

/// Solves Lᵀ·x = b in place.
fn backward(factor: &[f64], x: &mut [f64]) {
    for i in (0..x.len()).rev() {
        let row = &factor[i * (i + 1) / 2..];
        x[i] /= row[i];
        let value = x[i];
        x[..i].iter_mut().zip(row).for_each(|(x, l)| *x -= value * l);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::annealed::question::Seen;

    fn point(x: f64, tau: f64, seed: u64) -> Point {
        Point { place: 0, trial: 0, x, tau, horizon: 1, seed, seen: Seen::Loss(0.0) }
    }

    fn field() -> (Field, Vec<Amplitudes>) {
        let points = [point(-5.0, -3.0, 1), point(-4.0, -3.0, 1), point(-4.5, -1.0, 2), point(-6.0, 0.0, 3)];
        let one = Amplitudes {
            fall: 0.3,
            rise: 0.2,
            lack: 0.1,
            noise: 0.05,
            alone: 0.01,
            spread: 0.5,
            change: 0.2,
        };
        (
            Field::new(
                &points,
                vec![vec![1.0, 0.0], vec![1.0, 0.0], vec![0.0, 1.0], vec![0.0, 1.0]],
                -12.0,
                0.0,
            ),
            vec![one; 4],
        )
    }

    /// Without runs the realisations have the kernels' variance, wherever they are asked for.
    #[test]
    fn realisations_have_the_variance_of_the_kernels() {
        let field = Field::new(&[], Vec::new(), -12.0, 0.0);
        let of = Amplitudes { fall: 0.3, rise: 0.2, lack: 0.1, noise: 0.05, ..Amplitudes::default() };
        let spots: Vec<Spot> = [(-11.0, -5.5), (-6.3, -2.9), (-1.0, 0.0)]
            .map(|(x, tau)| field.spot_of(x, tau, Some(1), &[]))
            .into();
        let mut sums = [0.0; 3];
        for k in 0..4000 {
            let drawn = field.realise(&[], &[], &[], &mut Stream::for_trial(1, k));
            sums.iter_mut()
                .zip(&spots)
                .for_each(|(sum, spot)| *sum += drawn.at(&of, spot).iter().sum::<f64>().powi(2) / 4000.0);
        }
        let expected = 0.09 + 0.04 + 0.01 + COMMON * 0.0025 + LEVEL * LEVEL;
        assert!(sums.iter().all(|sum| (sum / expected - 1.0).abs() < 0.1), "{sums:?} {expected}");
    }

    /// Given runs without noise of their own, every realisation goes through them.
    #[test]
    fn realisations_go_through_what_was_seen() {
        let (field, mut of) = field();
        of.iter_mut().for_each(|a| (a.noise, a.alone) = (0.0, 1e-6));
        let errors = [0.2, 0.1, -0.3, 0.05];
        let spots = field.spots();
        let drawn = field.realise(&of, &errors, &spots, &mut Stream::for_trial(2, 0));
        for i in 0..4 {
            assert!((drawn.at(&of[i], &spots[i]).iter().sum::<f64>() - errors[i]).abs() < 1e-3);
        }
    }

    /// The density of two runs, worked out by hand.
    #[test]
    fn the_density_is_that_of_the_covariance() {
        let (_, of) = field();
        let points = [point(-5.0, 0.0, 1), point(-5.0, 0.0, 2)];
        let field = Field::new(&points, vec![vec![1.0, 0.0], vec![0.0, 1.0]], -12.0, 0.0);
        let errors = [0.1, -0.2];
        let found = field.log_density(&of[..2], &errors, &mut Vec::new(), &mut Vec::new());
        let shared = 0.09 + 0.04 + 0.01 + LEVEL * LEVEL;
        let own = shared + KEPT * KEPT * 0.25 + 0.04 + 0.0025 + 1e-4;
        let det: f64 = own * own - shared * shared;
        let quad = (own * (0.01 + 0.04) - 2.0 * shared * 0.1 * -0.2) / det;
        let expected = -5.0 * (quad / 8.0).ln_1p() - 0.5 * det.ln();
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
}
