//! Goals, runs and losses that are not as they should be.

use super::*;

/// Where noise is larger than what four octaves cost, a horizon below the target is asked a dozen times and not again.
#[test]
fn a_short_horizon_is_not_asked_for_ever() {
    let world = World { noise: 0.3, ..PLAIN };
    let goal = Goal { tolerance: Some(1e-6), ..goal(5) }.budget(10.0);
    let (record, reason) = search(&goal, &|p, h, s| world.run(p, h, s));
    let most = (0..record.runs.len()).map(|i| {
        let same = |run: &&crate::strategy::Run| run.horizon == record.runs[i].horizon;
        record.runs.iter().filter(same).count()
    });
    assert_eq!(most.max(), Some(TOLD), "{reason}");
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

/// Losses that fall up to where rates diverge, short of the target, are named until a longer run shows what is there.
#[test]
fn a_valley_that_divergence_cuts_off_is_named() {
    let (goal, mut record) = (goal(5), Record::default());
    let run = |record: &mut Record, x: f64, horizon: u64, end: Option<RunState>| {
        let (number, own) = begin(&goal, record, x, horizon, seeds::first(&goal, horizon));
        record.finish(number, end.unwrap_or(own));
    };
    let named =
        |record: &Record| result(&goal, record).doubts.iter().any(|d| d.contains("losses fall up to"));
    // The best rate of the horizon is 2^-5.5.
    run(&mut record, -8.0, TARGET / 8, None);
    run(&mut record, -6.5, TARGET / 8, Some(RunState::Diverged { at: 9 }));
    assert!(!named(&record), "one run shows no fall");
    run(&mut record, -10.0, TARGET / 8, None);
    assert!(named(&record));
    run(&mut record, -7.5, TARGET / 2, None);
    assert!(!named(&record));
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
