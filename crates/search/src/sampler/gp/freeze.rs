//! Freeze-thaw: many trials open at once, advanced one report at a time.
use super::list::List;
use super::model::{Kernel, Model, Points, log_gain};
use super::thin;
use super::values::standardise;
use super::view::View;
use crate::error::SearchError;
use crate::history::{History, Key, Report, State};
use crate::sampler::{Sampler, Sobol, check_match};
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Start a trial with these parameters and run it to its first report.
    Start(Params),
    /// Take up this pending trial and run it to its next report.
    Advance(usize),
}

/// Freeze-thaw: decides after every report which trial to advance by one more, or whether to start a new one.
///
/// It extrapolates learning curves: a Gaussian process over parameters and ln(1 + step) predicts where each open curve, and
/// each curve that is not begun, would stand 1, 2, 4, … steps further on and at its end. Advanced is the curve with the
/// largest expected improvement over the best value that was really reached, noise included, per step that is to be paid for
/// it, all reports on the way counted (each horizon stands for the steps since the one before):
///
/// max over h of (1/h)·Σ of EI(x, step + j) over j = 1 … h.
///
/// The horizons are several because curves turn: of a run that overfits, the end says little about its best epoch.
/// The process sees y = ln((loss − best)/(median − best) + 0.2), standardised: it has to tell good curves from very good ones,
/// and most losses are far off; but the one best value must not look like an outlier, or only what is unsure could pass it.
/// New trials are started with at most every fifth report (beyond the first trials): where the
/// process is unsure of everything but what it has seen, it would begin one curve after the other.
///
/// For objectives whose reports are comparable from trial to trial ([`Key::COMPARABLE`]): a constant rate, or epochs that
/// are declared comparable. Other reports are not looked at; if there are only such, open trials are run to their end one
/// after the other. With schedules that anneal, use budgets that are horizons instead.
///
/// A trial stays pending while it is paused. It is finished by the caller: complete at the last step, pruned when the study
/// ends. Diverged trials count as the worst, failed ones are ignored; a pending trial whose last report is NaN or infinite in
/// the bad direction is never advanced.
///
/// Cost: as [`super::GaussianProcess`] with 160 reports, whatever the number of trials.
/// Source: Swersky, Snoek and Adams, "Freeze-thaw Bayesian optimization", 2014; a kernel over parameters and step, and
/// improvement a short way ahead, as in Wistuba et al. (DyHPO), NeurIPS 2022; several horizons as in Rakotoarison et al. (ifBO),
/// ICML 2024, which draws one at random.
#[derive(Debug, Clone)]
pub struct FreezeThaw {
    last_step: u64,
    startup: usize,
    list: Option<List>,
}

/// Reports that the model holds at most.
const MOST_REPORTS: usize = 160;
/// Reports that the parameters of the kernel are fitted to, at most: they are fitted anew at each decision.
const MOST_FITTED: usize = 64;
/// Steps of the fit from each of its starts.
const FIT_STEPS: usize = 12;
/// New points that are judged beside the open trials.
const FRESH: usize = 96;
/// Reports for each new trial, on average at least.
const REPORTS_PER_TRIAL: usize = 5;
/// Added to losses, in units of the gap between the best and the median, before their logarithm is taken.
const FLOOR: f64 = 0.2;

impl FreezeThaw {
    /// Trials that run to `last_step` (at least 1).
    pub fn new(last_step: u64) -> Result<Self, SearchError> {
        if last_step < 1 {
            return Err(SearchError::setting("freeze-thaw", "a trial needs at least one step"));
        }
        Ok(FreezeThaw { last_step, startup: 16, list: None })
    }

    /// How many trials are started before curves are compared (default 16).
    pub fn startup(mut self, trials: usize) -> Self {
        self.startup = trials.max(2);
        self
    }

    /// Starts none but these configurations, each at most once; equal ones count as one.
    ///
    /// For a table, a fixed list or what is left of another search: the list is what the improvement is maximised over, so
    /// nothing is lost on the way from a suggestion to its nearest neighbour. Fails if the list is empty;
    /// [`FreezeThaw::choose`] fails if a configuration does not fit the space, and with [`SearchError::Exhausted`] when all
    /// have been started and no trial is left to advance.
    pub fn among(mut self, configurations: Vec<Params>) -> Result<Self, SearchError> {
        self.list = Some(List::new(configurations)?);
        Ok(self)
    }

    /// What to do next. `busy` are the pending trials that a worker is running now: they are not advanced, but what they
    /// reported counts.
    ///
    /// The answer depends only on the arguments, as for a [`Sampler`]; give each decision a stream of its own
    /// (number the decisions, not the trials).
    pub fn choose(
        &self,
        space: &Space,
        history: &History,
        busy: &[usize],
        stream: &mut Stream,
    ) -> Result<Next, SearchError> {
        check_match(space, history)?;
        let open: Vec<usize> =
            (0..history.len()).filter(|&t| self.is_open(history, t) && !busy.contains(&t)).collect();
        let curves = Curves::new(history);
        if curves.trials.is_empty()
            && let Some(&t) = open.iter().find(|&&t| !history.reports_of(t).is_empty())
        {
            return Ok(Next::Advance(t));
        }
        let startup = self.list.as_ref().map_or(self.startup, |list| self.startup.min(list.len()));
        if history.len() < startup || space.free().is_empty() {
            return self.fresh(space, history, &open, stream.seed());
        }
        if let Some(&t) = open.iter().find(|&&t| history.reports_of(t).is_empty()) {
            return Ok(Next::Advance(t));
        }
        match self.model(space, history, &curves) {
            Some((model, best)) => self.judge(space, history, &open, &curves, (&model, best), stream),
            None => self.fresh(space, history, &open, stream.seed()),
        }
    }

    /// Whether a pending trial can still be advanced with profit.
    fn is_open(&self, history: &History, trial: usize) -> bool {
        let fine = |r: &Report| {
            let loss = history.loss(r.value);
            r.step < self.last_step && !loss.is_nan() && loss < f64::INFINITY
        };
        history.states()[trial] == State::Pending && history.reports_of(trial).last().is_none_or(fine)
    }

    /// A new trial without regard to what is known: a quasi-random point, or what is nearest to it in the list. If the list is
    /// used up, an open trial.
    fn fresh(
        &self,
        space: &Space,
        history: &History,
        open: &[usize],
        seed: u64,
    ) -> Result<Next, SearchError> {
        // Numbered by trials, not by decisions, so that the points are neighbours in the sequence.
        let mut stream = Stream::for_trial(seed, history.len() as u64);
        let params = Sobol::default().suggest(space, history, &mut stream)?;
        let Some(list) = &self.list else { return Ok(Next::Start(params)) };
        let view = View::new(space);
        let place = |raw: &[f64]| view.settle(&space.to_unit(raw)).1;
        let here = place(&space.raw(&params)?);
        let metric = Kernel::new(view.categorical());
        let far = |raw: &Vec<f64>| metric.square(&here, &place(raw));
        let unused = list.unused(space, history)?;
        let nearest = unused.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
        match (nearest, open.first()) {
            (Some(raw), _) => Ok(Next::Start(space.params(raw))),
            (None, Some(&trial)) => Ok(Next::Advance(trial)),
            (None, None) => Err(SearchError::Exhausted(list.len())),
        }
    }

    /// Whether enough reports were taken for the trials that there are.
    fn may_start(&self, history: &History) -> bool {
        let reports: usize = (0..history.len()).map(|t| history.reports_of(t).len()).sum();
        history.len().saturating_sub(self.startup) * REPORTS_PER_TRIAL <= reports
    }

    /// A step as a coordinate.
    fn place(&self, step: u64) -> f64 {
        ((step as f64).ln_1p() / (self.last_step as f64).ln_1p()).min(1.0)
    }

    fn model(&self, space: &Space, history: &History, curves: &Curves) -> Option<(Model, f64)> {
        let view = View::new(space);
        let mut categorical = view.categorical();
        categorical.push(false);
        let seen = self.observations(curves, &view, history)?;
        let few = curves.choose(MOST_FITTED);
        let mut points = Points::new(view.axes.len() + 1);
        let mut y = Vec::with_capacity(few.len());
        for (i, _) in seen.chosen.iter().enumerate().filter(|(_, report)| few.contains(report)) {
            points.push(&seen.points.point(i));
            y.push(seen.y[i]);
        }
        let kernel = Kernel::new(categorical).fit_within(&points, &y, FIT_STEPS);
        Some((Model::new(kernel, seen.points, &seen.y)?, seen.best))
    }

    fn observations(&self, curves: &Curves, view: &View, history: &History) -> Option<Seen> {
        let chosen = curves.choose(MOST_REPORTS);
        let mut ends: Vec<f64> = curves.trials.iter().filter_map(|t| Some(t.1.last()?.1)).collect();
        ends.sort_unstable_by(f64::total_cmp);
        let median = *ends.get(ends.len() / 2)?;
        let spread = (median - curves.reached).max(1e-12 * median.abs()).max(f64::MIN_POSITIVE);
        let seen = |loss: f64| ((loss - curves.reached) / spread + FLOOR).min(f64::MAX).ln();
        let mut points = Points::new(view.axes.len() + 1);
        let mut y = Vec::with_capacity(chosen.len());
        for &(i, k) in &chosen {
            let (t, curve) = &curves.trials[i as usize];
            let mut x = view.point(history, *t);
            x.push(self.place(curve[k].0));
            points.push(&x);
            y.push(seen(curve[k].1));
        }
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        let unit = standardise(&mut y);
        Some(Seen { chosen, points, y, best: (seen(curves.reached) - mean) / unit })
    }

    /// Internal numbers of new points that may be started.
    fn candidates(
        &self,
        view: &View,
        history: &History,
        curves: &Curves,
        stream: &mut Stream,
    ) -> Result<Vec<Vec<f64>>, SearchError> {
        if let Some(list) = &self.list {
            return list.unused(view.space, history);
        }
        let leaders: Vec<u32> = curves.trials.iter().take(5).map(|t| t.0).collect();
        let units = view.candidates(history, &leaders, stream).into_iter().step_by(6).take(FRESH);
        Ok(units.map(|unit| view.settle(&unit).0).filter(|raw| view.space.allows(raw)).collect())
    }

    fn judge(
        &self,
        space: &Space,
        history: &History,
        open: &[usize],
        curves: &Curves,
        (model, best): (&Model, f64),
        stream: &mut Stream,
    ) -> Result<Next, SearchError> {
        let view = View::new(space);
        let mut ahead = Points::new(view.axes.len() + 1);
        // Which candidate each point ahead belongs to, and the steps to it.
        let mut ways: Vec<(usize, u64)> = Vec::new();
        let mut look = |candidate: usize, mut x: Vec<f64>, done: u64| {
            x.push(0.0);
            for steps in horizons(self.last_step.saturating_sub(done)) {
                x[view.axes.len()] = self.place(done + steps);
                ahead.push(&x);
                ways.push((candidate, steps));
            }
        };
        for (i, &t) in open.iter().enumerate() {
            let done = history.reports_of(t).last().map_or(0, |r| r.step);
            look(i, view.point(history, t as u32), done);
        }
        let mut fresh = Vec::new();
        if open.is_empty() || self.may_start(history) {
            for raw in self.candidates(&view, history, curves, stream)? {
                look(open.len() + fresh.len(), view.settle(&space.to_unit(&raw)).1, 0);
                fresh.push(raw);
            }
        }
        // ln of the improvement per step that is to be paid for it.
        let mut values = vec![f64::NEG_INFINITY; open.len() + fresh.len()];
        let (mut last, mut before, mut sum) = (usize::MAX, 0, f64::NEG_INFINITY);
        for (&(mean, variance), &(i, steps)) in model.predictions(&ahead).iter().zip(&ways) {
            if i != last {
                (last, before, sum) = (i, 0, f64::NEG_INFINITY);
            }
            let gain = log_gain(mean, variance + model.noise(), best) + ((steps - before) as f64).ln();
            before = steps;
            sum = add_logs(sum, gain);
            values[i] = values[i].max(sum - (steps as f64).ln());
        }
        let winner = (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]));
        match winner {
            Some(i) if i < open.len() => Ok(Next::Advance(open[i])),
            Some(i) => Ok(Next::Start(space.params(&fresh[i - open.len()]))),
            None => self.fresh(space, history, open, stream.seed()),
        }
    }
}

/// Comparable reports of all trials that say something.
struct Curves {
    /// Numbers of the trials, lowest loss first, with their comparable reports as (step, loss).
    trials: Vec<(u32, Vec<(u64, f64)>)>,
    /// Smallest loss in them.
    reached: f64,
}

impl Curves {
    fn new(history: &History) -> Curves {
        let mut trials: Vec<(u32, Vec<(u64, f64)>)> = Vec::new();
        let mut worst = f64::NEG_INFINITY;
        for t in 0..history.len() {
            let comparable =
                history.reports_of(t).iter().filter(|r| r.key == Key::COMPARABLE && !r.value.is_nan());
            let curve: Vec<(u64, f64)> = comparable.map(|r| (r.step, history.loss(r.value))).collect();
            if !curve.is_empty() && history.states()[t] != State::Failed {
                worst = curve.iter().map(|c| c.1).filter(|l| l.is_finite()).fold(worst, f64::max);
                trials.push((t as u32, curve));
            }
        }
        for (t, curve) in &mut trials {
            let diverged = history.states()[*t as usize] == State::Diverged;
            let last = curve.len() - 1;
            for (k, (_, loss)) in curve.iter_mut().enumerate() {
                if *loss == f64::INFINITY || (diverged && k == last) {
                    *loss = worst;
                }
                *loss = loss.max(-1e300);
            }
        }
        if worst == f64::NEG_INFINITY {
            trials.clear();
        }
        let lowest = |curve: &[(u64, f64)]| curve.iter().map(|c| c.1).fold(f64::INFINITY, f64::min);
        trials.sort_by(|a, b| lowest(&a.1).total_cmp(&lowest(&b.1)).then(a.0.cmp(&b.0)));
        let reached = trials.iter().flat_map(|t| &t.1).map(|c| c.1).fold(f64::INFINITY, f64::min);
        Curves { trials, reached }
    }

    /// At most `most` reports as (place of the trial, place of the report): the last ones of most trials, then more of the best
    /// ones' curves, thinned out towards their beginnings.
    fn choose(&self, most: usize) -> Vec<(u32, usize)> {
        let mut order: Vec<u32> = (0..self.trials.len() as u32).collect();
        let part = most * 7 / 10;
        thin(&mut order, part, part / 2);
        let last = |i: u32| self.trials[i as usize].1.len() - 1;
        let mut chosen: Vec<(u32, usize)> = order.iter().map(|&i| (i, last(i))).collect();
        for &i in &order {
            let mut k = last(i);
            while k > 0 && chosen.len() < most {
                k = (k - 1).min((k + 1) * 3 / 4);
                chosen.push((i, k));
            }
        }
        chosen
    }
}

/// Reports as the model sees them: parameters and step, standardised values, and the best loss that was really reached.
struct Seen {
    /// Which reports these are, as [`Curves::choose`] names them.
    chosen: Vec<(u32, usize)>,
    points: Points,
    y: Vec<f64>,
    best: f64,
}

/// Steps to look ahead with so many left: doubling, and to the end.
fn horizons(left: u64) -> impl Iterator<Item = u64> {
    let doubling = std::iter::successors(Some(1u64), |h| h.checked_mul(2)).take_while(move |&h| h < left);
    doubling.chain(std::iter::once(left.max(1)))
}

/// ln(eᵃ + eᵇ).
fn add_logs(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Outcome};
    use crate::sampler::Random;

    const STEPS: u64 = 20;

    /// A learning curve that falls towards a level that depends on the parameters, at a rate that does too.
    fn curve(params: &Params, step: u64) -> f64 {
        let (x, y) = (params.float("x").unwrap(), params.float("y").unwrap());
        let level = (x - 0.3).powi(2) + (y - 0.8).powi(2);
        level + (2.0 + x) * (step as f64).powf(-0.7 - 0.5 * y)
    }

    fn run(budget: usize, direction: Direction) -> (History, Vec<Next>) {
        let space: Space = "x=0.0..1.0, y=0.0..1.0".parse().unwrap();
        let sign = if direction == Direction::Minimize { 1.0 } else { -1.0 };
        let mut history = History::new(space.clone(), direction);
        let method = FreezeThaw::new(STEPS).unwrap();
        let mut log = Vec::new();
        for n in 0..budget {
            let next = method.choose(&space, &history, &[], &mut Stream::for_trial(1, n as u64)).unwrap();
            let trial = match &next {
                Next::Start(params) => history.start(params).unwrap(),
                Next::Advance(trial) => *trial,
            };
            let step = history.reports_of(trial).len() as u64 + 1;
            let value = sign * curve(&history.trial(trial).unwrap().params(), step);
            history.report(trial, Report { step, value, key: Key::COMPARABLE }).unwrap();
            if step == STEPS {
                history.finish(trial, Outcome::Complete(value)).unwrap();
            }
            log.push(next);
        }
        (history, log)
    }

    #[test]
    fn spends_steps_where_they_pay() {
        // Seven full runs' worth of steps.
        let (history, log) = run(7 * STEPS as usize, Direction::Minimize);
        let best = history.best().expect("no trial was run to its end");
        let level =
            |p: &Params| (p.float("x").unwrap() - 0.3).powi(2) + (p.float("y").unwrap() - 0.8).powi(2);
        assert!(level(&best.params()) < 0.05, "{}", best.params());
        let full = history.trials().filter(|t| t.reports().len() as u64 == STEPS).count();
        assert!(history.len() > 10, "{} trials, {full} of them whole", history.len());
        // Trials are left and taken up again.
        let advances: Vec<usize> =
            log.iter().filter_map(|n| if let Next::Advance(t) = n { Some(*t) } else { None }).collect();
        assert!(advances.windows(2).any(|w| w[1] < w[0]), "{advances:?}");
        // Depends on its arguments alone, and on the direction only as it must.
        assert_eq!(run(40, Direction::Minimize).1, log[..40]);
        assert_eq!(run(40, Direction::Maximize).1, log[..40]);
    }

    #[test]
    fn busy_diverged_and_incomparable_trials() {
        let space: Space = "x=0.0..1.0, y=0.0..1.0".parse().unwrap();
        let (mut history, _) = run(40, Direction::Minimize);
        let method = FreezeThaw::new(STEPS).unwrap();
        let open: Vec<usize> = history.pending().iter().map(|&t| t as usize).collect();
        let next = method.choose(&space, &history, &open, &mut Stream::for_trial(1, 40)).unwrap();
        assert!(matches!(next, Next::Start(_)), "all are busy: {next:?}");
        for &t in &open {
            let step = history.reports_of(t).len() as u64 + 1;
            history.report(t, Report { step, value: f64::NAN, key: Key::COMPARABLE }).unwrap();
        }
        let next = method.choose(&space, &history, &[], &mut Stream::for_trial(1, 40)).unwrap();
        assert!(matches!(next, Next::Start(_)), "all have diverged: {next:?}");
        // Reports that compare with nothing: the open trial is run on.
        let mut history = History::new(space.clone(), Direction::Minimize);
        for number in 0..3 {
            let next = method.choose(&space, &history, &[], &mut Stream::for_trial(1, number)).unwrap();
            match next {
                Next::Start(params) => assert_eq!((number, history.start(&params).unwrap()), (0, 0)),
                Next::Advance(t) => assert_eq!(t, 0),
            }
            history.report(0, Report { step: number + 1, value: 1.0, key: Key(7) }).unwrap();
        }
        assert!(FreezeThaw::new(0).is_err());
        for (value, outcome) in
            [(f64::INFINITY, Outcome::Diverged), (1e300, Outcome::Pruned), (-1e300, Outcome::Failed)]
        {
            let (mut history, _) = run(30, Direction::Minimize);
            let t = history.pending()[0] as usize;
            history.report(t, Report { step: 19, value, key: Key::COMPARABLE }).unwrap();
            history.finish(t, outcome).unwrap();
            assert!(method.choose(&space, &history, &[], &mut Stream::for_trial(1, 40)).is_ok());
        }
    }

    #[test]
    fn a_list_is_all_that_is_started() {
        let space: Space = "x=0.0..1.0, y=0.0..1.0, o=a|b, z=0.0..1.0 if o=b".parse().unwrap();
        let none = History::new(space.clone(), Direction::Minimize);
        let draw = |t| Random::default().suggest(&space, &none, &mut Stream::for_trial(3, t)).unwrap();
        let mut list: Vec<Params> = (0..24).map(draw).collect();
        list.push(list[0].clone());
        let method = FreezeThaw::new(4).unwrap().among(list.clone()).unwrap();
        let replay = || {
            let mut history = none.clone();
            let mut log = Vec::new();
            for n in 0.. {
                let next = match method.choose(&space, &history, &[], &mut Stream::for_trial(1, n)) {
                    Ok(next) => next,
                    Err(why) => {
                        assert_eq!(why, SearchError::Exhausted(25));
                        break;
                    }
                };
                let trial = match &next {
                    Next::Start(params) => {
                        assert!(list.contains(params), "{params} is not in the list");
                        assert!(history.trials().all(|t| t.params() != *params), "{params} twice");
                        history.start(params).unwrap()
                    }
                    Next::Advance(trial) => *trial,
                };
                let step = history.reports_of(trial).len() as u64 + 1;
                let value = curve(&history.trial(trial).unwrap().params(), step);
                history.report(trial, Report { step, value, key: Key::COMPARABLE }).unwrap();
                if step == 4 {
                    history.finish(trial, Outcome::Complete(value)).unwrap();
                }
                log.push(next);
            }
            log
        };
        let log = replay();
        // Each configuration once, to its end; when the list is used up, the open trials are advanced.
        assert_eq!(log.len(), 24 * 4);
        assert_eq!(log.iter().filter(|n| matches!(n, Next::Start(_))).count(), 24);
        assert!(matches!(log[24 * 4 - 1], Next::Advance(_)));
        assert_eq!(replay(), log);
    }

    #[test]
    fn a_list_that_is_empty_or_foreign_is_refused() {
        let space: Space = "x=0.0..1.0".parse().unwrap();
        let history = History::new(space.clone(), Direction::Minimize);
        let why = FreezeThaw::new(4).unwrap().among(Vec::new()).unwrap_err().to_string();
        assert_eq!(why, "list of configurations: is empty; give at least one");
        let method = FreezeThaw::new(4).unwrap().among(vec![[("x", 2.0)].into_iter().collect()]).unwrap();
        let why = method.choose(&space, &history, &[], &mut Stream::for_trial(1, 0)).unwrap_err();
        assert!(matches!(&why, SearchError::Params(m) if m.contains("x=2")), "{why}");
        // Fixed values leave those configurations that have them.
        let list = [0.25, 0.5].map(|x| [("x", x)].into_iter().collect());
        let method = FreezeThaw::new(4).unwrap().among(list.to_vec()).unwrap();
        let mut fixed = space.clone();
        fixed.fix("x", 0.5).unwrap();
        let history = History::new(fixed.clone(), Direction::Minimize);
        let next = method.choose(&fixed, &history, &[], &mut Stream::for_trial(1, 0)).unwrap();
        assert_eq!(next, Next::Start([("x", 0.5)].into_iter().collect()));
    }
}
