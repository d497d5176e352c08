//! What the loss is believed to depend on: a posterior over a few readable numbers.
//!
//! With x = log₂ rate, τ = log₂ of horizon over target, u = τ − anchor, and g the runs of one rung with one seed,
//!
//! ```text
//! loss     = level(τ) + z_g + bend(τ)·[ψ(x − best(τ) − δ_g) + noise]     ψ(d) = d² below the best rate, r(τ)·d² above it
//! best(τ)  = b + ∫ a from τ to the anchor     a = ā + w_j in octave j of the horizon
//! level(τ) = l + g·(2^{−βu} − 1)/(β ln 2)     bend(τ) = K·2^{−κu}         r(τ) = r·2^{−0.2τ}
//! ```
//!
//! The horizon exponent a has the theory's ½ for prior and may wander from octave to octave (w is an autoregression). What
//! the runs of one rung with one seed share, a level (z) and a shift of the best rate (δ), drops out of their comparison:
//! such runs are paired. z is not drawn with the rest: given the rest it is normal, and learnt run by run. Noise and what is
//! shared are of the order of the bend at every horizon. Other parameters bring weights that move level and best rate. Far
//! from the best rate the parabola is not believed to the letter: the error that it is allowed grows with the distance.
//! Above a cliff that is learnt with the rest a run is wrecked, and diverges or ends anywhere above the level: divergence
//! says where the cliff is, and nothing else is made up for it.

use lehr_search::Stream;

use super::posterior;
use super::question::{Point, Question, Seen};

/// Rungs that may share a level and a shift: one per octave below the target.
pub(super) const RUNGS: usize = 7;

// Places in the vector of coordinates.
const BEST: usize = 0;
const SLOPE: usize = 1;
const LEVEL: usize = 2;
const GAIN: usize = 3;
const POWER: usize = 4;
const BEND: usize = 5;
const BEND_POWER: usize = 6;
const SKEW: usize = 7;
const NOISE: usize = 8;
const COMMON: usize = 9;
const CLIFF: usize = 10;
const SPREAD: usize = 11;
const WANDER: usize = 12;
const GROUPS: usize = WANDER + RUNGS;

/// Mean and standard deviation of each shared coordinate before any data; losses in units of [`Model::scale`]. They are wide
/// enough for the tasks of `cargo xtask bench tuning`, whose spread they follow.
const PRIOR: [(f64, f64); WANDER] = [
    (0.0, 2.0),   // best: around the best run of the fullest rung
    (0.53, 0.1),  // mean exponent of the horizon
    (0.0, 1.5),   // level
    (-2.0, 1.5),  // ln of the gain per octave of horizon
    (0.8, 0.3),   // power of the gain
    (-2.7, 1.2),  // ln of the bend
    (0.75, 0.25), // its power
    (-0.4, 0.5),  // ln of the bend above over the bend below the best rate, at the target
    (-1.3, 1.0),  // ln of the noise between paired runs, over the bend
    (0.0, 0.7),   // ln of the noise that paired runs share, over the bend
    (1.6, 0.5),   // ln of the octaves from the best rate to the cliff
    (-3.0, 1.0),  // ln of the spread of levels between other parameters
];
/// Standard deviation of the exponent in one octave around its mean, and its correlation from octave to octave.
const WANDERS: (f64, f64) = (0.3, 0.4);
/// Standard deviation of a seed's best rate at one rung, in octaves.
const SEED_SHIFT: f64 = 0.35;
/// Standard deviation of a rung's level from the law, in bends.
const LAW_SPREAD: f64 = 2.0;
/// By how much the bend above the best rate grows against the one below per octave of shorter horizon, in octaves.
const SKEW_POWER: f64 = 0.2;
/// Standard deviation of the best rate per unit of another parameter, in octaves.
const SHIFT_SPREAD: f64 = 0.8;
/// The width of the cliff, in octaves.
const CLIFF_WIDTH: f64 = 0.35;
/// How far above the level a wrecked run ends, in units of the scale.
const WRECK: f64 = 3.0;

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
    /// Rung and seed of the runs that are paired; the first [`RUNGS`] stand for a seed that a rung has not had.
    groups: Vec<(usize, u64)>,
    anchor: f64,
    levels: usize,
}

impl Features {
    pub fn new(level: &[f64], shift: &[f64], lean: f64) -> Self {
        Self { level: level.to_vec(), shift: shift.to_vec(), lean }
    }
}

/// The rung of a horizon, by its log₂ over the target: the octave that it is nearest to.
pub(super) fn rung(tau: f64) -> usize {
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

/// By how many octaves the best rate at τ lies above the one at the target.
fn drift(v: &[f64], tau: f64) -> f64 {
    let (sd, kept) = WANDERS;
    let fresh = (1.0 - kept * kept).sqrt();
    let (mut wander, mut sum) = (sd * v[WANDER], 0.0);
    for j in 0..RUNGS {
        if j > 0 {
            wander = kept * wander + fresh * sd * v[WANDER + j];
        }
        let share = -tau - j as f64;
        if share <= 0.0 {
            break;
        }
        let octaves = if j + 1 < RUNGS { share.min(1.0) } else { share };
        sum += octaves * (v[SLOPE] + wander);
    }
    sum
}

/// What coordinates say of one horizon.
#[derive(Clone, Copy, Debug)]
struct Laid {
    best: f64,
    level: f64,
    bend: f64,
    skew: f64,
    noise: f64,
    common: f64,
    cliff: f64,
}

impl Laid {
    fn at(v: &[f64], anchor: f64, tau: f64) -> Self {
        let u = tau - anchor;
        let bend = (v[BEND] - v[BEND_POWER] * std::f64::consts::LN_2 * u).exp();
        Self {
            best: v[BEST] + drift(v, tau) - drift(v, anchor),
            level: v[LEVEL] + v[GAIN].exp() * gain(v[POWER], u),
            bend,
            skew: (v[SKEW] - SKEW_POWER * std::f64::consts::LN_2 * tau).exp(),
            noise: bend * v[NOISE].exp(),
            common: bend * v[COMMON].exp().hypot(LAW_SPREAD),
            // The cliff hardly moves with the horizon.
            cliff: v[BEST] + v[CLIFF].exp() - 0.15 * u,
        }
    }

    /// The loss for a place whose level and best rate are moved by `lift` and `shift`, in a group.
    fn expect(&self, v: &[f64], (lift, shift): (f64, f64), group: Option<(usize, f64)>, x: f64) -> Expected {
        let (raise, aside) = match group {
            Some((g, z)) => (self.common * z, SEED_SHIFT * v[GROUPS + 2 * g + 1]),
            None => (0.0, 0.0),
        };
        let level = self.level + lift + raise;
        let d = x - self.best - shift - aside;
        let rise = self.bend * if d > 0.0 { self.skew } else { 1.0 } * d * d;
        let doubt = (0.12 * d.abs() * d.abs().sqrt()).min(3.0) * rise;
        let far = (x - self.cliff - shift) / CLIFF_WIDTH;
        let wrecked = if far < -12.0 { 0.0 } else { 1.0 / (1.0 + (-1.7 * far).exp()) };
        Expected { loss: level + rise, noise: self.noise.hypot(doubt), wrecked, level }
    }
}

/// ln density of Student's t with 5 degrees of freedom, up to a constant.
fn log_t(z: f64, spread: f64) -> f64 {
    -3.0 * (z * z / 5.0).ln_1p() - spread.ln()
}

/// The level of a group, learnt run by run: it is normal as long as the rest is given.
#[derive(Clone, Copy, Debug, Default)]
struct Offset {
    /// Its standard deviation before any run; 0 for a group without one.
    unit: f64,
    mean: f64,
    var: f64,
}

impl Offset {
    /// ln likelihood of what was seen, given the runs before; and what it tells of the level. Runs far out tell little.
    fn learn(&mut self, seen: Seen, zero: f64, scale: f64, expected: &Expected) -> f64 {
        let Seen::Loss(loss) = seen else { return log_likelihood(seen, zero, scale, expected) };
        let error = (loss - zero) / scale - expected.loss - self.mean;
        let var = expected.noise * expected.noise + self.var;
        let z = error / var.sqrt();
        let plain = log_t(z, var.sqrt());
        let (sum, mut share) = mixed(plain, error + expected.loss - expected.level, expected.wrecked);
        share *= (6.0 / (5.0 + z * z)).min(1.0);
        let learnt = share * self.var / var;
        self.mean += learnt * error;
        self.var *= 1.0 - learnt;
        sum
    }
}

/// ln density of a loss that is `above` the level, of a run that may be wrecked; and the share of it that is not.
fn mixed(plain: f64, above: f64, wrecked: f64) -> (f64, f64) {
    if wrecked < 1e-4 && plain > -15.0 {
        return (plain, 1.0);
    }
    let above = above.max(0.0) / WRECK;
    let wreck = wrecked * above * (-above).exp() / WRECK;
    let sound = (1.0 - wrecked) * plain.exp();
    let sum = (sound + wreck).max(1e-300);
    (sum.ln(), sound / sum)
}

/// ln likelihood of what was seen.
pub(super) fn log_likelihood(seen: Seen, zero: f64, scale: f64, expected: &Expected) -> f64 {
    match seen {
        Seen::Diverged => expected.wrecked.max(1e-30).ln(),
        Seen::Open => 0.0,
        Seen::Loss(loss) => {
            let y = (loss - zero) / scale;
            let plain = log_t((y - expected.loss) / expected.noise, expected.noise);
            mixed(plain, y - expected.level, expected.wrecked).0
        }
    }
}

impl Model {
    /// The posterior of the question's points; `None` where no run was complete.
    pub fn fit(question: &Question<'_>, features: &[Features], seed: u64) -> Option<Self> {
        let (zero, scale) = units(&question.points)?;
        let points: Vec<Point> = question.points.iter().filter(|p| p.seen != Seen::Open).copied().collect();
        let levels = features.first().map_or(0, |f| f.level.len());
        let shifts = features.first().map_or(0, |f| f.shift.len());
        let mut groups: Vec<(usize, u64)> = (0..RUNGS).map(|k| (k, 0)).collect();
        for p in &points {
            let own = (rung(p.tau), p.seed);
            if !groups[RUNGS..].contains(&own) {
                groups.push(own);
            }
        }
        let mut model = Self { zero, scale, draws: Vec::new(), groups, anchor: anchor(&points), levels };
        let prior = model.prior(&points, levels + shifts);
        let free = model.free(&points, features, shifts);
        let mut taus: Vec<f64> = points.iter().map(|p| p.tau).collect();
        taus.sort_by(f64::total_cmp);
        taus.dedup();
        let of_points: Vec<(Point, usize, usize)> = points
            .iter()
            .map(|p| (*p, taus.iter().position(|t| *t == p.tau).unwrap_or(0), model.group(p.tau, p.seed)))
            .collect();
        let mut used: Vec<usize> = points.iter().map(|p| p.place).collect();
        used.sort_unstable();
        used.dedup();
        let moves = std::cell::RefCell::new(vec![(0.0, 0.0); features.len()]);
        let offsets = std::cell::RefCell::new(vec![Offset::default(); model.groups.len()]);
        let likelihood = |v: &[f64]| -> f64 {
            let laid: Vec<Laid> = taus.iter().map(|tau| Laid::at(v, model.anchor, *tau)).collect();
            let (mut moves, mut offsets) = (moves.borrow_mut(), offsets.borrow_mut());
            used.iter().for_each(|&place| moves[place] = model.moves(v, &features[place]));
            offsets.iter_mut().for_each(|offset| offset.unit = 0.0);
            let mut sum = 0.0;
            for (p, at, group) in &of_points {
                let expected = laid[*at].expect(v, moves[p.place], Some((*group, 0.0)), p.x);
                let offset = &mut offsets[*group];
                if offset.unit == 0.0 {
                    *offset = Offset { unit: laid[*at].common, mean: 0.0, var: laid[*at].common.powi(2) };
                }
                sum += offset.learn(p.seen, zero, scale, &expected);
            }
            sum
        };
        let mut stream = Stream::for_trial(seed, question.points.len() as u64);
        let mut draws = posterior::draw(&prior, &free, &likelihood, &mut stream);
        for v in &mut draws {
            likelihood(v);
            for (g, offset) in offsets.borrow().iter().enumerate().filter(|(_, offset)| offset.unit > 0.0) {
                v[GROUPS + 2 * g] = (offset.mean + offset.var.sqrt() * stream.normal()) / offset.unit;
            }
        }
        model.draws = draws.into_iter().map(Draw).collect();
        Some(model)
    }

    /// The prior, moved to where the fullest rung has its best run.
    fn prior(&self, points: &[Point], weights: usize) -> Vec<(f64, f64)> {
        let mut prior = PRIOR.to_vec();
        prior.resize(self.weights() + weights, (0.0, 1.0));
        if let Some((point, y)) = self.fullest(points) {
            let u = point.tau - self.anchor;
            prior[BEST].0 = point.x + PRIOR[SLOPE].0 * u;
            prior[LEVEL].0 = y - PRIOR[GAIN].0.exp() * gain(PRIOR[POWER].0, u);
        }
        prior
    }

    /// The coordinates that some point depends on: not those of groups without a run and of choices that were not tried.
    fn free(&self, points: &[Point], features: &[Features], shifts: usize) -> Vec<usize> {
        let octaves = points.iter().map(|p| -p.tau).fold(-self.anchor, f64::max).ceil().max(0.0) as usize;
        let mut free: Vec<usize> = (0..WANDER).filter(|&i| i != SPREAD || self.levels > 0).collect();
        free.extend(WANDER..WANDER + octaves.min(RUNGS));
        // Levels of groups are not walked on: given the rest they have a normal distribution ([`Offset`]).
        free.extend((RUNGS..self.groups.len()).map(|g| GROUPS + 2 * g + 1));
        let weights = self.weights();
        let used = |of: &dyn Fn(&Features) -> f64| points.iter().any(|p| of(&features[p.place]) != 0.0);
        free.extend((0..self.levels).filter(|&i| used(&|f| f.level[i])).map(|i| weights + i));
        free.extend((0..shifts).filter(|&i| used(&|f| f.shift[i])).map(|i| weights + self.levels + i));
        free
    }

    /// Where the weights of places begin.
    fn weights(&self) -> usize {
        GROUPS + 2 * self.groups.len()
    }

    /// The group of runs at a horizon with a seed.
    fn group(&self, tau: f64, seed: u64) -> usize {
        let own = (rung(tau), seed);
        self.groups[RUNGS..].iter().position(|g| *g == own).map_or(own.0, |at| RUNGS + at)
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

    /// By how much a place moves level and best rate.
    fn moves(&self, v: &[f64], features: &Features) -> (f64, f64) {
        let (levels, shifts) = v[self.weights()..].split_at(self.levels);
        let lift =
            if features.level.is_empty() { 0.0 } else { v[SPREAD].exp() * dot(levels, &features.level) };
        (lift, features.lean + SHIFT_SPREAD * dot(shifts, &features.shift))
    }

    /// What a run at a place is expected to give under a draw: with `seed` that one's run, else the mean over seeds.
    pub fn expect(&self, draw: &Draw, features: &Features, x: f64, tau: f64, seed: Option<u64>) -> Expected {
        let group = seed.map(|seed| self.group(tau, seed)).map(|g| (g, draw.0[GROUPS + 2 * g]));
        Laid::at(&draw.0, self.anchor, tau).expect(&draw.0, self.moves(&draw.0, features), group, x)
    }

    /// The best rate at a place under a draw, as log₂.
    pub fn best(&self, draw: &Draw, features: &Features, tau: f64) -> f64 {
        let v = &draw.0;
        v[BEST] + drift(v, tau) - drift(v, self.anchor) + self.moves(v, features).1
    }

    /// The standard deviation between runs that differ in the seed alone, in units of the scale.
    pub fn noise(&self, draw: &Draw, tau: f64) -> f64 {
        let v = &draw.0;
        let bend = (v[BEND] - v[BEND_POWER] * std::f64::consts::LN_2 * (tau - self.anchor)).exp();
        bend * v[COMMON].exp().hypot(v[NOISE].exp())
    }

    /// What an octave below the best rate costs at the target, in units of the scale.
    pub fn bend(&self, draw: &Draw) -> f64 {
        let v = &draw.0;
        (v[BEND] + v[BEND_POWER] * std::f64::consts::LN_2 * self.anchor).exp()
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
