//! From one level to another along an ease, in a form that keeps every digit.
use super::fill::{self, mix};
use crate::ease::{Ease, EaseForm};
use crate::error::Problem;
use crate::math::{
    bounded_product, cos_squared_of_waves, exp, expm1, log, log1p, one_minus_power, power_of_ratio,
    ratio_to_power, sin_half_pi, sqrt,
};

/// The way from one level to another.
///
/// Places on it are given by what is gone and what is left of a length, so that neither end loses digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slope {
    from: f64,
    to: f64,
    form: Form,
    bend: f64,
}

/// The ease with its cases told apart and its constants worked out.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Linear,
    Cosine,
    CosinePower(f64),
    Waves {
        waves: f64,
        power: f64,
    },
    Poly(f64),
    /// from^(1−u)·to^u.
    Geometric,
    /// (B^u − B)/(1 − B), by ln B.
    Exponential(f64),
    OneMinusSqrt,
    Tanh {
        left: f64,
        right: f64,
    },
    Log,
}

impl Slope {
    pub fn new(ease: Ease, from: f64, to: f64) -> Result<Self, Problem> {
        let form = match ease.form {
            EaseForm::Linear | EaseForm::Poly { power: 1.0 } => Form::Linear,
            EaseForm::Poly { power } => Form::Poly(power),
            EaseForm::Cosine { power: 1.0, waves: 0.5 } => Form::Cosine,
            EaseForm::Cosine { power, waves: 0.5 } => Form::CosinePower(power),
            EaseForm::Cosine { power, waves } => Form::Waves { waves, power },
            EaseForm::Exponential { base: Some(base) } => Form::Exponential(log(base)),
            EaseForm::Exponential { base: None } if from > 0.0 && to > 0.0 => Form::Geometric,
            EaseForm::Exponential { base: None } => {
                let problem = "an exponential needs both its levels above 0: give `to` (and in a warm-up `from`), or \
                               a `base`, or write `exponential every … by …`";
                return Err(Problem::Settings(problem));
            }
            EaseForm::OneMinusSqrt => Form::OneMinusSqrt,
            EaseForm::Tanh { left, right } => Form::Tanh { left, right },
            EaseForm::Log => Form::Log,
        };
        Ok(Self { from, to, form, bend: ease.bend })
    }

    pub fn start(&self) -> f64 {
        self.from
    }

    /// The same way from another level. (A geometric one from 0 stays at 0.)
    pub fn with_start(&self, from: f64) -> Self {
        Self { from, ..*self }
    }

    /// The same way between other levels.
    pub fn between(&self, from: f64, to: f64) -> Self {
        Self { from, to, ..*self }
    }

    /// The level at the end of the way.
    pub fn end(&self) -> f64 {
        match self.form {
            Form::Waves { .. } => self.at(1.0, 0.0, 1.0),
            _ => self.to,
        }
    }

    /// The level where `gone` of `length` is gone and `left` is left.
    #[inline]
    pub fn at(&self, gone: f64, left: f64, length: f64) -> f64 {
        match self.form {
            Form::Cosine if self.bend == 1.0 => self.cosine(gone, left, length),
            Form::Linear if self.bend == 1.0 => self.linear(gone, left, length),
            _ => self.other(gone, left, length),
        }
    }

    /// The levels of whole steps from `gone` on.
    pub fn fill(&self, gone: u64, length: f64, out: &mut [f64]) {
        match self.form {
            Form::Cosine if self.bend == 1.0 => fill::cosine(self.ramp(gone, length), out),
            Form::Linear if self.bend == 1.0 => fill::linear(self.ramp(gone, length), out),
            _ => {
                for (t, rate) in (gone..).zip(out) {
                    let gone = t as f64;
                    *rate = self.other(gone, length - gone, length);
                }
            }
        }
    }

    fn ramp(&self, gone: u64, length: f64) -> fill::Ramp {
        let gone = gone as f64;
        let (start, at_one, at_zero) = self.orient(gone, length - gone);
        let sign = if self.to <= self.from { -1.0 } else { 1.0 };
        fill::Ramp { start, sign, length, at_one, at_zero }
    }

    /// sin² of what is left on the way down, of what is gone on the way up: whichever is small keeps its digits.
    #[inline(always)]
    fn cosine(&self, gone: f64, left: f64, length: f64) -> f64 {
        let (small, at_one, at_zero) = self.orient(gone, left);
        let sine = sin_half_pi(small / length);
        mix(sine * sine, at_one, at_zero)
    }

    #[inline(always)]
    fn linear(&self, gone: f64, left: f64, length: f64) -> f64 {
        let (small, at_one, at_zero) = self.orient(gone, left);
        mix(small / length, at_one, at_zero)
    }

    #[inline(always)]
    fn orient(&self, gone: f64, left: f64) -> (f64, f64, f64) {
        match self.to <= self.from {
            true => (left, self.from, self.to),
            false => (gone, self.to, self.from),
        }
    }

    fn other(&self, gone: f64, left: f64, length: f64) -> f64 {
        let (gone, left, length) = self.bent(gone, left, length);
        if self.form == Form::Geometric {
            return self.geometric(gone, left, length);
        }
        match self.to <= self.from {
            true => mix(self.rest(gone, left, length), self.from, self.to),
            false => mix(self.gain(gone, left, length), self.to, self.from),
        }
    }

    /// The same place with u^bend for u.
    fn bent(&self, gone: f64, left: f64, length: f64) -> (f64, f64, f64) {
        if self.bend == 1.0 {
            return (gone, left, length);
        }
        let u = ratio_to_power(gone, length, self.bend);
        let v = if u < 0.5 { 1.0 - u } else { one_minus_power(left / length, self.bend) };
        (u, v, 1.0)
    }

    /// Counted from the nearer end, so that both are exact.
    fn geometric(&self, gone: f64, left: f64, length: f64) -> f64 {
        if self.from <= 0.0 {
            return 0.0;
        }
        // Levels more than 300 orders of magnitude apart have no ratio that a float can hold.
        let ratio = |a: f64, b: f64| (a / b).clamp(f64::MIN_POSITIVE, f64::MAX);
        match gone <= left {
            true => bounded_product(self.from, power_of_ratio(ratio(self.to, self.from), gone, length)),
            false => bounded_product(self.to, power_of_ratio(ratio(self.from, self.to), left, length)),
        }
    }

    /// r: the share of `from` that is left, exact where it is small.
    fn rest(&self, gone: f64, left: f64, length: f64) -> f64 {
        let u = gone / length;
        let v = left / length;
        match self.form {
            Form::Linear | Form::Geometric => v,
            Form::Cosine => squared(sin_half_pi(v)),
            Form::CosinePower(power) => libm::pow(squared(sin_half_pi(v)), power),
            Form::Waves { waves, power } => libm::pow(cos_squared_of_waves(waves, gone, length), power),
            Form::Poly(power) => ratio_to_power(left, length, power),
            Form::Exponential(ln_base) => expm1(-v * ln_base) / expm1(-ln_base),
            Form::OneMinusSqrt => v / (1.0 + sqrt(u)),
            Form::Tanh { left, right } => tanh_rest(left, right, u, v),
            Form::Log => log1p(left / (1.0 + gone)) / log1p(length),
        }
    }

    /// 1 − r, exact where it is small.
    fn gain(&self, gone: f64, left: f64, length: f64) -> f64 {
        let u = gone / length;
        let v = left / length;
        match self.form {
            Form::Linear | Form::Geometric => u,
            Form::Cosine => squared(sin_half_pi(u)),
            Form::CosinePower(power) => one_minus_power(squared(sin_half_pi(u)), power),
            Form::Waves { waves, power } => 1.0 - libm::pow(cos_squared_of_waves(waves, gone, length), power),
            Form::Poly(power) => one_minus_power(u, power),
            Form::Exponential(ln_base) => expm1(u * ln_base) / expm1(ln_base),
            Form::OneMinusSqrt => sqrt(u),
            Form::Tanh { left, right } => tanh_rest(-right, -left, v, u),
            Form::Log => log1p(gone) / log1p(length),
        }
    }
}

fn squared(x: f64) -> f64 {
    x * x
}

/// (tanh r − tanh x)/(tanh r − tanh l) at x = l·v + r·u, without cancellation at either end.
///
/// With d = r − l it is sinh(d·v)·cosh(l) / (sinh(d)·cosh(x)); the exponentials are taken out, so that nothing
/// overflows: the exponent left over is 0 where l and x are negative, −2x where only l is, −2d·u where none is.
fn tanh_rest(l: f64, r: f64, u: f64, v: f64) -> f64 {
    let d = r - l;
    let x = l * v + r * u;
    let left_over = if l >= 0.0 {
        -2.0 * d * u
    } else if x >= 0.0 {
        -2.0 * x
    } else {
        0.0
    };
    let magnitude = |y: f64| if y < 0.0 { -y } else { y };
    exp(left_over) * (expm1(-2.0 * d * v) / expm1(-2.0 * d)) * (1.0 + exp(-2.0 * magnitude(l)))
        / (1.0 + exp(-2.0 * magnitude(x)))
}
