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
