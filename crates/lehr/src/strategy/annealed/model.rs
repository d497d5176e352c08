//! What the loss is believed to depend on: a posterior over a [`Law`] and its errors.
//!
//! Coordinates of the law are drawn by [`posterior`]; given them the runs' errors are Gaussian ([`Field`]), and a draw is one
//! realisation of both: a definite loss at every rate and horizon. Other parameters bring weights that move level and best
//! rate. Above a cliff that is learnt with the rest a run is wrecked: divergence says where the cliff is, and nothing else is
//! made up for it.

use std::cell::RefCell;
use std::sync::Arc;

use lehr_search::Stream;

use super::NO_VARIATION;
use super::field::{Amplitudes, Field, Realised, Spot, dot, own_noise};
use super::law::{
    Anchor, COORDINATES, DECAY, Law, OVER_FROM, PRIOR, Place, SPREAD, Said, doubting, louder_rise, over_from,
};
use super::lean::Lean;
use super::posterior::{self, Drawn, Odd, Prior};
use super::question::{Point, Question, Seen};

/// Rungs that may share a level: one per octave below the target.
pub(super) const RUNGS: usize = 7;
/// How far above the level a wrecked run ends, in units of the scale.
const WRECK: f64 = 3.0;
/// A run that came to its end is at least this likely not to be wrecked: it may end high up instead.
const SOUND: f64 = 0.02;
/// Runs that enter the posterior at most; of more those are left out that cost most against what they say.
const MOST_POINTS: usize = 64;
// Which of them got stuck are bits of one number.
const _: () = assert!(MOST_POINTS <= u64::BITS as usize);
/// Probability that a run got stuck.
const STUCK: f64 = 0.02;
/// Points per octave at which the best rate of a draw is looked for.
const PER_OCTAVE: f64 = 4.0;
/// Rates further from all runs than so many octaves are not looked at: the first look has found worse ones before those.
const FAR: f64 = 20.0;

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
        self.mean_with(self.wreck())
    }

    /// The same with another loss for a wreck.
    pub fn mean_with(&self, wreck: f64) -> f64 {
        (1.0 - self.wrecked) * self.loss + self.wrecked * wreck
    }

    /// The loss that a wreck stands for.
    pub fn wreck(&self) -> f64 {
        self.level + WRECK
    }
}

/// What a place is, as the model takes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Features {
    /// What the level depends on.
    pub level: Vec<f64>,
    /// What the best rate depends on: a unit weight of each moves it by so many octaves.
    pub shift: Vec<f64>,
    /// What the noise G depends on: a unit weight of each doubles it so many times.
    pub louder: Vec<f64>,
    /// What the cost of over-fitting depends on: a unit weight of each doubles it so many times.
    pub over: Vec<f64>,
    /// log₂ of its weight decay times half of the updates to the target, if it has one.
    pub decay: Option<f64>,
    /// Runs of one seed see the same examples if this is the same, too.
    pub order: u64,
    /// What the theory says of its schedule.
    pub lean: Lean,
}

impl Features {
    /// What a place is beside another one: there all weights count for nothing, so that the law is the other one's own.
    pub fn less(&self, other: &Self) -> Self {
        let less = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        Self {
            level: less(&self.level, &other.level),
            shift: less(&self.shift, &other.shift),
            louder: less(&self.louder, &other.louder),
            over: less(&self.over, &other.over),
            decay: self.decay,
            order: self.order,
            lean: self.lean,
        }
    }

    /// What there are weights for.
    fn weighed(&self) -> impl Iterator<Item = f64> {
        self.shift.iter().chain(&self.louder).chain(&self.over).copied()
    }

    /// What weights make of a place.
    fn place(&self, weights: &[f64]) -> Place {
        let (shift, rest) = weights.split_at(self.shift.len());
        let (louder, over) = rest.split_at(self.louder.len());
        Place {
            over: dot(over, &self.over),
            shift: dot(shift, &self.shift),
            louder: self.lean.louder + dot(louder, &self.louder),
            quiet: self.lean.quiet,
            decay: self.decay.unwrap_or(f64::NEG_INFINITY),
        }
    }
}

/// One draw from the posterior.
pub(super) struct Draw {
    weights: Vec<f64>,
    spread: f64,
    law: Law,
    errors: Realised,
    /// By τ, for each horizon that was asked for.
    courses: RefCell<Vec<(f64, Course)>>,
}

/// A draw's loss over the grid of rates at one horizon, before a place moves it: G with its error as a share of it, O, and all
/// else.
struct Course {
    rise: Vec<(f64, f64)>,
    over: Vec<f64>,
    rest: Vec<f64>,
}

impl Course {
    /// Where on the grid the loss is lowest with G and O doubled so many times, from a parabola through the lowest point and its
    /// neighbours, in steps of the grid.
    fn lowest(&self, louder: f64, over: f64) -> f64 {
        let (louder, over) = (louder.exp2(), over.exp2());
        let at = |i: usize| {
            self.rest[i] + over * self.over[i] + louder_rise(self.rise[i].0, louder) * self.rise[i].1
        };
        let mut low = (0, f64::INFINITY);
        for i in 0..self.rest.len() {
            let loss = at(i);
            if loss < low.1 {
                low = (i, loss);
            }
        }
        let i = low.0;
        if i == 0 || i + 1 == self.rest.len() {
            return i as f64;
        }
        let (a, b, c) = (at(i - 1), low.1, at(i + 1));
        let bow = a - 2.0 * b + c;
        i as f64 + if bow > 0.0 { (0.5 * (a - c) / bow).clamp(-0.5, 0.5) } else { 0.0 }
    }
}

/// The posterior.
pub(super) struct Model {
    /// Losses are (loss − `zero`)/`scale` within.
    pub zero: f64,
    pub scale: f64,
    /// ln of how well the law, before any data, foretells these runs, up to a constant that is the same with doubts.
    pub evidence: f64,
    pub draws: Vec<Draw>,
    /// log₂ of the highest rate of a run that came to its end, less what the theory says of its place.
    pub most: f64,
    field: Field,
    /// log₂ of the lowest and the highest rate.
    range: (f64, f64),
    /// Less lean rates at which the best one is looked for, and their spots by τ.
    grid: Vec<f64>,
    spots: RefCell<Vec<(f64, Arc<Vec<Spot>>)>>,
}

/// The rung of a horizon, by its log₂ over the target: the octave that it is nearest to.
pub(super) fn rung(tau: f64) -> usize {
    ((-tau).round().max(0.0) as usize).min(RUNGS - 1)
}

/// What the likelihood needs again and again.
#[derive(Default)]
struct Room {
    amplitudes: Vec<Amplitudes>,
    errors: Vec<f64>,
    factor: Vec<f64>,
    solved: Vec<f64>,
}

/// The runs as the posterior takes them; a rate is less what the theory says of its place.
struct Runs<'a> {
    /// Runs that came to their end, and those that diverged.
    done: Vec<Point>,
    lost: Vec<Point>,
    losses: Vec<f64>,
    features: &'a [Features],
    anchor: Anchor,
    /// How many weights come after the coordinates, and whether doubts come after those.
    weights: usize,
    doubts: bool,
}

impl Runs<'_> {
    /// ln likelihood of coordinates, and of which runs got stuck; the runs' amplitudes and errors are left in the room.
    fn log_likelihood(&self, v: &[f64], stuck: u64, field: &Field, room: &mut Room) -> f64 {
        let law = Law::new(v, self.anchor, self.doubts);
        let spread = v[SPREAD].exp();
        let weights = &v[COORDINATES..COORDINATES + self.weights];
        let said = |p: &Point| law.at(p.x, p.tau, self.features[p.place].place(weights));
        room.amplitudes.clear();
        room.errors.clear();
        let mut sum = 0.0;
        for (i, (p, loss)) in self.done.iter().zip(&self.losses).enumerate() {
            let said = said(p);
            let (of, by) = match Amplitudes::of(&said, spread) {
                of if stuck >> i & 1 == 1 => of.stuck(),
                of => (of, 0.0),
            };
            room.amplitudes.push(of);
            room.errors.push(loss - said.loss - by);
            sum += (1.0 - said.wrecked).max(SOUND).ln();
        }
        for p in &self.lost {
            sum += said(p).wrecked.max(1e-30).ln();
        }
        sum + field.log_density(&room.amplitudes, &room.errors, &mut room.factor, &mut room.solved)
    }

    /// The coordinates that some point depends on: not those of choices that were not tried.
    fn free(&self, prior: &Prior) -> Vec<usize> {
        let others = self.features.first().is_some_and(|f| !f.level.is_empty());
        let all = || self.done.iter().chain(&self.lost).map(|p| &self.features[p.place]);
        let decays = all().any(|f| f.decay.is_some());
        let used = |i: &usize| (*i != SPREAD || others) && (*i != DECAY || decays);
        let mut free: Vec<usize> = (0..COORDINATES).filter(used).collect();
        let used = |i: &usize| all().any(|f| f.weighed().nth(*i) != Some(0.0));
        free.extend((0..self.weights).filter(used).map(|i| COORDINATES + i));
        free.extend(COORDINATES + self.weights..prior.len());
        free
    }
}

impl Model {
    /// The posterior of the question's points; `None` where no run was complete. With `doubts` the law has parts that the search does
    /// without, and any run may have got stuck.
    pub fn fit(question: &Question<'_>, features: &[Features], seed: u64, doubts: bool) -> Option<Self> {
        let less = |p: &Point| {
            let features = &features[p.place];
            Point { x: p.x - features.lean.shift, seed: p.seed ^ features.order, ..*p }
        };
        let complete: Vec<(Point, f64)> = question
            .points
            .iter()
            .filter_map(|p| match p.seen {
                Seen::Loss(loss) => Some((less(p), loss)),
                _ => None,
            })
            .collect();
        let Measure { zero, scale, anchor } = Measure::of(&complete)?;
        let mut seen: Vec<(Point, f64)> =
            complete.into_iter().map(|(p, loss)| (p, (loss - zero) / scale)).collect();
        thin(&mut seen);
        let weights = features.first().map_or(0, |f| f.weighed().count());
        let runs = Runs {
            done: seen.iter().map(|s| s.0).collect(),
            losses: seen.iter().map(|s| s.1).collect(),
            lost: question.points.iter().filter(|p| p.seen == Seen::Diverged).map(less).collect(),
            features,
            anchor,
            weights,
            doubts,
        };
        let leans = || features.iter().map(|f| f.lean.shift);
        let low = question.low - leans().fold(f64::NEG_INFINITY, f64::max);
        let high = question.high - leans().fold(f64::INFINITY, f64::min);
        let (low, high) = in_reach(low, high, &runs.done);
        let settings = runs.done.iter().map(|p| features[p.place].level.clone()).collect();
        let field = Field::new(&runs.done, settings, low, high);
        let mut prior = PRIOR.to_vec();
        let target = &question.goal.target;
        prior[OVER_FROM] = over_from(target.steps_per_epoch.map(|epoch| target.steps as f64 / epoch));
        prior.resize(COORDINATES + weights, (0.0, 1.0));
        if doubts {
            doubting(&mut prior);
        }
        let room = RefCell::new(Room::default());
        let likelihood =
            |v: &[f64], stuck: u64| runs.log_likelihood(v, stuck, &field, &mut room.borrow_mut());
        let odd = Odd { count: if doubts { runs.done.len() } else { 0 }, probability: STUCK };
        let mut stream = Stream::for_trial(seed, question.points.len() as u64);
        let found = posterior::draw(&prior, &runs.free(&prior), odd, &likelihood, &mut stream);
        let spots = field.spots();
        let draws = found
            .draws
            .into_iter()
            .map(|Drawn { v, odd }| {
                likelihood(&v, odd);
                let room = room.borrow();
                Draw {
                    spread: v[SPREAD].exp(),
                    law: Law::new(&v, runs.anchor, doubts),
                    errors: field.realise(&room.amplitudes, &room.errors, &spots, &mut stream),
                    weights: v[COORDINATES..COORDINATES + weights].to_vec(),
                    courses: RefCell::default(),
                }
            })
            .collect();
        let count = ((high - low) * PER_OCTAVE).ceil().max(1.0);
        let step = (high - low) / count;
        let grid = (0..=count as usize).map(|i| low + step * i as f64).collect();
        let range = (question.low, question.high);
        let most = runs.done.iter().map(|p| p.x).fold(f64::NEG_INFINITY, f64::max);
        let evidence = found.evidence;
        Some(Self { zero, scale, evidence, draws, most, field, range, grid, spots: RefCell::default() })
    }

    /// A place to ask the draws for: with `seed` for that one's run, else for the mean over seeds.
    pub fn spot(&self, features: &Features, x: f64, tau: f64, seed: Option<u64>) -> Spot {
        let seed = seed.map(|seed| seed ^ features.order);
        self.field.spot_of(x - features.lean.shift, tau, seed, &features.level)
    }

    /// What a run is expected to give under a draw.
    pub fn expect(&self, draw: &Draw, features: &Features, spot: &Spot) -> Expected {
        let said = draw.law.at(spot.x, spot.tau, features.place(&draw.weights));
        let of = Amplitudes::of(&said, draw.spread);
        let (rise, rest) = draw.errors.of(&said, &of, spot);
        Expected {
            loss: said.loss + rise + rest,
            noise: own_noise(&of, spot.has_seed()),
            wrecked: said.wrecked,
            level: said.level,
        }
    }

    /// The best rate at a place under a draw, as log₂, within the range.
    pub fn best(&self, draw: &Draw, features: &Features, tau: f64) -> f64 {
        let place = features.place(&draw.weights);
        let louder = draw.law.louder(tau, place);
        let found = |courses: &[(f64, Course)]| {
            courses
                .iter()
                .find(|(t, _)| *t == tau)
                .map(|(_, course)| course.lowest(louder, draw.law.over(place)))
        };
        let known = found(&draw.courses.borrow());
        let at = known.unwrap_or_else(|| {
            let course = self.course(draw, tau);
            let at = course.lowest(louder, draw.law.over(place));
            draw.courses.borrow_mut().push((tau, course));
            at
        });
        let step = self.grid[1] - self.grid[0];
        (self.grid[0] + at * step + place.shift + features.lean.shift).clamp(self.range.0, self.range.1)
    }

    /// The loss of a draw over the grid.
    fn course(&self, draw: &Draw, tau: f64) -> Course {
        let known = self.spots.borrow().iter().find(|(t, _)| *t == tau).map(|(_, spots)| Arc::clone(spots));
        let spots = known.unwrap_or_else(|| {
            let made = self.grid.iter().map(|&x| self.field.spot_of(x, tau, None, &[])).collect();
            let made = Arc::new(made);
            self.spots.borrow_mut().push((tau, Arc::clone(&made)));
            made
        });
        let mut course = Course { rise: Vec::new(), over: Vec::new(), rest: Vec::new() };
        for spot in spots.iter() {
            let said = draw.law.at(spot.x, tau, Place::USUAL);
            let (off, others) = draw.errors.of(&said, &Amplitudes::of(&said, 0.0), spot);
            course.rise.push((said.rise, 1.0 + off / said.rise.max(1e-300)));
            course.over.push(said.over);
            course.rest.push(said.loss - said.rise - said.over + others);
        }
        course
    }

    /// The standard deviation between runs that differ in the seed alone, at the best rate of a horizon, in units of the
    /// scale.
    pub fn noise(&self, draw: &Draw, features: &Features, tau: f64) -> f64 {
        self.said(draw, features, self.best(draw, features, tau), tau).noise
    }

    /// What an octave below the best rate costs at the target, in units of the scale.
    pub fn bend(&self, draw: &Draw, features: &Features) -> f64 {
        let best = self.best(draw, features, 0.0);
        self.said(draw, features, best - 1.0, 0.0).loss - self.said(draw, features, best, 0.0).loss
    }

    /// Rates at which the best one of a draw is looked for.
    #[cfg(test)]
    pub fn points_looked_at(&self) -> usize {
        self.grid.len()
    }

    fn said(&self, draw: &Draw, features: &Features, x: f64, tau: f64) -> Said {
        draw.law.at(x - features.lean.shift, tau, features.place(&draw.weights))
    }

    /// A loss in the user's units.
    pub fn loss(&self, y: f64) -> f64 {
        self.zero + self.scale * y
    }
}

/// The rung whose runs are widest apart in the rate, of those with three or more, if there are such; of equals the one with most runs,
/// then the cheapest. Runs that are close together say nothing of how large a loss is, and neither may two on either side of the best
/// rate: their differences may be noise.
fn widest_rung(runs: &[(Point, f64)]) -> usize {
    let wide = |k: usize| {
        let of_rung = || runs.iter().map(|r| &r.0).filter(|p| rung(p.tau) == k).map(|p| p.x);
        let span = of_rung().fold(f64::NEG_INFINITY, f64::max) - of_rung().fold(f64::INFINITY, f64::min);
        (of_rung().count(), span, k)
    };
    let better = |a: &(usize, f64, usize), b: &(usize, f64, usize)| {
        let both_sides = (a.0 > 2).cmp(&(b.0 > 2));
        both_sides.then(a.1.total_cmp(&b.1)).then((a.0, a.2).cmp(&(b.0, b.2)))
    };
    (0..RUNGS).map(wide).max_by(better).map_or(0, |widest| widest.2)
}

/// The part of a range of rates that is not far from all runs.
fn in_reach(low: f64, high: f64, runs: &[Point]) -> (f64, f64) {
    let rates = || runs.iter().map(|p| p.x);
    let (least, most) = (rates().fold(f64::INFINITY, f64::min), rates().fold(f64::NEG_INFINITY, f64::max));
    (low.max((least - FAR).min(high - FAR)), high.min((most + FAR).max(low + FAR)))
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

/// What losses are measured by.
struct Measure {
    /// The lowest loss.
    zero: f64,
    /// By how much too low a rate was seen to cost more at the rung whose runs are widest apart (where none was too low, by how much
    /// too high a one did).
    scale: f64,
    /// The best run of that rung.
    anchor: Anchor,
}

impl Measure {
    /// Of complete runs and their losses; `None` if there is none.
    fn of(complete: &[(Point, f64)]) -> Option<Self> {
        let zero = complete.iter().map(|c| c.1).min_by(f64::total_cmp)?;
        let own = widest_rung(complete);
        let of_rung = || complete.iter().filter(|c| rung(c.0.tau) == own);
        let best = of_rung().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let gap = |c: &(Point, f64)| c.1 - best.1;
        let below = of_rung().filter(|c| c.0.x < best.0.x).map(gap).fold(0.0, f64::max);
        let above = of_rung().filter(|c| c.0.x > best.0.x).map(gap);
        let above = above.filter(|gap| *gap > 0.0).fold(f64::INFINITY, f64::min);
        let scale = match () {
            () if below > 0.0 => below,
            () if above.is_finite() => above,
            () => 0.0,
        };
        // Where that rung shows nothing, runs may still differ between rungs; without any variation the unit is a rounding error.
        let worst = complete.iter().map(|c| c.1).fold(f64::NEG_INFINITY, f64::max);
        let scale = if scale > NO_VARIATION * zero.abs() { scale } else { worst - zero };
        let scale = scale.max(1e-9 * zero.abs()).max(1e-300);
        Some(Self {
            zero,
            scale,
            anchor: Anchor { x: best.0.x, tau: best.0.tau, loss: (best.1 - zero) / scale },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many runs to the target close together, which differ by noise alone, do not become the unit of everything.
    #[test]
    fn the_unit_is_what_a_low_rate_costs_and_not_noise() {
        let run = |x: f64, tau: f64, loss: f64| {
            let seen = Seen::Loss(loss);
            (Point { place: 0, trial: 0, x, tau, horizon: 1, seed: 0, seen }, loss)
        };
        let mut runs = vec![run(-9.0, -4.0, 0.50), run(-6.0, -4.0, 0.40), run(-3.0, -4.0, 0.45)];
        runs.extend((0..9).map(|k| run(-7.0 + 0.1 * f64::from(k), 0.0, 0.32 + 1e-4 * f64::from(k % 3))));
        let Measure { zero, scale, anchor } = Measure::of(&runs).unwrap();
        assert!((zero - 0.32).abs() < 1e-12 && (scale - 0.1).abs() < 1e-12, "{zero} {scale}");
        assert_eq!((anchor.x, anchor.tau), (-6.0, -4.0));
        // Of rungs as wide as each other that with more runs, then the cheapest.
        let rung_of = |runs: &[(f64, f64)]| {
            widest_rung(&runs.iter().map(|&(tau, x)| run(x, tau, 1.0)).collect::<Vec<_>>())
        };
        assert_eq!(rung_of(&[(0.0, 1.0), (0.0, 2.0), (-3.0, 1.0), (-3.0, 2.0), (-3.0, 1.5), (-2.0, 0.0)]), 3);
        assert_eq!(rung_of(&[(0.0, 1.0), (-4.0, 1.0)]), 4);
        // Two runs on either side of the best rate end alike, however wide apart: the unit is not their difference.
        assert_eq!(rung_of(&[(-3.0, 1.0), (-3.0, 2.5), (-3.0, 4.0), (-1.0, 0.5), (-1.0, 4.0)]), 3);
    }
}
