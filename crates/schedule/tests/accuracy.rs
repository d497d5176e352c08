//! Every form against arithmetic in 57 digits, at a million and a billion steps, last updates included.
//!
//! The references are the formulas of the documentation in their plainest form; with 57 digits their cancellations do
//! not matter.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Sub};

use astro_float_num::{BigFloat, Consts, RoundingMode};
use lehr_schedule::{Horizon, Schedule};

const BITS: usize = 192;
const RM: RoundingMode = RoundingMode::ToEven;

thread_local! {
    static CONSTANTS: RefCell<Consts> = RefCell::new(Consts::new().unwrap());
}

/// A number with 57 digits.
#[derive(Clone)]
struct Big(BigFloat);

fn big(x: f64) -> Big {
    Big(BigFloat::from_f64(x, BITS))
}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl $trait for Big {
            type Output = Big;
            fn $method(self, other: Big) -> Big {
                Big(self.0.$method(&other.0, BITS, RM))
            }
        }
        impl $trait<f64> for Big {
            type Output = Big;
            fn $method(self, other: f64) -> Big {
                self.$method(big(other))
            }
        }
    };
}

operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl Big {
    fn with(self, f: impl Fn(&BigFloat, &mut Consts) -> BigFloat) -> Big {
        CONSTANTS.with(|constants| Big(f(&self.0, &mut constants.borrow_mut())))
    }

    fn cos_pi(self) -> Big {
        let pi = CONSTANTS.with(|constants| Big(constants.borrow_mut().pi(BITS, RM)));
        (self * pi).with(|x, c| x.cos(BITS, RM, c))
    }

    fn ln(self) -> Big {
        self.with(|x, c| x.ln(BITS, RM, c))
    }

    fn tanh(self) -> Big {
        self.with(|x, c| x.tanh(BITS, RM, c))
    }

    fn pow(self, power: Big) -> Big {
        match self.0.is_zero() {
            true => big(0.0),
            false => self.with(|x, c| x.pow(&power.0, BITS, RM, c)),
        }
    }

    fn sqrt(self) -> Big {
        Big(self.0.sqrt(BITS, RM))
    }

    fn to_f64(&self) -> f64 {
        self.0.to_string().parse().unwrap()
    }
}

/// Updates worth trying: both ends, the middle, powers of two, and places in between.
fn updates(steps: u64) -> Vec<u64> {
    let mut updates: Vec<u64> = (0..40).chain(steps - 40..=steps).collect();
    updates.extend((0..steps.ilog2()).flat_map(|i| [1 << i, steps - (1 << i), steps / 2 - (1 << i) / 2]));
    updates.extend((1..200).map(|i| (i * 0x9E37_79B9 + i * i * 7919) % steps));
    updates
}

/// The largest error of a spec, relative to the value, or to the peak.
fn worst(spec: &str, relative_to_peak: bool, exact: impl Fn(Big, f64) -> Big) -> f64 {
    worst_of(spec, relative_to_peak, updates, exact)
}

/// The same for whole numbers of updates, of which the one after the last is left out.
fn inside(spec: &'static str, exact: impl Fn(u64, u64) -> Big) -> (&'static str, f64) {
    let updates = |steps| updates(steps).into_iter().filter(|t| *t < steps).collect();
    let worst = worst_of(spec, false, updates, |t, n| exact(t.to_f64() as u64, n as u64));
    (spec, worst)
}

fn worst_of(
    spec: &str,
    relative_to_peak: bool,
    updates: impl Fn(u64) -> Vec<u64>,
    exact: impl Fn(Big, f64) -> Big,
) -> f64 {
    let schedule: Schedule = spec.parse().unwrap_or_else(|e| panic!("{e}"));
    let mut worst = 0.0_f64;
    for steps in [1_000_000_u64, 1_000_000_000] {
        let curve = schedule.resolve(&Horizon::steps(steps)).unwrap();
        for t in updates(steps) {
            let exact = exact(big(t as f64), steps as f64);
            let error = (big(curve.at(t)) - exact.clone()).to_f64().abs();
            let size = if relative_to_peak { 1.0 } else { exact.to_f64().abs() };
            // Subnormal rates have fewer digits.
            let relative = if error == 0.0 || size < 1e-300 { 0.0 } else { error / size };
            assert!(relative < 1e-13, "{spec} at {t} of {steps}: {} is off by {relative:e}", curve.at(t));
            worst = worst.max(relative);
        }
    }
    worst
}

/// from·r + to·(1 − r).
fn between(from: f64, to: f64, r: Big) -> Big {
    big(from) * r.clone() + big(to) * (big(1.0) - r)
}

fn half_cosine(u: Big) -> Big {
    (u.cos_pi() + 1.0) / 2.0
}

fn check(limit: f64, cases: Vec<(&str, f64)>) {
    for (spec, worst) in &cases {
        println!("{worst:9.2e}  {spec}");
    }
    for (spec, worst) in cases {
        assert!(worst <= limit, "{spec}: relative error {worst:e} > {limit:e}");
    }
}

#[test]
fn basic_forms_are_right_to_two_in_ten_to_the_fifteen() {
    let one = || big(1.0);
    check(
        2e-15,
        vec![
            ("constant from 0.3", worst("constant from 0.3", false, |_, _| big(0.3))),
            ("linear", worst("linear", false, |t, n| one() - t / n)),
            ("linear to 0.1", worst("linear to 0.1", false, |t, n| between(1.0, 0.1, one() - t / n))),
            ("linear from 1e-6 to 0.7", {
                worst("linear from 1e-6 to 0.7", false, |t, n| between(1e-6, 0.7, one() - t / n))
            }),
            ("cosine", worst("cosine", false, |t, n| half_cosine(t / n))),
            ("cosine to 0.1", worst("cosine to 0.1", false, |t, n| between(1.0, 0.1, half_cosine(t / n)))),
            ("cosine to 1e-7", worst("cosine to 1e-7", false, |t, n| between(1.0, 1e-7, half_cosine(t / n)))),
            ("cosine from 0 to 1", {
                worst("cosine from 0 to 1", false, |t, n| between(0.0, 1.0, half_cosine(t / n)))
            }),
            ("poly power 2", worst("poly power 2", false, |t, n| (one() - t / n).pow(big(2.0)))),
            ("poly power 3", worst("poly power 3", false, |t, n| (one() - t / n).pow(big(3.0)))),
            ("poly power 7 to 1e-9", {
                worst("poly power 7 to 1e-9", false, |t, n| between(1.0, 1e-9, (one() - t / n).pow(big(7.0))))
            }),
            ("poly power 20", worst("poly power 20", false, |t, n| (one() - t / n).pow(big(20.0)))),
            ("poly from 0 to 1 power 2", {
                worst("poly from 0 to 1 power 2", false, |t, n| one() - (one() - t / n).pow(big(2.0)))
            }),
        ],
    );
}

#[test]
fn every_other_form_is_right_to_one_in_ten_to_the_fourteen() {
    let one = || big(1.0);
    let power = |base: f64, x: Big| big(base).pow(x);
    check(
        1e-14,
        vec![
            ("poly power 0.5", worst("poly power 0.5", false, |t, n| (one() - t / n).sqrt())),
            ("poly power 2.7", worst("poly power 2.7", false, |t, n| (one() - t / n).pow(big(2.7)))),
            ("cosine power 1.5", worst("cosine power 1.5", false, |t, n| half_cosine(t / n).pow(big(1.5)))),
            ("cosine waves 3.5", worst("cosine waves 3.5", true, |t, n| half_cosine(t * 7.0 / n))),
            ("cosine bend 1.5", {
                worst("cosine bend 1.5", false, |t, n| half_cosine((t / n).pow(big(1.5))))
            }),
            ("poly power 2 bend 0.7", {
                worst("poly power 2 bend 0.7", false, |t, n| (one() - (t / n).pow(big(0.7))).pow(big(2.0)))
            }),
            ("exponential to 0.01", worst("exponential to 0.01", false, |t, n| power(0.01, t / n))),
            ("exponential to 1e-8", worst("exponential to 1e-8", false, |t, n| power(1e-8, t / n))),
            ("exponential from 1e-7 to 10", {
                worst("exponential from 1e-7 to 10", false, |t, n| big(1e-7) * (big(10.0) / 1e-7).pow(t / n))
            }),
            ("exponential to 0 base 0.5", {
                worst("exponential to 0 base 0.5", false, |t, n| (power(0.5, t / n) - 0.5) / 0.5)
            }),
            ("exponential every 1000 by 0.999", {
                worst("exponential every 1000 by 0.999", false, |t, _| power(0.999, t / 1000.0))
            }),
            ("exponential every 10000000 by 0.1", {
                worst("exponential every 10000000 by 0.1", false, |t, _| power(0.1, t / 1e7))
            }),
            ("1-sqrt", worst("1-sqrt", true, |t, n| one() - (t / n).sqrt())),
            ("tanh", {
                worst("tanh", false, |t, n| {
                    let x = (big(-7.0) * (one() - t.clone() / n) + big(3.0) * (t / n)).tanh();
                    (big(3.0).tanh() - x) / (big(3.0).tanh() - big(-7.0).tanh())
                })
            }),
            ("tanh left 0.5 right 2", {
                worst("tanh left 0.5 right 2", false, |t, n| {
                    let x = (big(0.5) * (one() - t.clone() / n) + big(2.0) * (t / n)).tanh();
                    (big(2.0).tanh() - x) / (big(2.0).tanh() - big(0.5).tanh())
                })
            }),
            ("log", worst("log", false, |t, n| one() - (t + 1.0).ln() / big(n + 1.0).ln())),
            ("log from 0 to 1", worst("log from 0 to 1", false, |t, n| (t + 1.0).ln() / big(n + 1.0).ln())),
            ("inverse-sqrt timescale 4000", {
                worst("inverse-sqrt timescale 4000", false, |t, _| (big(4000.0) / (t + 4000.0)).sqrt())
            }),
            ("inverse-time timescale 4000", {
                worst("inverse-time timescale 4000", false, |t, _| big(4000.0) / (t + 4000.0))
            }),
            ("power-law power 0.51 timescale 7", {
                worst("power-law power 0.51 timescale 7", false, |t, _| (big(7.0) / (t + 7.0)).pow(big(0.51)))
            }),
        ],
    );
}

#[test]
fn warmup_and_restarts_too() {
    check(
        2e-15,
        vec![
            (
                "warmup 100%",
                worst("warmup 100%", false, |t, n| match t.to_f64() < n {
                    true => (t + 1.0) / n,
                    false => big(1.0),
                }),
            ),
            (
                "restarts cycles 7",
                worst("restarts cycles 7", false, |t, n| {
                    let (t, n) = (t.to_f64() as u64, n as u64);
                    let place = if t == n { n } else { t * 7 % n };
                    half_cosine(big(place as f64) / n as f64)
                }),
            ),
        ],
    );
}

/// a/b
fn ratio(a: u64, b: u64) -> Big {
    big(a as f64) / b as f64
}

fn power(base: f64, exponent: u64) -> Big {
    big(base).pow(big(exponent as f64))
}

#[test]
fn cycles_and_jumps_too() {
    // Which of ten equal periods update t lies in, and how far in it.
    let tenth = |t: u64, n: u64| (t * 10 / n, ratio(t * 10 % n, n));
    let up_and_down = |u: Big| match u.to_f64() <= 0.5 {
        true => u * 2.0,
        false => (big(1.0) - u) * 2.0,
    };
    check(
        1e-14,
        vec![
            inside("step every 10% by 0.37", |t, n| power(0.37, tenth(t, n).0)),
            inside("step at 10% 50% 90% by 0.3", |t, n| {
                power(0.3, [1, 5, 9].into_iter().filter(|i| tenth(t, n).0 >= *i).count() as u64)
            }),
            inside("restarts to 0.1 every 10% peak 0.8", |t, n| {
                let (i, u) = tenth(t, n);
                let r = half_cosine(u);
                power(0.8, i) * r.clone() + big(0.1) * (big(1.0) - r)
            }),
            inside("restarts to 0.1 every 1000.5", |t, _| {
                between(1.0, 0.1, half_cosine(ratio(2 * t % 2001, 2001)))
            }),
            inside("restarts to 0.1 every 1000 grow 2", |t, _| {
                let i = (t / 1000 + 1).ilog2();
                between(1.0, 0.1, half_cosine(ratio(t - 1000 * ((1 << i) - 1), 1000 << i)))
            }),
            inside("cyclic from 0.1 to 1 every 10%", |t, n| between(1.0, 0.1, up_and_down(tenth(t, n).1))),
            inside("cyclic from 0.1 to 1 every 10% along cosine", |t, n| {
                between(0.1, 1.0, half_cosine(up_and_down(tenth(t, n).1)))
            }),
            inside("cyclic from 0.001 to 1 every 10% peak 0.5", |t, n| {
                let (i, u) = tenth(t, n);
                let r = up_and_down(u);
                power(0.5, i) * r.clone() + big(0.001) * (big(1.0) - r)
            }),
            inside("one-cycle", |t, n| match 10 * t < 3 * n {
                true => between(0.04, 1.0, half_cosine(ratio(10 * t, 3 * n))),
                false => between(1.0, 4e-6, half_cosine(ratio(10 * t - 3 * n, 7 * n))),
            }),
            inside("one-cycle up 30% down 40% along linear", |t, n| match 10 * t {
                x if x < 3 * n => between(1.0, 0.04, ratio(x, 3 * n)),
                x if x < 7 * n => between(0.04, 1.0, ratio(x - 3 * n, 4 * n)),
                x => between(4e-6, 0.04, ratio(x - 7 * n, 3 * n)),
            }),
            inside("table levels 1 0.3 0.7 0.1 every 20% along linear", |t, n| {
                let (i, u) = ((t * 5 / n) as usize, ratio(t * 5 % n, n));
                let levels = [1.0, 0.3, 0.7, 0.1, 0.1, 0.1];
                between(levels[i + 1], levels[i], u)
            }),
            inside("table levels 1 0.3 0.7 0.1 every 20%", |t, n| {
                big([1.0, 0.3, 0.7, 0.1, 0.1][(t * 5 / n) as usize])
            }),
        ],
    );
}

#[test]
fn combinators_too() {
    let cosine = |t: u64, n: u64| half_cosine(ratio(t, n));
    let smaller = |a: Big, b: Big| if a.to_f64() <= b.to_f64() { a } else { b };
    let larger = |a: Big, b: Big| if a.to_f64() >= b.to_f64() { a } else { b };
    check(
        1e-14,
        vec![
            inside("min(cosine, inverse-sqrt timescale 4000)", |t, n| {
                smaller(cosine(t, n), ratio(4000, 4000 + t).sqrt())
            }),
            inside("max(cosine, exponential to 0.01)", |t, n| {
                larger(cosine(t, n), big(0.01).pow(ratio(t, n)))
            }),
            inside("product(cosine to 0.1, exponential to 0.01, linear to 0.5)", |t, n| {
                let line = between(0.5, 1.0, ratio(t, n));
                between(1.0, 0.1, cosine(t, n)) * big(0.01).pow(ratio(t, n)) * line
            }),
            inside(
                "product(cyclic from 0.1 to 1 every 10%, exponential from 1 every 1000000 by 0.999)",
                |t, n| {
                    let u = ratio(t * 10 % n, n);
                    let up = if u.to_f64() <= 0.5 { u * 2.0 } else { (big(1.0) - u) * 2.0 };
                    between(1.0, 0.1, up) * big(0.999).pow(big(t as f64) / 1e6)
                },
            ),
            inside("sum(cosine, linear to 0.1)", |t, n| cosine(t, n) + between(0.1, 1.0, ratio(t, n))),
            inside("clamp from 0.1 to 0.9 (cosine)", |t, n| {
                smaller(larger(cosine(t, n), big(0.1)), big(0.9))
            }),
            inside("scale by 0.3 (cosine)", |t, n| cosine(t, n) * 0.3),
            inside("shift ahead 1000 (cosine)", |t, n| cosine((t + 1000).min(n), n)),
            inside("stretch 2 (inverse-sqrt timescale 4000)", |t, _| ratio(8000, 8000 + t).sqrt()),
            inside("stairs every 1000 (cosine)", |t, n| cosine(t / 1000 * 1000, n)),
            inside("repeat 10 (cosine to 0.1)", |t, n| between(1.0, 0.1, cosine(t * 10 % n, n))),
            inside("part after 1000 horizon 4000000000 (cosine)", |t, _| cosine(t + 1000, 4_000_000_000)),
            inside("warmup 10%, (constant 50%, cosine), linear 20% from 0.5 to 0.01", |t, n| match 10 * t {
                x if x < n => ratio(10 * (t + 1), n),
                x if x < n * 9 / 2 => big(1.0),
                x if x < 8 * n => cosine(20 * t - 9 * n, 7 * n),
                x => between(0.01, 0.5, ratio(x - 8 * n, 2 * n)),
            }),
        ],
    );
}
