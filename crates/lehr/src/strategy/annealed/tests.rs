//! The strategy on made landscapes, and what can go wrong with real ones (theory, §7).

use lehr_schedule::Horizon;
use lehr_search::{Params, Stream};

use super::*;
use crate::strategy::{Abilities, RunState};

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

/// Of seven full runs one ends a hundred noises above what its neighbours say: it got stuck. The answer is what the others say (without
/// doubts up to two octaves off). The interval still holds the best rate, and what it says of rates far away is what the other runs say;
/// without doubts it is 10 to 16 octaves wide.
#[test]
fn a_run_that_got_stuck_counts_for_little() {
    for stuck in [None, Some(-8), Some(-7), Some(-6)] {
        let (goal, mut record) = (goal(3), Record::default());
        for k in -10..=-4 {
            let (number, _) = begin(&goal, &mut record, f64::from(k), TARGET, seeds::first(&goal, TARGET));
            let up = if stuck == Some(k) { 0.2 } else { 0.0 };
            record.finish(number, RunState::Complete(PLAIN.mean(f64::from(k), TARGET) + up));
        }
        let rate = result(&goal, &record).rate.unwrap();
        let off = rate.value.log2() - PLAIN.best;
        assert!(off.abs() < 0.6, "stuck at {stuck:?}: {off:+.2} octaves");
        let range = rate.interval.unwrap();
        let (low, high) = (range.low.log2(), range.high.log2());
        assert!(low < PLAIN.best + 0.1 && high > PLAIN.best, "stuck at {stuck:?}: {low} to {high}");
        assert!(high - low < 6.0, "stuck at {stuck:?}: {low} to {high}");
    }
}

#[test]
fn an_optimum_at_the_edge_is_said_to_be_one() {
    for (best, word) in [(3.0, "upper"), (-19.0, "lower")] {
        let world = World { best, drift: 0.0, cliff: 9.0, ..PLAIN };
        let goal = goal(4).budget(3.0);
        let (record, _) = search(&goal, &|p, h, s| world.run(p, h, s));
        let found = result(&goal, &record);
        assert!(found.doubts.iter().any(|d| d.contains(word)), "{word}: {:?}", found.doubts);
    }
}

#[test]
fn nothing_is_recommended_where_everything_diverged_or_nothing_varies() {
    let goal = goal(1);
    let (record, reason) = search(&goal, &|_, _, _| RunState::Diverged { at: 3 });
    assert!(reason.contains("lower"), "{reason}");
    assert!(record.runs.len() < 10);
    let found = result(&goal, &record);
    assert!(found.params.is_none() && found.advice.contains("diverged"), "{}", found.advice);
    let (record, reason) = search(&goal, &|_, _, _| RunState::Complete(1.5));
    assert!(reason.contains("do not differ") && record.steps_spent() < 2 * TARGET, "{reason}");
    let found = result(&goal, &record);
    assert!(found.rate.is_none() && found.advice.contains("do not differ"), "{}", found.advice);
    let (_, reason) = search(&goal.clone().max_trials(3), &|_, _, _| RunState::Failed);
    assert!(reason.contains("3 trials") || reason.contains("end"), "{reason}");
    assert!(result(&goal, &Record::default()).params.is_none());
}

/// Odd ends: infinite, huge and negative losses, and the best value at the top.
#[test]
fn odd_values_and_the_other_direction() {
    let goal = Goal { direction: Direction::Maximize, ..goal(1) };
    let turned = |p: &Params, h: u64, s: u64| match PLAIN.run(p, h, s) {
        RunState::Complete(loss) => RunState::Complete(-loss),
        end => end,
    };
    let (record, _) = search(&goal, &turned);
    let found = result(&goal, &record);
    assert!(PLAIN.regret(found.rate.unwrap().value) < 0.02);
    let loss = found.loss.unwrap();
    assert!(loss.value < -2.0 && loss.interval.unwrap().low <= loss.value, "{loss:?}");
    let odd = |p: &Params, h: u64, s: u64| match s % 5 {
        0 => RunState::Complete(f64::INFINITY),
        1 => RunState::Complete(1e300),
        2 => RunState::Failed,
        _ => PLAIN.run(p, h, s),
    };
    let (record, _) = search(&super::tests::goal(0).budget(1.0), &odd);
    result(&super::tests::goal(0), &record);
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

#[test]
fn wrong_goals_are_refused() {
    let next = |space: &str| {
        Annealed::default().next(&Goal::new(space.parse().unwrap(), Horizon::steps(9)), &Record::default())
    };
    assert!(next("x=0.0..1.0").unwrap_err().to_string().contains("no 'lr'"));
    assert!(next("lr=0.0..1.0").unwrap_err().to_string().contains("logarithmic"));
    for epoch in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let target = Horizon::steps(TARGET).with_steps_per_epoch(epoch);
        let error = Annealed::default().next(&Goal { target, ..goal(1) }, &Record::default()).unwrap_err();
        assert!(error.to_string().contains("steps per epoch"), "{error}");
    }
    let goal = Goal { tolerance: Some(f64::NAN), ..goal(1) };
    assert!(
        Annealed::default().next(&goal, &Record::default()).unwrap_err().to_string().contains("tolerance")
    );
}

#[test]
fn rates_at_the_ends_of_the_range_are_within_it() {
    // log₂ 30 is rounded: 2 to its power is above 30.
    let ends = [(1e-2, 30.0), (0.3, 7.0), (1e-5, 1e-1), (3e-4, 3.0)];
    for (low, high) in ends {
        let goal = Goal::new(format!("lr=log {low}..{high}").parse().unwrap(), Horizon::steps(100));
        let question = super::question::Question::new(&goal, &Record::default()).unwrap();
        for x in [question.low, question.high, -99.0, 99.0] {
            let params = question.make(&[], x).unwrap();
            assert!(goal.space.raw(&params).is_ok(), "{params} of {low}..{high}");
        }
    }
}

/// What the theory says before any run: the peak of a constant rate is half that of `linear` for the same sum, nothing takes its
/// noise away; a schedule that is not known is like `linear`.
#[test]
fn schedules_start_from_the_theory() {
    let of = |spec: &str| {
        let goal = goal(0).schedule(spec);
        lean::Lean::of(&goal, &[("lr", 0.1)].into_iter().collect()).unwrap()
    };
    let (linear, constant) = (of("linear"), of("constant"));
    assert!(linear.shift.abs() < 0.01 && linear.louder.abs() < 0.01 && (linear.quiet - 1.0).abs() < 0.01);
    assert!(
        (constant.shift + 1.0).abs() < 0.01 && constant.louder > 0.3 && constant.quiet < 1e-9,
        "{constant:?}"
    );
    let cosine = of("cosine to 0.1");
    assert!(cosine.shift.abs() < 0.2 && (0.8..1.0).contains(&cosine.quiet), "{cosine:?}");
    let unknown = Goal { schedule: None, ..goal(0) };
    assert_eq!(lean::Lean::of(&unknown, &Params::new()).unwrap(), lean::Lean::NONE);
}

/// Where nothing is said, the search begins with the schedule of the lowest bound and everything else in the middle, and looks for
/// its rate first; the user's own setting goes before.
#[test]
fn the_search_begins_where_the_theory_likes_it_best() {
    let space = "lr=log 1e-5..1, s=cosine|linear, end=0.0..0.5, wd=log 1e-6..0.1";
    let goal = Goal { seed: 3, ..Goal::new(space.parse().unwrap(), Horizon::steps(TARGET)) };
    let goal = goal.schedule("{s} to {end}").budget(0.3);
    let (record, _) = search(&goal, &|p, h, s| PLAIN.run(p, h, s));
    assert!(record.params.len() >= 4);
    for params in &record.params[..4] {
        assert_eq!(params.text("s"), Some("linear"), "{params}");
        assert_eq!(params.float("end"), Some(0.0));
        assert!((params.float("wd").unwrap().log10() + 3.5).abs() < 1e-9);
    }
    let mut own: Params = [("lr", 0.01), ("end", 0.1), ("wd", 0.01)].into_iter().collect();
    own.set("s", "cosine");
    let goal = Goal { baseline: Some(own.clone()), ..goal };
    let Next::Run(plan) = Annealed::default().next(&goal, &Record::default()).unwrap() else { panic!() };
    assert_eq!(plan.trial, Trial::New(own));
}

/// With m momentum the best rate is 1 − m of the one without.
#[test]
fn momentum_moves_the_best_rate() {
    let lean = |m: f64| {
        let params = [("momentum", m)].into_iter().collect();
        lean::Lean::NONE.with_others(&params, &params).shift
    };
    assert_eq!((lean(0.0), lean(0.75)), (0.0, -2.0));
    assert_eq!((lean(1.0), lean(-1.0), lean(f64::NAN)), (0.0, 0.0, 0.0));
}

/// A batch of four times the size has a quarter of the noise, of which the theory is trusted to 70 %.
#[test]
fn batches_divide_the_noise() {
    let of = |name: &str, batch: i64| [(name, batch)].into_iter().collect::<Params>();
    let louder = |name: &str, batch: i64| lean::Lean::NONE.with_others(&of(name, batch), &of(name, 8)).louder;
    assert_eq!((louder("batch", 8), louder("batch", 2), louder("batch_size", 32)), (0.0, 1.4, -1.4));
    assert_eq!((louder("batch", 0), louder("patch", 32)), (0.0, 0.0));
}

/// Weight decay takes over-fitting away, from the shrinkage on that halves it; too much of it costs.
#[test]
fn weight_decay_counts_by_how_much_it_shrinks() {
    let mut v: Vec<f64> = law::PRIOR.iter().map(|(mean, _)| *mean).collect();
    (v[law::OVER_FROM], v[law::DECAY]) = (-2.0, -2.0);
    let law = law::Law::new(&v, law::Anchor { x: -5.0, tau: 0.0, loss: 0.0 }, false);
    // At the best rate, 2^−5, the shrinkage is a quarter at decay · updates/2 = 2^3.
    let place = |decay: f64| law::Place { decay, ..law::Place::USUAL };
    assert!((law.over(place(3.0)) + 1.3).abs() < 1e-12 && law.over(place(f64::NEG_INFINITY)) == 0.0);
    let loss = |decay: f64| law.at(-3.0, 0.0, place(decay)).loss;
    assert!(loss(3.0) < loss(-3.0) && loss(9.0) > loss(3.0) && loss(1e4).is_finite());
    let goal = goal(1);
    let decay = |name: &str, wd: f64| lean::decay(&goal, &[(name, wd)].into_iter().collect());
    assert_eq!(decay("weight_decay", 2.0 / TARGET as f64), Some(0.0));
    assert_eq!((decay("wd", 0.0), decay("wd", -1.0)), (Some(f64::NEG_INFINITY), Some(f64::NEG_INFINITY)));
    assert_eq!(decay("dropout", 0.1), None);
}

/// The more often a run sees each example, the sooner it over-fits.
#[test]
fn epochs_bring_over_fitting_nearer() {
    let from = |epochs: Option<f64>| law::over_from(epochs).0;
    assert_eq!((from(Some(1.0)), from(Some(0.5))), (7.0, 7.0));
    assert!(from(Some(4.0)) < 7.0 && from(Some(50.0)) < from(Some(4.0)));
    assert_eq!(from(None), law::PRIOR[law::OVER_FROM].0);
}

/// A seed on which every run breaks costs a few runs, not the search.
#[test]
fn runs_that_break_are_not_made_again() {
    let goal = goal(2).budget(2.0);
    let mut record = Record::default();
    let x = [("lr", 0.01)].into_iter().collect::<Params>();
    let plan = plan(&goal, &record, Trial::New(x.clone()), TARGET / 8, 1, String::new()).unwrap();
    let number = record.start(&plan);
    record.finish(number, PLAIN.run(&x, TARGET / 8, 1));
    let question = Question::new(&goal, &record).unwrap();
    assert!(question.broken.is_empty());
    let (horizon, seed) = (TARGET / 64, seeds::first(&goal, TARGET / 64));
    let number = record.start(&RunPlan { trial: Trial::Known(0), horizon, seed, ..plan });
    record.finish(number, RunState::Failed);
    let question = Question::new(&goal, &record).unwrap();
    assert_eq!((question.points.len(), question.broken.len()), (1, 1));
    let known = Search::new(question, &record, &Last::default()).unwrap().unwrap();
    let at = |h: u64| {
        let seed = seeds::first(&goal, h);
        known.option(&record, 0, (0.01f64.log2(), None), h, seed).unwrap()
    };
    assert!(at(TARGET / 64).is_none() && at(TARGET / 4).is_some());
    let (record, reason) = search(&goal, &|_, _, _| RunState::Failed);
    assert!(record.runs.len() < 30 && reason.contains("no run came to its end"), "{reason}");
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

/// A run that ended far better than all that the law can say of the target is named.
#[test]
fn a_run_that_ended_better_than_the_answer_is_named() {
    let goal = goal(5);
    let (mut record, _) = search(&goal, &|p, h, s| PLAIN.run(p, h, s));
    let named =
        |record: &Record| result(&goal, record).doubts.iter().any(|d| d.contains("ended at 1.2, better"));
    assert!(!named(&record));
    let (number, _) = begin(&goal, &mut record, -12.3, TARGET / 4, 77);
    record.finish(number, RunState::Complete(1.2));
    assert!(named(&record), "{:?}", result(&goal, &record).doubts);
}

/// Where the cheapest runs all end alike (an accuracy that is still that of guessing), longer ones tell.
#[test]
fn short_runs_that_show_nothing_do_not_end_the_search() {
    let goal = goal(8).budget(10.0);
    let run = |p: &Params, h: u64, s: u64| match h <= TARGET / 32 {
        true => RunState::Complete(3.0),
        false => PLAIN.run(p, h, s),
    };
    let (record, reason) = search(&goal, &run);
    let rate = result(&goal, &record).rate.unwrap();
    assert!(PLAIN.regret(rate.value) < 0.03, "{} after {} runs: {reason}", rate.value, record.runs.len());
}

/// A range of 2,000 octaves is walked through in wide steps, and a decision costs what it costs in a narrow one.
#[test]
fn a_range_of_any_width_is_searched() {
    let goal = Goal { space: "lr=log 1e-320..1e300".parse().unwrap(), ..goal(6) };
    let (record, _) = search(&goal, &|p, h, s| PLAIN.run(p, h, s));
    let rate = result(&goal, &record).rate.unwrap();
    assert!(PLAIN.regret(rate.value) < 0.02, "{} after {} runs", rate.value, record.runs.len());
    let question = Question::new(&goal, &record).unwrap();
    let known = Search::new(question, &record, &Last::default()).unwrap().unwrap().known;
    assert!(known.model.points_looked_at() < 4 * 80, "{}", known.model.points_looked_at());
}

/// Losses at the ends of what a float can hold, all equal, and with several settings: an answer or a clear word, never a panic.
#[test]
fn losses_of_any_size_are_survived() {
    let spaces = ["lr=log 1e-5..1", "lr=log 1e-5..1, wd=log 1e-6..0.1, kind=a|b"];
    let losses: [&dyn Fn(usize) -> f64; 4] =
        [&|i| if i % 2 == 0 { 1e308 } else { -1e308 }, &|i| 1e-320 * i as f64, &|_| 0.0, &|i| {
            if i == 3 { f64::NAN } else { 1e200 * i as f64 }
        }];
    for space in spaces {
        for loss in losses {
            let goal = Goal { space: space.parse().unwrap(), ..goal(1) };
            let mut record = Record::default();
            for i in 0..9 {
                let Next::Run(plan) = Annealed::default().next(&goal, &record).unwrap() else { break };
                let number = record.start(&plan);
                record.finish(number, RunState::Complete(loss(i)));
                result(&goal, &record);
            }
            assert!(record.runs.len() > 1);
        }
    }
}

/// Two runs on either side of the best rate end alike, further apart than any others, and above a cliff all are lost: no rate up there is
/// advised (with the difference of the two as the unit of all losses, that of a run that diverged was).
#[test]
fn two_runs_that_end_alike_are_no_measure() {
    let goal = Goal { seed: 0, ..Goal::new("lr=log 1e-5..1".parse().unwrap(), Horizon::steps(400)) };
    let goal = goal.schedule("linear");
    let complete = [
        (3.162e-3, 50, 2.4089),
        (8.106e-3, 50, 2.3118),
        (0.0253, 50, 2.2892),
        (4.98e-3, 100, 2.2379),
        (3.162e-3, 200, 2.1976),
        (0.0323, 200, 2.1967),
        (8.106e-3, 400, 2.0996),
    ];
    let lost = [(0.2024, 50), (0.07456, 100), (0.05152, 200), (0.068, 400)];
    let mut record = Record::default();
    let mut run = |rate: f64, horizon: u64, end: RunState| {
        let (number, _) = begin(&goal, &mut record, rate.log2(), horizon, seeds::first(&goal, horizon));
        record.finish(number, end);
    };
    complete.into_iter().for_each(|(rate, horizon, loss)| run(rate, horizon, RunState::Complete(loss)));
    lost.into_iter().for_each(|(rate, horizon)| run(rate, horizon, RunState::Diverged { at: 1 }));
    let rate = result(&goal, &record).rate.unwrap();
    assert!((5e-3..0.015).contains(&rate.value), "{rate:?}");
}
