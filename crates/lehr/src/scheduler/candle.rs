//! Driving candle's optimisers.

use candle_nn::{AdamW, Optimizer, ParamsAdamW};

use super::Scheduler;

impl Scheduler {
    /// Gives a candle optimiser the rate of the next update, counts that update as made, and returns the rate. Call it
    /// once before each `backward_step`:
    ///
    /// ```
    /// use candle_core::{Device, Var};
    /// use candle_nn::{Optimizer, SGD};
    /// use lehr::prelude::*;
    ///
    /// let x = Var::new(3.0f32, &Device::Cpu)?;
    /// let mut optimizer = SGD::new(vec![x.clone()], 0.0)?;
    /// let mut scheduler = Scheduler::new("warmup 5%, cosine", &Horizon::steps(100), 0.1)?;
    /// for _ in 0..100 {
    ///     scheduler.drive(&mut optimizer);
    ///     optimizer.backward_step(&x.sqr()?)?;
    /// }
    /// assert!(x.to_scalar::<f32>()?.abs() < 0.01);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Only the rate is set; for the channels of a schedule see [`drive_adamw`](Self::drive_adamw).
    pub fn drive<O: Optimizer>(&mut self, optimizer: &mut O) -> f64 {
        let rate = self.step();
        optimizer.set_learning_rate(rate);
        rate
    }

    /// As [`drive`](Self::drive), and the schedule's channels `weight-decay` and `momentum` (AdamW's `beta1`) go along with
    /// the rate. Without channels of that name the optimiser's own settings stay.
    pub fn drive_adamw(&mut self, optimizer: &mut AdamW) -> f64 {
        let now = optimizer.params().clone();
        optimizer.set_params(ParamsAdamW {
            weight_decay: self.channel("weight-decay").unwrap_or(now.weight_decay),
            beta1: self.channel("momentum").unwrap_or(now.beta1),
            ..now
        });
        self.drive(optimizer)
    }
}
