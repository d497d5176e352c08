//! What is known of schedules and other parameters before any run.

use super::*;

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
