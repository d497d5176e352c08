//! What every sampler has to do.
use crate::error::SearchError;
use crate::history::{Direction, History, Key, Outcome, Report};
use crate::sampler::Sampler;
use crate::space::Space;
use crate::stream::Stream;
use crate::value::Params;

/// Makes a fresh sampler for a space. The suite makes several and expects the same answers of each.
pub type MakeSampler<'a> = &'a dyn Fn(&Space) -> Result<Box<dyn Sampler>, SearchError>;

/// Spaces that between them hold everything a space can.
const SPACES: [&str; 7] = [
    "x=-5.0..5.0, y=-5.0..5.0",
    "lr=log 1e-6..10, units=log 1..1000, every=10..50 step 10, drop=0.0..0.5 step 0.1, layers=1..4",
    "opt=sgd|adamw|lion, flag=true|false, one=7, batch=16<32<64<128",
    "opt=sgd|adamw, momentum=0.5..0.99 if opt=sgd, nesterov=true|false if momentum > 0.8, beta=0.9..0.999 if opt=adamw",
    "warmup=0..100, steps=1..100, a=0.0..1.0, b=0.0..1.0, warmup < steps, a + b <= 1",
    "only=3, text=\"a b\"",
    "huge=-1e15..1e15, tiny=1e-300..2e-300, wide=log 1e-300..1e300, n=-1000000000..1000000000",
];

/// How the trials of a test history end.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Ordinary,
    Pending,
    Failed,
    Diverged,
    Pruned,
    Infinite,
    NegativeInfinite,
    Equal,
    Huge,
    Mixed,
}

const ENDS: [Ends; 10] = [
    Ends::Ordinary,
    Ends::Pending,
    Ends::Failed,
    Ends::Diverged,
    Ends::Pruned,
    Ends::Infinite,
    Ends::NegativeInfinite,
    Ends::Equal,
    Ends::Huge,
    Ends::Mixed,
];

/// A smooth objective of the places in the unit cube.
fn loss(space: &Space, params: &Params) -> f64 {
    let raw = space.raw(params).unwrap_or_default();
    space.to_unit(&raw).iter().filter(|u| !u.is_nan()).map(|u| (u - 0.3).powi(2)).sum()
}

impl Ends {
    fn apply(self, history: &mut History, trial: usize, loss: f64) -> Result<(), SearchError> {
        let report =
            |value| Report { step: 1 + trial as u64 % 3, value, key: Key((trial.is_multiple_of(4)).into()) };
        match self {
            Ends::Ordinary => history.finish(trial, Outcome::Complete(loss)),
            Ends::Pending => history.report(trial, report(loss)),
            Ends::Failed => history.finish(trial, Outcome::Failed),
            Ends::Diverged => history.finish(trial, Outcome::Complete(f64::NAN)),
            Ends::Pruned => {
                history.report(trial, report(if trial.is_multiple_of(5) { f64::NAN } else { loss }))?;
                history.finish(trial, Outcome::Pruned)
            }
            Ends::Infinite => history.finish(trial, Outcome::Complete(f64::INFINITY)),
            Ends::NegativeInfinite => history.finish(trial, Outcome::Complete(f64::NEG_INFINITY)),
            Ends::Equal => history.finish(trial, Outcome::Complete(1.0)),
            Ends::Huge => {
                let huge = if trial.is_multiple_of(2) { 1e300 } else { -1e300 };
                history.finish(trial, Outcome::Complete(huge * (1.0 + loss)))
            }
            Ends::Mixed => {
                let all = [
                    Ends::Ordinary,
                    Ends::Pending,
                    Ends::Failed,
                    Ends::Diverged,
                    Ends::Pruned,
                    Ends::Infinite,
                ];
                let kind = [0, 0, 0, 1, 2, 3, 4, 4, 5][trial % 9];
                all[kind].apply(history, trial, loss)
            }
        }
    }
}

struct Suite<'a> {
    make: MakeSampler<'a>,
    violations: Vec<String>,
}

impl Suite<'_> {
    fn fail(&mut self, text: String) {
        self.violations.push(text);
    }

    /// A suggestion that must succeed (or say that a finite method is exhausted) and fit the space.
    fn suggest(
        &mut self,
        sampler: &dyn Sampler,
        space: &Space,
        history: &History,
        seed: u64,
        what: &str,
    ) -> Option<Params> {
        let trial = history.len() as u64;
        match sampler.suggest(space, history, &mut Stream::for_trial(seed, trial)) {
            Err(SearchError::Exhausted(_)) => None,
            Err(e) => {
                self.fail(format!("{what}: trial {trial} of '{space}' gives the error: {e}"));
                None
            }
            Ok(params) => {
                match space.raw(&params) {
                    Err(e) => {
                        self.fail(format!("{what}: trial {trial} of '{space}': {params} does not fit: {e}"))
                    }
                    Ok(raw) if !space.allows(&raw) => {
                        self.fail(format!(
                            "{what}: trial {trial} of '{space}': {params} violates a constraint"
                        ));
                    }
                    Ok(_) => {}
                }
                for p in space.parameters() {
                    if let (Some(fixed), Some(value)) = (&p.fixed, params.get(&p.name))
                        && fixed != value
                    {
                        self.fail(format!(
                            "{what}: {} is fixed to {fixed}, but {value} is suggested",
                            p.name
                        ));
                    }
                }
                Some(params)
            }
        }
    }

    fn sampler(&mut self, space: &Space) -> Option<Box<dyn Sampler>> {
        match (self.make)(space) {
            Ok(sampler) => Some(sampler),
            Err(e) => {
                self.fail(format!("cannot be made for '{space}': {e}"));
                None
            }
        }
    }

    /// Runs a study one trial after another; returns its suggestions.
    fn run(
        &mut self,
        space: &Space,
        direction: Direction,
        ends: Ends,
        trials: usize,
    ) -> (History, Vec<Params>) {
        let mut history = History::new(space.clone(), direction);
        let mut all = Vec::new();
        let Some(sampler) = self.sampler(space) else { return (history, all) };
        for _ in 0..trials {
            let what = format!("objectives {ends:?}");
            let Some(params) = self.suggest(&*sampler, space, &history, 1, &what) else { break };
            let Ok(trial) = history.start(&params) else { break };
            let sign = if direction == Direction::Minimize { 1.0 } else { -1.0 };
            if let Err(e) = ends.apply(&mut history, trial, sign * loss(space, &params)) {
                self.fail(format!("{what}: {e}"));
            }
            all.push(params);
        }
        (history, all)
    }

    fn fits_every_space_and_history(&mut self) {
        for text in SPACES {
            let Ok(space) = text.parse::<Space>() else { continue };
            for ends in ENDS {
                self.run(&space, Direction::Minimize, ends, 24);
            }
        }
        // A space without parameters may be refused when the sampler is made, but not later.
        if (self.make)(&Space::new()).is_ok() {
            self.run(&Space::new(), Direction::Minimize, Ends::Ordinary, 3);
        }
    }

    fn respects_fixed_values(&mut self) {
        let Ok(whole) = SPACES[3].parse::<Space>() else { return };
        let (history, _) = self.run(&whole, Direction::Minimize, Ends::Mixed, 30);
        let mut fixed = whole.clone();
        if fixed.fix("opt", "sgd").and_then(|()| fixed.fix("momentum", 0.9)).is_err() {
            return;
        }
        let Some(sampler) = self.sampler(&whole) else { return };
        for seed in 0..5 {
            self.suggest(&*sampler, &fixed, &history, seed, "some parameters fixed");
        }
    }

    fn depends_on_its_arguments_alone(&mut self) {
        for text in &SPACES[..5] {
            let Ok(space) = text.parse::<Space>() else { continue };
            let (history, first) = self.run(&space, Direction::Minimize, Ends::Mixed, 40);
            if self.run(&space, Direction::Minimize, Ends::Mixed, 40).1 != first {
                self.fail(format!("two runs with one seed differ on '{space}'"));
            }
            // A fresh sampler, asked out of order, agrees with the one that saw everything.
            for number in [39, 5, 23, 0, 12] {
                let (Some(expected), Ok(past)) = (first.get(number), history.seen_by(number)) else {
                    continue;
                };
                let Some(fresh) = self.sampler(&space) else { return };
                let found = self.suggest(&*fresh, &space, &past, 1, "replayed");
                if found.as_ref() != Some(expected) {
                    self.fail(format!("trial {number} of '{space}' replays as {found:?}, not {expected}"));
                }
            }
        }
    }

    /// Finishing the same trials in another order leaves the suggestion as it is.
    fn ignores_the_order_of_ends(&mut self) {
        let Ok(space) = SPACES[1].parse::<Space>() else { return };
        let (_, params) = self.run(&space, Direction::Minimize, Ends::Ordinary, 30);
        let mut found = Vec::new();
        for backwards in [false, true] {
            let mut history = History::new(space.clone(), Direction::Minimize);
            params.iter().for_each(|p| drop(history.start(p)));
            let mut order: Vec<usize> = (0..history.len().saturating_sub(3)).collect();
            if backwards {
                order.reverse();
            }
            for t in order {
                drop(history.finish(t, Outcome::Complete(loss(&space, &params[t]))));
            }
            let Some(sampler) = self.sampler(&space) else { return };
            found.push(self.suggest(&*sampler, &space, &history, 1, "trials finished out of order"));
        }
        if found[0] != found[1] {
            self.fail(format!("the order in which trials finish matters: {:?} and {:?}", found[0], found[1]));
        }
    }

    fn turns_with_the_direction(&mut self) {
        let Ok(space) = SPACES[0].parse::<Space>() else { return };
        let down = self.run(&space, Direction::Minimize, Ends::Ordinary, 30).1;
        let up = self.run(&space, Direction::Maximize, Ends::Ordinary, 30).1;
        if down != up {
            self.fail("maximising the negative objective gives other suggestions than minimising it".into());
        }
    }

    fn works_from_threads(&mut self) {
        let Ok(space) = SPACES[0].parse::<Space>() else { return };
        let (history, _) = self.run(&space, Direction::Minimize, Ends::Ordinary, 30);
        let Some(sampler) = self.sampler(&space) else { return };
        let ask = || sampler.suggest(&space, &history, &mut Stream::for_trial(1, 30));
        let answers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().filter_map(|t| t.join().ok()).collect()
        });
        if answers.len() != 4 || answers.windows(2).any(|w| w[0] != w[1]) {
            self.fail("four threads that ask the same get different answers, or a thread panicked".into());
        }
    }

    fn refuses_a_foreign_history(&mut self) {
        let (Ok(space), Ok(other)) = (SPACES[0].parse::<Space>(), SPACES[1].parse::<Space>()) else { return };
        let Some(sampler) = self.sampler(&space) else { return };
        let history = History::new(other, Direction::Minimize);
        if sampler.suggest(&space, &history, &mut Stream::for_trial(0, 0)).is_ok() {
            self.fail("a history over another space is accepted".into());
        }
    }
}

/// Checks a sampler against the contract of [`Sampler`] and returns the violations.
pub fn check_sampler(make: MakeSampler) -> Vec<String> {
    let mut suite = Suite { make, violations: Vec::new() };
    suite.fits_every_space_and_history();
    suite.respects_fixed_values();
    suite.depends_on_its_arguments_alone();
    suite.ignores_the_order_of_ends();
    suite.turns_with_the_direction();
    suite.works_from_threads();
    suite.refuses_a_foreign_history();
    suite.violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::{
        Auto, CmaEs, GaussianProcess, Grid, Mixture, PartialFixed, Random, Sobol, Switch, Tpe,
    };

    fn passes(make: MakeSampler) {
        let violations = check_sampler(make);
        assert!(violations.is_empty(), "{violations:#?}");
    }

    #[test]
    fn ours_conform() {
        passes(&|_| Ok(Box::new(Random::default())));
        passes(&|_| Ok(Box::new(Sobol::default())));
        passes(&|space| Ok(Box::new(Grid::new(space, 3)?)));
        passes(&|_| Ok(Box::new(Tpe::default())));
        passes(&|_| Ok(Box::new(Auto::default())));
        passes(&|_| Ok(Box::new(CmaEs::default())));
        passes(&|_| Ok(Box::new(GaussianProcess::default())));
        let random = || Box::new(Random::default()) as Box<dyn Sampler>;
        passes(&|_| Ok(Box::new(Switch::new(random(), 5, Box::new(Tpe::default())))));
        passes(&|_| Ok(Box::new(Mixture::new(vec![(0.2, random()), (0.8, Box::new(CmaEs::default()))])?)));
        passes(&|_| Ok(Box::new(PartialFixed::new(Tpe::default(), Params::new()))));
        passes(&|_| Ok(Box::new(Tpe::default().startup(1).candidates(3).kernels(64))));
    }

    /// The suite notices samplers that break the contract.
    #[test]
    fn violations_are_found() {
        struct Bad(&'static str, std::sync::atomic::AtomicU64);
        impl Sampler for Bad {
            fn name(&self) -> &str {
                self.0
            }
            fn suggest(
                &self,
                space: &Space,
                history: &History,
                stream: &mut Stream,
            ) -> Result<Params, SearchError> {
                let calls = self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let mut stream = match self.0 {
                    "remembers" => Stream::for_trial(0, calls),
                    "order" => Stream::for_trial(0, history.ranked().first().map_or(0, |t| u64::from(*t))),
                    _ => stream.clone(),
                };
                let unit: Vec<f64> = space.parameters().iter().map(|_| stream.uniform()).collect();
                if self.0 == "panics" && history.ranked().len() == 20 {
                    return Err(SearchError::Params("broken".into()));
                }
                let raw = space.from_unit(&unit);
                match self.0 {
                    "conditions" => {
                        let raw: Vec<f64> =
                            space.parameters().iter().zip(unit).map(|(p, u)| p.domain.from_unit(u)).collect();
                        Ok(space.params(&raw))
                    }
                    _ => Ok(space.params(&raw)),
                }
            }
        }
        for (name, expected) in [
            ("remembers", "replays as"),
            ("conditions", "condition does not hold"),
            ("constraints", "violates a constraint"),
            ("panics", "gives the error"),
            ("any", "another space is accepted"),
        ] {
            let violations = check_sampler(&|_| Ok(Box::new(Bad(name, 0.into()))));
            assert!(violations.iter().any(|v| v.contains(expected)), "{name}: {violations:#?}");
        }
    }
}
