//! Freeze-thaw: many trials open at once, advanced one report at a time.
mod curves;
mod ends;
mod outlook;
mod thaw;

use super::list::List;
use super::model::Kernel;
use super::view::View;
use crate::error::SearchError;
use crate::history::{History, Report, State};
use crate::sampler::given::Taken;
use crate::sampler::{Sampler, Sobol, check_match};
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;
use curves::Curves;
use ends::Ends;
use thaw::thaw;

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
/// The first trials (16, one step each) are quasi-random points of the middle three tenths of each range, or what is nearest to
/// them in a list: who gives a range expects the best inside it. After that three rules take turns:
///
/// - **Go on.** The newest open trial is advanced while its best loss is less than two reports old and no worse than what two
///   thirds of the others had after as many reports. Otherwise it is paused.
/// - **Thaw.** With every second report a paused trial is taken up instead: that with the largest expected improvement over
///   the best loss so far, per step that is to be paid for it, within the next 1, 2, 4 or 8 reports. The smallest of the next
///   losses is predicted by regressions on a trial's last losses and on what its parameters promise, learnt from all curves
///   of this search. The horizons are several because curves turn: of a run that overfits, the end says little about its best epoch.
/// - **Start.** Otherwise a new trial is started, where a Gaussian process over the parameters, which sees the best loss of each
///   trial, less what other trials gained on average after as many reports, has its lowest mean, less 0.3 deviations. What
///   is merely unsure is not worth a trial: in a space of many parameters that is nearly everywhere. Trials that another
///   worker has begun and that have not reported yet count as average there, so that workers spread.
///
/// Losses are modelled as ln(1 + (loss − best)/(median − best)/0.2): good ones have to be told from very good ones, and most are far
/// off; but the one best value must not look like an outlier.
///
/// For objectives whose reports are comparable from trial to trial ([`Key::COMPARABLE`](crate::Key::COMPARABLE)): a constant
/// rate, or epochs that are declared comparable. Other reports are not looked at; if there are only such, open trials are run to
/// their end one after the other. With schedules that anneal, use budgets that are horizons instead.
///
/// A trial stays pending while it is paused. It is finished by the caller: complete at the last step, pruned when the study
/// ends. Diverged trials count as the worst, failed ones are ignored; a pending trial whose last report is NaN or infinite in
/// the bad direction is never advanced.
///
/// Cost: a start or a thaw as [`super::GaussianProcess`] with 256 trials, whatever their number; a thaw
/// also goes through all curves.
/// Source: Swersky, Snoek and Adams, "Freeze-thaw Bayesian optimization", 2014; improvement a short way ahead as in Wistuba et
/// al. (DyHPO), NeurIPS 2022; several horizons as in Rakotoarison et al. (ifBO), ICML 2024, which draws one at random; going on
/// by comparison with the others as in Golovin et al. (Vizier), KDD 2017. The regressions, the first trials in the middle, and
/// that the three rules take turns, are ours.
#[derive(Debug, Clone)]
pub struct FreezeThaw {
    last_step: u64,
    startup: usize,
    list: Option<List>,
}

/// Reports without a new best loss after which a trial is paused.
const PATIENCE: usize = 2;
/// Every so many reports a paused trial is taken up.
const THAW_EVERY: usize = 2;
/// Trials that are started before curves are compared.
const STARTUP: usize = 16;
/// Share of each range, in its middle, where the first trials lie.
const MIDDLE: f64 = 0.3;
/// Deviations by which what is unsure is preferred for a new trial.
const CURIOSITY: f64 = 0.3;
/// New points that are judged.
const FRESH: usize = 96;

impl FreezeThaw {
    /// Trials that run to `last_step` (at least 1).
    pub fn new(last_step: u64) -> Result<Self, SearchError> {
        if last_step < 1 {
            return Err(SearchError::setting("freeze-thaw", "a trial needs at least one step"));
        }
        Ok(FreezeThaw { last_step, startup: STARTUP, list: None })
    }

    /// How many trials are started before curves are compared (default 16).
    pub fn startup(mut self, trials: usize) -> Self {
        self.startup = trials.max(2);
        self
    }

    /// Starts none but these configurations, each at most once; equal ones count as one.
    ///
    /// For a table, a fixed list or what is left of another search: all of it is judged for each new trial, so
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
        let is_thaw = !open.is_empty() && curves.reports.is_multiple_of(THAW_EVERY);
        if !is_thaw
            && let Some(&newest) = open.last()
            && curves.is_promising(newest, PATIENCE)
        {
            return Ok(Next::Advance(newest));
        }
        let next = self.judged(space, history, &curves, &open, is_thaw, stream)?;
        next.map_or_else(|| self.fresh(space, history, &open, stream.seed()), Ok)
    }

    /// A paused trial or a new one by what the process says of them; `None` if it says nothing.
    fn judged(
        &self,
        space: &Space,
        history: &History,
        curves: &Curves,
        open: &[usize],
        is_thaw: bool,
        stream: &mut Stream,
    ) -> Result<Option<Next>, SearchError> {
        let view = View::new(space);
        let Some(scale) = curves.scale() else { return Ok(None) };
        let Some(ends) = Ends::new(&view, history, curves, &scale) else { return Ok(None) };
        if !is_thaw {
            let candidates = self.candidates(&view, history, curves, stream)?;
            if let Some(i) = ends.most_promising(&candidates, CURIOSITY) {
                return Ok(Some(Next::Start(space.params(&candidates[i]))));
            }
        }
        Ok(thaw(history, curves, &scale, &ends, open, self.last_step).map(Next::Advance))
    }

    /// Whether a pending trial can still be advanced with profit.
    fn is_open(&self, history: &History, trial: usize) -> bool {
        let fine = |r: &Report| {
            let loss = history.loss(r.value);
            r.step < self.last_step && !loss.is_nan() && loss < f64::INFINITY
        };
        history.states()[trial] == State::Pending && history.reports_of(trial).last().is_none_or(fine)
    }

    /// A new trial without regard to what is known: a quasi-random point of the middle of the ranges, or what is nearest to it in the
    /// list. If the list is used up, an open trial.
    fn fresh(
        &self,
        space: &Space,
        history: &History,
        open: &[usize],
        seed: u64,
    ) -> Result<Next, SearchError> {
        // Numbered by trials, not by decisions, so that the points are neighbours in the sequence.
        let mut stream = Stream::for_trial(seed, history.len() as u64);
        let params = middle(space, history, Sobol::default().suggest(space, history, &mut stream)?)?;
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
        let leaders: Vec<u32> = curves.trials.iter().take(5).map(|c| c.trial).collect();
        let units = view.candidates(history, &leaders, stream).into_iter().step_by(6).take(FRESH);
        // Steps from a leader may leave all its values as they are, and nothing promises more than the leader itself.
        let mut taken = Taken::new(history);
        let is_new = |raw: &Vec<f64>| view.space.allows(raw) && taken.take(raw);
        Ok(units.map(|unit| view.settle(&unit).0).filter(is_new).collect())
    }
}

/// Moves the numbers of a point into the middle of their ranges; leaves it where it is if it would break a constraint there or
/// be what has been tried.
fn middle(space: &Space, history: &History, params: Params) -> Result<Params, SearchError> {
    let mut unit = space.to_unit(&space.raw(&params)?);
    for (parameter, u) in space.parameters().iter().zip(&mut unit) {
        if parameter.fixed.is_none() && !parameter.domain.is_categorical() && !u.is_nan() {
            *u = 0.5 + MIDDLE * (*u - 0.5);
        }
    }
    let raw = space.from_unit(&unit);
    let is_new = space.allows(&raw) && !Taken::new(history).has(&raw);
    Ok(if is_new { space.params(&raw) } else { params })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Direction, Key, Outcome};
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
        // Ten full runs' worth of steps.
        let (history, log) = run(10 * STEPS as usize, Direction::Minimize);
        let best = history.best().expect("no trial was run to its end");
        // The lowest end there is 0.081, that of a random point 0.46 in the mean.
        assert!(best.value().unwrap() < 0.12, "{} {}", best.value().unwrap(), best.params());
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
    fn no_configuration_is_started_twice() {
        let space: Space = "x=0.0..1.0".parse().unwrap();
        let method = FreezeThaw::new(STEPS).unwrap();
        let mut history = History::new(space.clone(), Direction::Minimize);
        for n in 0..300 {
            let next = method.choose(&space, &history, &[], &mut Stream::for_trial(1, n)).unwrap();
            let trial = match next {
                Next::Start(params) => {
                    assert!(history.trials().all(|t| t.params() != params), "{params} again");
                    history.start(&params).unwrap()
                }
                Next::Advance(trial) => trial,
            };
            let step = history.reports_of(trial).len() as u64 + 1;
            let x = history.trial(trial).unwrap().params().float("x").unwrap();
            let value = (x - 0.4).powi(2) + 1.0 / step as f64;
            history.report(trial, Report { step, value, key: Key::COMPARABLE }).unwrap();
        }
    }

    #[test]
    fn the_first_trials_lie_in_the_middle_and_differ() {
        let begin = |space: &str, trials: usize| {
            let space: Space = space.parse().unwrap();
            let mut history = History::new(space.clone(), Direction::Minimize);
            let method = FreezeThaw::new(STEPS).unwrap();
            for n in 0..trials as u64 {
                let next = method.choose(&space, &history, &[], &mut Stream::for_trial(1, n)).unwrap();
                let Next::Start(params) = next else { panic!("{next:?}") };
                let t = history.start(&params).unwrap();
                history.report(t, Report { step: 1, value: n as f64, key: Key::COMPARABLE }).unwrap();
            }
            history.trials().map(|t| t.params()).collect::<Vec<Params>>()
        };
        let first = begin("lr=log 1e-4..1.0, o=a|b, k=1..9", 16);
        let rates: Vec<f64> = first.iter().map(|p| p.float("lr").unwrap()).collect();
        assert!(rates.iter().all(|r| (10f64.powf(-2.601)..10f64.powf(-1.399)).contains(r)), "{rates:?}");
        assert!(rates.iter().any(|r| *r < 5e-3) && rates.iter().any(|r| *r > 2e-2), "{rates:?}");
        assert!(["a", "b"].iter().all(|o| first.iter().any(|p| p.text("o").unwrap() == *o)));
        // Few levels: the middle one is not tried again and again.
        let first = begin("k=1..3", 4);
        assert!((1..=3).all(|k| first.iter().any(|p| p.int("k").unwrap() == k)), "{first:?}");
        // What is fixed stays, and constraints hold.
        let first = begin("a=0.0..1.0, b=0.0..1.0, a < 0.3", 8);
        assert!(first.iter().all(|p| p.float("a").unwrap() < 0.3), "{first:?}");
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
