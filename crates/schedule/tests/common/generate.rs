//! Random schedules and horizons out of bytes: shared by the property tests (bytes from proptest, which then shrinks
//! them) and the fuzz target (bytes from the fuzzer).
use lehr_schedule::shape::{
    Change, Combine, Constant, Cycles, Cyclic, Decay, How, Jump, Modify, OneCycle, PowerLaw, Ramp, Repeat,
    Restarts, Sequence, Shape, Step, Table, Times, Warmup, When,
};
use lehr_schedule::{Course, Ease, EaseForm, GroupRate, Horizon, Level, Phase, Schedule, Span, Unit, With};

/// A schedule and a horizon from bytes. Every schedule is well-formed; many also fit the horizon.
pub fn generate(bytes: &[u8]) -> (Schedule, Horizon) {
    let mut choices = Choices { bytes, next: 0 };
    let horizon = choices.horizon();
    (choices.schedule(), horizon)
}

struct Choices<'b> {
    bytes: &'b [u8],
    next: usize,
}

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        byte
    }

    fn below(&mut self, n: u64) -> u64 {
        (u64::from(self.byte()) << 8 | u64::from(self.byte())) % n
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.byte() % 2 == 1).then(|| make(self))
    }

    fn horizon(&mut self) -> Horizon {
        let steps = self.one_of(&[1000, 1, 7, 64, 999, 4096]) + self.below(50);
        let per_epoch = self.one_of(&[10.0, 7.5, 33.3]);
        Horizon::steps(steps)
            .with_steps_per_epoch(per_epoch)
            .with_tokens_per_step(self.one_of(&[100.0, 4096.0]))
    }

    /// A number above 0: round, or with all its digits.
    fn positive(&mut self) -> f64 {
        match self.byte() % 4 {
            0 => self.one_of(&[1.0, 0.5, 0.1, 2.0, 1e-6, 1e-12, 3.0, 0.95]),
            1 => (1 + self.below(2000)) as f64 / 1000.0,
            2 => (1 + self.below(1000)) as f64 / 777.0,
            _ => 0.8,
        }
    }

    fn level(&mut self) -> Level {
        match self.byte() % 5 {
            0 => Level::Relative(0.0),
            1 => Level::lr(self.positive() * 1e-3),
            _ => Level::Relative(self.positive()),
        }
    }

    fn span(&mut self) -> Span {
        let amount = match self.byte() % 4 {
            0 => (1 + self.below(30)) as f64,
            1 => self.positive(),
            2 => (1 + self.below(100)) as f64 / 8.0,
            _ => 10.0,
        };
        match self.byte() % 4 {
            0 => Span { amount, unit: Unit::Steps },
            1 => Span { amount: amount.min(40.0), unit: Unit::Percent },
            2 => Span { amount: amount / 8.0, unit: Unit::Epochs },
            _ => Span { amount: amount * 1000.0, unit: Unit::Tokens },
        }
    }

    fn ease(&mut self) -> Ease {
        let form = match self.byte() % 7 {
            0 => EaseForm::Linear,
            1 => EaseForm::Poly { power: self.positive() },
            2 => EaseForm::Cosine { power: 1.0, waves: 0.5 },
            3 => EaseForm::Cosine { power: self.positive(), waves: self.positive() },
            4 => EaseForm::Exponential { base: Some(0.1 + self.positive() / 3.0) },
            5 => EaseForm::Tanh { left: -self.positive(), right: self.positive() },
            _ => return self.one_of(&[EaseForm::Log, EaseForm::OneMinusSqrt]).into(),
        };
        let bend = self.maybe(Self::positive).unwrap_or(1.0);
        match Ease::from(form) {
            // A base of exactly 1 is refused.
            Ease { form: EaseForm::Exponential { base: Some(1.0) }, .. } => Ease::LINEAR,
            ease => Ease { bend, ..ease },
        }
    }

    fn schedule(&mut self) -> Schedule {
        let phases = self.phases(0);
        let mut with = Vec::new();
        if self.byte().is_multiple_of(8) {
            let (from, to) = (self.positive(), self.positive());
            with.push(With::Channel { name: "momentum".into(), course: Course::Follow { from, to } });
            with.push(With::Group { name: "head".into(), rate: GroupRate::By(self.positive()) });
            with.push(With::Layers { count: 1 + self.below(5), by: self.positive().min(1.0) });
            with.push(With::Group { name: "body".into(), rate: GroupRate::Own(self.phases(2)) });
        }
        Schedule { phases, with }
    }

    /// One phase without a span, some with one around it.
    fn phases(&mut self, depth: u32) -> Vec<Phase> {
        let mut phases = Vec::new();
        for _ in 0..self.below(3) {
            let span = self.span();
            phases.push(Phase { shape: self.shape(depth), span: Some(span) });
        }
        phases.push(Phase { shape: self.shape(depth), span: None });
        if self.byte().is_multiple_of(4) {
            let span = self.span();
            phases.push(Phase { shape: self.shape(depth), span: Some(span) });
        }
        phases
    }

    fn shape(&mut self, depth: u32) -> Shape {
        let from = self.maybe(Self::level);
        let to = self.maybe(Self::level);
        match self.byte() % if depth < 2 { 16 } else { 11 } {
            0 => Constant { from }.into(),
            1 => {
                Warmup { from: from.unwrap_or(0.0.into()), to: to.unwrap_or(1.0.into()), along: self.ease() }
                    .into()
            }
            2 => Ramp { ease: self.ease(), from, to }.into(),
            3 => {
                Ramp { ease: EaseForm::Exponential { base: None }.into(), from, to: Some(0.01.into()) }.into()
            }
            4 => Decay { every: self.span(), by: self.positive(), from }.into(),
            5 => {
                let power = self.one_of(&[0.5, 1.0, 0.51]);
                PowerLaw { power, timescale: self.maybe(Self::span), from }.into()
            }
            6 => self.step(from),
            7 => self.restarts(from, to),
            8 => {
                let peak = self.positive();
                Cyclic { every: self.span(), up: None, from, to, peak, along: self.ease() }.into()
            }
            9 => OneCycle {
                along: Ease::COSINE,
                down: self.maybe(|_| Span::percent(30.0)),
                ..OneCycle::default()
            }
            .into(),
            10 => {
                let levels = (0..=self.below(5)).map(|_| self.level()).collect();
                Table { levels, every: self.maybe(Self::span), along: self.maybe(Self::ease) }.into()
            }
            11 => Sequence { of: self.phases(depth + 1) }.into(),
            12 => {
                let times = match self.byte() % 2 {
                    0 => Times::Count(1 + self.below(6)),
                    _ => Times::Every(self.span()),
                };
                Repeat { times, of: self.phases(depth + 1) }.into()
            }
            13 => {
                let how = self.one_of(&[How::Min, How::Max, How::Product, How::Sum]);
                Combine { how, of: (0..=self.below(3)).map(|_| self.part(depth + 1)).collect() }.into()
            }
            _ => Modify { change: self.change(), of: self.phases(depth + 1) }.into(),
        }
    }

    fn part(&mut self, depth: u32) -> Phase {
        Phase { shape: self.shape(depth), span: None }
    }

    fn step(&mut self, from: Option<Level>) -> Shape {
        let when = match self.byte() % 2 {
            0 => When::Every(self.span()),
            _ => When::At((1..=1 + self.below(4)).map(|i| Span::percent(i as f64 * 17.0)).collect()),
        };
        let jump = match &when {
            When::At(times) if self.byte().is_multiple_of(2) => {
                Jump::To(times.iter().map(|_| self.level()).collect())
            }
            When::At(times) if self.byte().is_multiple_of(2) => {
                Jump::By(times.iter().map(|_| self.positive()).collect())
            }
            _ => Jump::By(vec![self.positive()]),
        };
        Step { when, jump, from }.into()
    }

    fn restarts(&mut self, from: Option<Level>, to: Option<Level>) -> Shape {
        let grow = self.one_of(&[1.0, 2.0, 1.5, 3.0, 0.9]);
        let cycles = match self.byte() % 3 {
            0 => Cycles::Every { period: self.span(), grow, cycles: self.maybe(|c| 1 + c.below(9)) },
            1 => Cycles::Count { cycles: 1 + self.below(9), grow },
            _ => Cycles::At((1..=1 + self.below(4)).map(|i| Span::percent(i as f64 * 21.0)).collect()),
        };
        Restarts { cycles, peak: self.positive(), from, to, along: self.ease() }.into()
    }

    fn change(&mut self) -> Change {
        match self.byte() % 6 {
            0 => Change::Clamp { from: Some(Level::Relative(0.1)), to: self.maybe(|_| Level::Relative(0.9)) },
            1 => Change::Scale { by: self.positive() },
            2 => Change::Shift { ahead: self.span() },
            3 => Change::Stretch { factor: self.positive().max(1e-3) },
            4 => Change::Stairs { every: self.span() },
            _ => Change::Noise { size: self.positive().min(1.0), seed: self.below(1 << 16) },
        }
    }
}
