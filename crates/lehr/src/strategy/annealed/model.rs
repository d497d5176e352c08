//! What the loss is believed to depend on: a posterior over a [`Law`] and its errors.
//!
//! Coordinates of the law are drawn by [`posterior`]; given them the runs' errors are Gaussian ([`Field`]), and a draw is one
//! realisation of both: a definite loss at every rate and horizon. Other parameters bring weights that move level and best
//! rate. Above a cliff that is learnt with the rest a run is wrecked: divergence says where the cliff is, and nothing else is
//! made up for it.

use std::cell::RefCell;

use lehr_search::Stream;

use super::field::{Amplitudes, Field, Realised, Spot, own_noise};
use super::law::{Anchor, COORDINATES, Law, PRIOR, SPREAD};
use super::posterior;
use super::question::{Point, Question, Seen};

/// Rungs that may share a level: one per octave below the target.
pub(super) const RUNGS: usize = 7;
/// Standard deviation of the best rate per unit of another parameter, in octaves.
const SHIFT_SPREAD: f64 = 0.8;
/// How far above the level a wrecked run ends, in units of the scale.
const WRECK: f64 = 3.0;
/// A run that came to its end is at least this likely not to be wrecked: it may end high up instead.
const SOUND: f64 = 0.02;
/// Runs that enter the posterior at most; of more those are left out that cost most against what they say.
const MOST_POINTS: usize = 50;
/// Points per octave at which the best rate of a draw is looked for.
const PER_OCTAVE: f64 = 4.0;

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

impl Features {
    pub fn new(level: &[f64], shift: &[f64], lean: f64) -> Self {
        Self { level: level.to_vec(), shift: shift.to_vec(), lean }
    }
}

/// One draw from the posterior.
pub(super) struct Draw {
    shifts: Vec<f64>,
    spread: f64,
    law: Law,
    errors: Realised,
    /// log₂ of the best rate at each rung that was asked for, by τ, before a place moves it.
    bests: RefCell<Vec<(f64, f64)>>,
}

/// The posterior.
pub(super) struct Model {
    /// Losses are (loss − `zero`)/`scale` within.
    pub zero: f64,
    pub scale: f64,
    pub draws: Vec<Draw>,
    field: Field,
    /// log₂ rates at which the best one is looked for, and their spots by τ.
    grid: Vec<f64>,
    spots: RefCell<Vec<(f64, std::rc::Rc<Vec<Spot>>)>>,
}

/// The rung of a horizon, by its log₂ over the target: the octave that it is nearest to.
pub(super) fn rung(tau: f64) -> usize {
    ((-tau).round().max(0.0) as usize).min(RUNGS - 1)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// By how many octaves weights move the best rate at a place.
fn shift(weights: &[f64], features: &Features) -> f64 {
    features.lean + SHIFT_SPREAD * dot(weights, &features.shift)
}

/// ln density of Student's t with 5 degrees of freedom, up to a constant.
fn log_t(z: f64, spread: f64) -> f64 {
    -3.0 * (z * z / 5.0).ln_1p() - spread.ln()
}

/// ln likelihood of what a run is seen to give.
pub(super) fn log_likelihood(seen: Seen, zero: f64, scale: f64, expected: &Expected) -> f64 {
    match seen {
        Seen::Diverged => expected.wrecked.max(1e-30).ln(),
        Seen::Open => 0.0,
        Seen::Loss(loss) => {
            let y = (loss - zero) / scale;
            (1.0 - expected.wrecked).max(SOUND).ln()
                + log_t((y - expected.loss) / expected.noise, expected.noise)
        }
    }
}

/// What the likelihood needs again and again.
#[derive(Default)]
struct Room {
    amplitudes: Vec<Amplitudes>,
    errors: Vec<f64>,
    factor: Vec<f64>,
    solved: Vec<f64>,
}

/// The runs as the posterior takes them.
struct Runs<'a> {
    /// Runs that came to their end, and those that diverged.
    done: Vec<Point>,
    lost: Vec<Point>,
    losses: Vec<f64>,
    features: &'a [Features],
    anchor: Anchor,
}

impl Runs<'_> {
    /// ln likelihood of coordinates; the runs' amplitudes and errors are left in the room.
    fn log_likelihood(&self, v: &[f64], field: &Field, room: &mut Room) -> f64 {
        let law = Law::new(v, self.anchor);
        let spread = v[SPREAD].exp();
        let moved = |p: &Point| p.x - shift(&v[COORDINATES..], &self.features[p.place]);
        room.amplitudes.clear();
        room.errors.clear();
        let mut sum = 0.0;
        for (p, loss) in self.done.iter().zip(&self.losses) {
            let said = law.at(moved(p), p.tau);
            room.amplitudes.push(Amplitudes::of(&said, spread));
            room.errors.push(loss - said.loss);
            sum += (1.0 - said.wrecked).max(SOUND).ln();
        }
        for p in &self.lost {
            sum += law.at(moved(p), p.tau).wrecked.max(1e-30).ln();
        }
        sum + field.log_density(&room.amplitudes, &room.errors, &mut room.factor, &mut room.solved)
    }

    /// The coordinates that some point depends on: not those of choices that were not tried.
    fn free(&self, shifts: usize) -> Vec<usize> {
        let others = self.features.first().is_some_and(|f| !f.level.is_empty());
        let mut free: Vec<usize> = (0..COORDINATES).filter(|&i| i != SPREAD || others).collect();
        let all = || self.done.iter().chain(&self.lost);
        let used = |i: &usize| all().any(|p| self.features[p.place].shift[*i] != 0.0);
        free.extend((0..shifts).filter(used).map(|i| COORDINATES + i));
        free
    }
}

impl Model {
    /// The posterior of the question's points; `None` where no run was complete.
    pub fn fit(question: &Question<'_>, features: &[Features], seed: u64) -> Option<Self> {
        let (zero, scale) = units(&question.points)?;
        let of = |p: &Point| match p.seen {
            Seen::Loss(loss) => Some((*p, (loss - zero) / scale)),
            _ => None,
        };
        let mut seen: Vec<(Point, f64)> = question.points.iter().filter_map(of).collect();
        let (best, level) = fullest(&seen)?;
        thin(&mut seen);
        let shifts = features.first().map_or(0, |f| f.shift.len());
        let runs = Runs {
            done: seen.iter().map(|s| s.0).collect(),
            losses: seen.iter().map(|s| s.1).collect(),
            lost: question.points.iter().filter(|p| p.seen == Seen::Diverged).copied().collect(),
            features,
            anchor: Anchor { x: best.x - features[best.place].lean, tau: best.tau, loss: level },
        };
        let settings = runs.done.iter().map(|p| features[p.place].level.clone()).collect();
        let field = Field::new(&runs.done, settings, question.low, question.high);
        let mut prior = PRIOR.to_vec();
        prior.resize(COORDINATES + shifts, (0.0, 1.0));
        let room = RefCell::new(Room::default());
        let likelihood = |v: &[f64]| runs.log_likelihood(v, &field, &mut room.borrow_mut());
        let mut stream = Stream::for_trial(seed, question.points.len() as u64);
        let drawn = posterior::draw(&prior, &runs.free(shifts), &likelihood, &mut stream);
        let draws = drawn
            .into_iter()
            .map(|v| {
                likelihood(&v);
                let room = room.borrow();
                Draw {
                    spread: v[SPREAD].exp(),
                    law: Law::new(&v, runs.anchor),
                    errors: field.realise(&room.amplitudes, &room.errors, &mut stream),
                    shifts: v[COORDINATES..].to_vec(),
                    bests: RefCell::default(),
                }
            })
            .collect();
        let count = ((question.high - question.low) * PER_OCTAVE).ceil().max(1.0);
        let step = (question.high - question.low) / count;
        let grid = (0..=count as usize).map(|i| question.low + step * i as f64).collect();
        Some(Self { zero, scale, draws, field, grid, spots: RefCell::default() })
    }

    /// A place to ask the draws for: with `seed` for that one's run, else for the mean over seeds.
    pub fn spot(&self, features: &Features, x: f64, tau: f64, seed: Option<u64>) -> Spot {
        self.field.spot_of(x, tau, seed, &features.level)
    }

    /// What a run is expected to give under a draw.
    pub fn expect(&self, draw: &Draw, features: &Features, spot: &Spot) -> Expected {
        let said = draw.law.at(spot.x - shift(&draw.shifts, features), spot.tau);
        let of = Amplitudes::of(&said, draw.spread);
        Expected {
            loss: said.loss + draw.errors.of(&said, &of, spot),
            noise: own_noise(&of, spot.has_seed()),
            wrecked: said.wrecked,
            level: said.level,
        }
    }

    /// The best rate at a place under a draw, as log₂, within the range.
    pub fn best(&self, draw: &Draw, features: &Features, tau: f64) -> f64 {
        let known = draw.bests.borrow().iter().find(|(t, _)| *t == tau).map(|(_, best)| *best);
        let best = known.unwrap_or_else(|| {
            let found = self.lowest(draw, tau);
            draw.bests.borrow_mut().push((tau, found));
            found
        });
        (best + shift(&draw.shifts, features)).clamp(self.grid[0], self.grid[self.grid.len() - 1])
    }

    /// Where the loss of a draw is lowest, from a parabola through the lowest point of the grid and its neighbours.
    fn lowest(&self, draw: &Draw, tau: f64) -> f64 {
        let known = self.spots.borrow().iter().find(|(t, _)| *t == tau).map(|(_, spots)| spots.clone());
        let spots = known.unwrap_or_else(|| {
            let made: Vec<Spot> = self.grid.iter().map(|&x| self.field.spot_of(x, tau, None, &[])).collect();
            let made = std::rc::Rc::new(made);
            self.spots.borrow_mut().push((tau, made.clone()));
            made
        });
        let losses: Vec<f64> = spots
            .iter()
            .map(|spot| {
                let said = draw.law.at(spot.x, tau);
                said.loss + draw.errors.of(&said, &Amplitudes::of(&said, 0.0), spot)
            })
            .collect();
        let i = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap_or(0);
        if i == 0 || i + 1 == losses.len() {
            return self.grid[i];
        }
        let (a, b, c) = (losses[i - 1], losses[i], losses[i + 1]);
        let bow = a - 2.0 * b + c;
        let aside = if bow > 0.0 { (0.5 * (a - c) / bow).clamp(-0.5, 0.5) } else { 0.0 };
        self.grid[i] + aside * (self.grid[i + 1] - self.grid[i])
    }

    /// The standard deviation between runs that differ in the seed alone, at the best rate of a horizon, in units of the
    /// scale.
    pub fn noise(&self, draw: &Draw, features: &Features, tau: f64) -> f64 {
        draw.law.at(self.best(draw, features, tau), tau).noise
    }

    /// What an octave below the best rate costs at the target, in units of the scale.
    pub fn bend(&self, draw: &Draw, features: &Features) -> f64 {
        let best = self.best(draw, features, 0.0);
        draw.law.at(best - 1.0, 0.0).loss - draw.law.at(best, 0.0).loss
    }

    /// A loss in the user's units.
    pub fn loss(&self, y: f64) -> f64 {
        self.zero + self.scale * y
    }
}

/// The best run of the rung with most runs (of equals the cheapest), and its loss within.
fn fullest(seen: &[(Point, f64)]) -> Option<(Point, f64)> {
    let of_rung = |k: usize| seen.iter().filter(move |s| rung(s.0.tau) == k);
    let most = (0..RUNGS).max_by_key(|&k| (of_rung(k).count(), k))?;
    of_rung(most).min_by(|a, b| a.1.total_cmp(&b.1)).copied()
}

/// Leaves out the runs that say least: far above the best one of their rung, and of short horizons.
fn thin(seen: &mut Vec<(Point, f64)>) {
    if seen.len() <= MOST_POINTS {
        return;
    }
    let lowest =
        |k: usize| seen.iter().filter(|s| rung(s.0.tau) == k).map(|s| s.1).fold(f64::INFINITY, f64::min);
    let lowest: Vec<f64> = (0..RUNGS).map(lowest).collect();
    let worth = |s: &(Point, f64)| (s.1 - lowest[rung(s.0.tau)]) - 0.05 * s.0.tau;
    seen.sort_by(|a, b| worth(a).total_cmp(&worth(b)));
    seen.truncate(MOST_POINTS);
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
