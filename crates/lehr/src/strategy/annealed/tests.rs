//! The strategy on made landscapes, and what can go wrong with real ones (theory, §7).

use lehr_schedule::Horizon;
use lehr_search::{Params, Stream};

use super::*;
use crate::strategy::{Abilities, RunState};

mod odd;
mod settings;

const TARGET: u64 = 6400;

/// A landscape: best log₂ rate and loss there by horizon, and how runs end.
struct World {
    /// log₂ of the best rate at the target.
    best: f64,
    /// By how much it falls per octave of horizon.
    drift: f64,
    /// And by how much more per octave nearer to the target.
    curve: f64,
    /// Loss of one octave.
    bend: f64,
    noise: f64,
    /// log₂ of the rate from which runs diverge.
    cliff: f64,
}

const PLAIN: World = World { best: -7.0, drift: 0.5, curve: 0.0, bend: 0.02, noise: 0.002, cliff: -2.5 };

impl World {
    fn best(&self, horizon: u64) -> f64 {
        let tau = (horizon as f64 / TARGET as f64).log2();
        self.best - self.drift * tau - self.curve * tau * tau
    }

    fn mean(&self, x: f64, horizon: u64) -> f64 {
        let tau = (horizon as f64 / TARGET as f64).log2();
        let d = x - self.best(horizon);
        // Low rates are lost in the end at the loss of guessing.
        let rise = self.bend * d * d * if d > 0.0 { 0.5 } else { 1.0 };
        2.0 + 0.1 * (0.6 * -tau).exp2() + rise / (1.0 + rise)
    }

    fn run(&self, params: &Params, horizon: u64, seed: u64) -> RunState {
        let x = params.float("lr").unwrap().log2();
        if x > self.cliff {
            return RunState::Diverged { at: horizon / 10 };
        }
        let mut stream = Stream::for_trial(seed, (x * 1e6) as i64 as u64 ^ horizon);
        RunState::Complete(self.mean(x, horizon) + self.noise * stream.normal())
    }

    fn regret(&self, rate: f64) -> f64 {
        if rate.log2() > self.cliff {
            1.0
        } else {
            self.mean(rate.log2(), TARGET) - self.mean(self.best, TARGET)
        }
    }
}

fn goal(seed: u64) -> Goal {
    let space = "lr=log 1e-5..1".parse().unwrap();
    Goal { seed, ..Goal::new(space, Horizon::steps(TARGET)) }.schedule("linear")
}

/// Runs a search to its end with one worker.
fn search(goal: &Goal, run: &dyn Fn(&Params, u64, u64) -> RunState) -> (Record, String) {
    let mut record = Record::default();
    for _ in 0..150 {
        match Annealed::default().next(goal, &record).unwrap() {
            Next::Run(plan) => {
                let number = record.start(&plan);
                let end = run(&record.params[record.runs[number].trial], plan.horizon, plan.seed);
                record.finish(number, end);
            }
            Next::Wait => panic!("nothing is under way"),
            Next::Stop { reason } => return (record, reason),
        }
    }
    panic!("no end after {} runs, {} full runs", record.runs.len(), record.steps_spent() / TARGET);
}

fn result(goal: &Goal, record: &Record) -> Recommendation {
    Annealed::default().result(goal, record).unwrap()
}

#[test]
fn finds_the_rate_for_a_few_full_runs() {
    for seed in 0..2 {
        let goal = goal(100 * seed);
        let (record, reason) = search(&goal, &|p, h, s| PLAIN.run(p, h, s));
        let found = result(&goal, &record);
        let rate = found.rate.unwrap().value;
        // Two digits, as the advice says it.
        assert!(format!("{rate:e}").len() <= "6.2e-3".len(), "{rate}");
        assert_eq!(found.params.as_ref().unwrap().float("lr"), Some(rate));
        let regret = PLAIN.regret(rate);
        assert!(regret < 0.02 && found.spent.full_runs < 5.0, "{seed}: {regret} {:?}", found.spent);
        assert!(reason.contains("expected regret"), "{reason}");
        assert!(found.grid_full_runs.unwrap() > 3.0 * found.spent.full_runs);
        assert_eq!(found.robustness.len(), 4);
        assert!(found.advice.starts_with("Use 'linear' with a peak rate of 0.0"), "{}", found.advice);
    }
}

/// The first runs of a record.
fn cut(whole: &Record, count: usize) -> Record {
    let runs = whole.runs[..count].to_vec();
    let trials = runs.iter().map(|run| run.trial + 1).max().unwrap_or(0);
    Record { params: whole.params[..trials].to_vec(), runs, ..Record::default() }
}

/// It is not over before the law that doubts itself is content, too, and then it is.
#[test]
fn goes_on_while_the_law_doubts_itself() {
    let world = World { noise: 0.01, ..PLAIN };
    let (mut doubted, mut content) = (0, 0);
    for seed in 0..3 {
        let goal = goal(seed);
        let (whole, _) = search(&goal, &|p, h, s| world.run(p, h, s));
        for count in whole.runs.len().saturating_sub(6)..=whole.runs.len() {
            let record = cut(&whole, count);
            let search = Search::new(Question::new(&goal, &record).unwrap(), &record, &Last::default());
            let search = search.unwrap().unwrap();
            let law = search.known.answers.regret <= search.tolerance();
            let doubts = search.known.doubts(&search.question).unwrap().regret <= search.tolerance();
            assert_eq!(search.finished().is_some(), law && doubts);
            doubted += usize::from(law && !doubts);
            content += usize::from(law && doubts);
        }
    }
    assert!(doubted > 0 && content >= 3, "{doubted} {content}");
}

/// The same record, cut anywhere and continued, asks for the same runs.
#[test]
fn resumes_in_the_middle() {
    let goal = goal(7);
    let (whole, _) = search(&goal, &|p, h, s| PLAIN.run(p, h, s));
    for count in (0..whole.runs.len()).step_by(6) {
        let past = cut(&whole, count);
        let Next::Run(plan) = Annealed::default().next(&goal, &past).unwrap() else { panic!("{count}") };
        let run = &whole.runs[count];
        assert_eq!((plan.horizon, plan.seed), (run.horizon, run.seed), "{count}");
        match plan.trial {
            Trial::Known(trial) => assert_eq!(trial, run.trial),
            Trial::New(params) => assert_eq!(params, whole.params[run.trial]),
        }
    }
}

/// Four workers: runs under way are counted in, no two look at the same point, and the end is as good.
#[test]
fn many_workers_do_not_repeat_each_other() {
    let goal = goal(3);
    let mut record = Record::default();
    let mut open: Vec<usize> = Vec::new();
    for _ in 0..200 {
        let stopped = match Annealed::default().next(&goal, &record).unwrap() {
            Next::Run(plan) if open.len() < 4 => {
                let number = record.start(&plan);
                let new = &record.runs[number];
                let same = |&other: &usize| {
                    let other = &record.runs[other];
                    other.horizon == new.horizon && record.params[other.trial] == record.params[new.trial]
                };
                assert!(!open.iter().any(same), "the same run twice at once");
                open.push(number);
                continue;
            }
            Next::Stop { .. } => open.is_empty(),
            _ => false,
        };
        if stopped {
            break;
        }
        let number = open.remove(0);
        let run = record.runs[number].clone();
        record.finish(number, PLAIN.run(&record.params[run.trial], run.horizon, run.seed));
    }
    let found = result(&goal, &record);
    assert!(
        PLAIN.regret(found.rate.unwrap().value) < 0.02 && found.spent.full_runs < 8.0,
        "{:?}",
        found.spent
    );
}

#[test]
fn the_users_setting_is_trial_0_and_budgets_hold() {
    let baseline: Params = [("lr", 0.3)].into_iter().collect();
    let goal = Goal { baseline: Some(baseline.clone()), ..goal(1) }.budget(0.5);
    let (record, reason) = search(&goal, &|p, h, s| PLAIN.run(p, h, s));
    assert_eq!(record.params[0], baseline);
    assert!(reason.contains("budget") && record.steps_spent() <= TARGET / 2, "{reason}");
    let goal = Goal { budget: None, ..goal }.max_trials(4);
    let (record, _) = search(&goal, &|p, h, s| PLAIN.run(p, h, s));
    assert_eq!(record.params.len(), 4);
}

/// A cliff right above the best rate: divergence is no loss of any height, and the answer keeps off it.
#[test]
fn a_cliff_beside_the_best_rate() {
    let world = World { cliff: -6.2, ..PLAIN };
    let goal = goal(2);
    let (record, _) = search(&goal, &|p, h, s| world.run(p, h, s));
    assert!(record.runs.iter().any(|run| run.state.is_diverged()));
    let rate = result(&goal, &record).rate.unwrap().value;
    assert!(rate.log2() < world.cliff && world.regret(rate) < 0.03, "{} {}", rate.log2(), world.regret(rate));
}

/// The exponent of the drift is not ½, and not constant.
#[test]
fn a_drift_that_curves() {
    let world = World { drift: 0.9, curve: 0.09, ..PLAIN };
    for seed in [5, 6] {
        let goal = goal(100 * seed);
        let (record, _) = search(&goal, &|p, h, s| world.run(p, h, s));
        let rate = result(&goal, &record).rate.unwrap().value;
        assert!(world.regret(rate) < 0.02, "{} instead of {}", rate.log2(), world.best);
    }
}

/// Noise of the size of what an octave costs: it comes to an end, and after as many full runs the interval is wider.
#[test]
fn noise_widens_the_interval_and_ends_the_search() {
    let world = World { noise: 0.03, ..PLAIN };
    let width = |world: &World, seed: u64| {
        let goal =
            Goal { abilities: Abilities::RATE_ONLY, schedule: None, tolerance: Some(0.0), ..goal(seed) };
        let goal = goal.max_trials(8);
        let (record, _) = search(&goal, &|p, h, s| world.run(p, h, s));
        let range = result(&goal, &record).rate.unwrap().interval.unwrap();
        (range.high / range.low).log2()
    };
    let widths = |world: &World| (1..=3).map(|seed| width(world, seed)).sum::<f64>();
    let (quiet, wide) = (widths(&PLAIN), widths(&world));
    assert!(wide > quiet, "{wide} {quiet}");
    // Fifteen times the noise: a few runs of one seed a horizon say that there is more of it, and much less than there is.
    let noise = |world: &World, seed: u64| {
        let goal = goal(seed);
        let (record, _) = search(&goal, &|p, h, s| world.run(p, h, s));
        result(&goal, &record).noise.unwrap()
    };
    let median = |world: &World| {
        let mut noises: Vec<f64> = (1..=5).map(|seed| noise(world, seed)).collect();
        noises.sort_by(f64::total_cmp);
        noises[2]
    };
    let (quiet, loud) = (median(&PLAIN), median(&world));
    assert!(loud > 1.5 * quiet && (0.003..0.1).contains(&loud), "{loud} {quiet}");
    assert!((0.0005..0.02).contains(&quiet), "{quiet}");
}

#[test]
fn programs_of_one_length_are_searched_at_that_length() {
    let goal = Goal { abilities: Abilities::RATE_ONLY, schedule: None, ..goal(1) };
    let (record, _) = search(&goal, &|p, h, s| PLAIN.run(p, h, s));
    assert!(record.runs.iter().all(|run| run.horizon == TARGET) && record.runs.len() < 25);
    assert!(PLAIN.regret(result(&goal, &record).rate.unwrap().value) < 0.02);
}

/// A fixed warm-up fills short runs: they are left out.
#[test]
fn rungs_with_another_share_of_warmup_are_not_run() {
    let goal = goal(1).schedule("warmup 640, linear");
    let (record, _) = search(&goal, &|p, h, s| PLAIN.run(p, h, s));
    assert!(record.runs.iter().all(|run| run.horizon >= TARGET / 8));
}

#[test]
fn schedules_out_of_a_list() {
    let space = "lr=log 1e-5..1, schedule=linear|cosine|constant|'warmup 5%, cosine to 0.1'".parse().unwrap();
    let goal = Goal { seed: 3, ..Goal::new(space, Horizon::steps(TARGET)) };
    let run = |p: &Params, h: u64, s: u64| {
        // Constant is worse by far; the others are the same.
        let extra = if p.text("schedule") == Some("constant") { 0.05 } else { 0.0 };
        match PLAIN.run(p, h, s) {
            RunState::Complete(loss) => RunState::Complete(loss + extra),
            end => end,
        }
    };
    let (record, _) = search(&goal, &run);
    let found = result(&goal, &record);
    assert_ne!(found.schedule.as_deref(), Some("constant"), "{found:?}");
    assert!(PLAIN.regret(found.rate.unwrap().value) < 0.03);
    assert!(found.spent.full_runs < 20.0, "{:?}", found.spent);
}

/// A trunk that is branched costs less than runs from the start.
#[test]
fn cooldowns_branch_off_where_the_program_can_resume() {
    for seed in [2, 3] {
        let goal = Goal { abilities: Abilities::ALL, ..goal(seed) }.schedule("constant, linear 20%");
        let (record, _) = search(&goal, &|p, h, s| PLAIN.run(p, h, s));
        let branched: Vec<_> = record.runs.iter().filter(|run| run.branch.is_some()).collect();
        for run in &branched {
            let parent = &record.runs[run.branch.unwrap().run];
            assert!(parent.seed == run.seed && parent.trial == run.trial && parent.horizon < run.horizon);
            assert!(run.steps_spent < run.horizon);
        }
        assert!(!branched.is_empty());
    }
}

/// Starts a run of a rate; its number and how it will end in the plain world.
fn begin(goal: &Goal, record: &mut Record, x: f64, horizon: u64, seed: u64) -> (usize, RunState) {
    let params: Params = [("lr", x.exp2())].into_iter().collect();
    let trial = Trial::New(params.clone());
    let plan = plan(goal, record, trial, horizon, seed, String::new()).unwrap();
    (record.start(&plan), PLAIN.run(&params, horizon, seed))
}

/// A run that could be made.
fn option(x: f64, horizon: u64, seed: u64) -> Option_ {
    let tau = (horizon as f64 / TARGET as f64).log2();
    Option_ { place: 0, x, tau, horizon, trial: None, seed, cost: horizon as f64 }
}

/// Gains of runs after a first look: none without information, less with more noise ahead, hardly any once the same run is under way.
#[test]
fn gains_are_of_what_is_not_known() {
    let goal = goal(4);
    let mut record = Record::default();
    for (x, horizon) in [(-8.5, 100), (-5.0, 100), (-3.5, 100), (-7.5, 800), (-5.0, 800)] {
        let (number, end) = begin(&goal, &mut record, x, horizon, horizon);
        record.finish(number, end);
    }
    let of = |record: &Record, runs: &[Option_]| {
        let question = Question::new(&goal, record).unwrap();
        let open: Vec<_> = question.points.iter().filter(|p| p.seen == Seen::Open).copied().collect();
        let known = Search::new(question, record, &Last::default()).unwrap().unwrap().known;
        let mut stream = Stream::for_trial(1, 1);
        Gains::new(&known.model, &known.features, &known.answers, &open, 1, &mut stream).of(runs)
    };
    let (full, short) = ([option(-7.0, TARGET, 9)], [option(-7.0, 100, 9)]);
    let pair = [option(-8.0, TARGET, 9), option(-6.0, TARGET, 9)];
    assert!(of(&record, &pair) > 3.0 * of(&record, &short), "{} {}", of(&record, &pair), of(&record, &short));
    assert!(of(&record, &pair) > of(&record, &full) && of(&record, &full) >= 0.0);
    // The same two under way.
    let before = of(&record, &pair);
    for run_ in &pair {
        begin(&goal, &mut record, run_.x, run_.horizon, run_.seed);
    }
    let after = of(&record, &pair);
    assert!(after < 0.5 * before, "{after} {before}");
}

/// A run that is wrecked for sure says nothing: not how high its level is, either.
#[test]
fn a_sure_wreck_has_nothing_to_tell() {
    let goal = goal(4);
    let mut record = Record::default();
    for (x, horizon) in [(-8.5, 100), (-6.0, 100), (-3.5, 100), (-2.2, 100), (-1.0, 100), (-7.5, 800)] {
        let (number, end) = begin(&goal, &mut record, x, horizon, horizon);
        record.finish(number, end);
    }
    assert!(record.runs.iter().filter(|run| run.state.is_diverged()).count() == 2);
    let question = Question::new(&goal, &record).unwrap();
    let known = Search::new(question, &record, &Last::default()).unwrap().unwrap().known;
    let mut stream = Stream::for_trial(1, 1);
    let gains = Gains::new(&known.model, &known.features, &known.answers, &[], 1, &mut stream);
    let of = |x: f64, horizon: u64| gains.of(&[option(x, horizon, horizon)]);
    let (wreck, sound) = (of(-0.2, 100), of(-5.0, 800));
    assert!(wreck < 0.001 * sound && sound > 0.0, "{wreck} {sound}");
}
