//! The arguments of `lehr tune`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use lehr::lab::{Model, Optimizer};
use lehr::tune::RateRange;

use super::command::Program;
use crate::failure::Failure;

/// Finds a peak learning rate and a schedule: trains at many rates under several schedules and compares
///
/// With a command behind `--` (or a TOML file, see `lehr init`) it tunes that program: `lehr tune --lr 1e-5..1 -- python
/// train.py --lr {lr}`. Without: a built-in model, by default a small network on red-wine quality. Results are kept
/// the moment they exist; after Ctrl-C the command that is printed continues.
#[derive(Args)]
#[command(args_override_self = true, group = ArgGroup::new("length").args(["steps", "epochs"]))]
pub struct Tune {
    /// Schedules to compare, separated by semicolons; one may have parameters in it ('warmup {w}, {shape}')
    #[arg(long, alias = "schedule", value_name = "'A; B'")]
    pub schedules: Option<String>,
    /// Range of peak rates, low..high, on a log scale [default for the built-in models: by optimizer]
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub lr: Option<RateRange>,
    /// How the rates are chosen: grid or random (built-in models); for programs any name of --strategy [default: grid]
    #[arg(long, value_name = "NAME")]
    pub sampler: Option<String>,
    /// Search run by run: annealed (complete short runs, a model of rate and horizon), auto, gp, tpe, cmaes, random, sobol
    /// or grid [default for programs: annealed where it fits, else auto]; on built-in models --points and --seeds do not count then, and nothing is
    /// kept in a folder
    #[arg(long, value_name = "NAME", conflicts_with = "sampler")]
    pub strategy: Option<String>,
    /// With --strategy or a program: full runs that may be spent [default: 10 for annealed, which ends by itself; on built-in models 30 for
    /// others]
    #[arg(long, value_name = "RUNS", allow_hyphen_values = true)]
    pub budget: Option<f64>,
    /// With --strategy or a program: regret at the end of a full run that is good enough [default: the noise of one run (a
    /// quarter of it where more than the rate is searched), or what a third of an octave costs]
    #[arg(long, value_name = "LOSS", allow_hyphen_values = true)]
    pub tolerance: Option<f64>,
    /// Updates of each run [default for the built-in models: 8 epochs]
    #[arg(long, value_name = "N", value_parser = crate::count::steps, allow_negative_numbers = true)]
    pub steps: Option<u64>,
    /// Seed of everything: split, rates, runs
    #[arg(long, value_name = "N", value_parser = crate::count::seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Seeds per trial: each is one run with its own initial weights and order of data, and the trial's value is their
    /// mean [default: 20 on the built-in data, 5 on other data, 1 for programs]
    #[arg(long, value_name = "N")]
    pub seeds: Option<usize>,
    /// Folder for the results [default: a new one in lehr-out; for programs lehr-out]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Draw the picture into this file, too (.svg or .png)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub builtin: Builtin,
    #[command(flatten)]
    pub program: Program,
}

/// What only the built-in models have.
#[derive(Args)]
#[command(next_help_heading = "Built-in models")]
pub struct Builtin {
    /// Data file: LIBSVM text, or CSV with a header and --target [default: the embedded red-wine quality]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// The column of a CSV file that holds the class
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub target: Option<String>,
    /// Validation file in the same format [default: a fifth of the data, drawn with --seed]
    #[arg(long, value_name = "FILE", requires = "data")]
    pub validation: Option<PathBuf>,
    /// logistic, softmax, or mlp:64,64 (the sizes of the hidden layers) [default: mlp:32]
    #[arg(long)]
    pub model: Option<Model>,
    /// sgd, momentum, nesterov, adam or adamw [default: sgd]
    #[arg(long)]
    pub optimizer: Option<Optimizer>,
    /// Peak rates per schedule [default: 16]
    #[arg(long, value_name = "N")]
    pub points: Option<usize>,
    /// Length of each run in passes over the training data
    #[arg(long, value_name = "E", allow_hyphen_values = true)]
    pub epochs: Option<f64>,
    /// Examples per update [default: 4 on the built-in data, else 32]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Weight decay: of the gradient, or decoupled with adamw [default: 0]
    #[arg(long, value_name = "W", allow_hyphen_values = true)]
    pub weight_decay: Option<f64>,
    /// Threads [default: all]; the results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

impl Tune {
    /// Refuses arguments that a program has no use for.
    pub fn refuse_builtin(&self) -> Result<(), Failure> {
        let args = &self.builtin;
        let given = [
            ("--data", args.data.is_some()),
            ("--model", args.model.is_some()),
            ("--optimizer", args.optimizer.is_some()),
            ("--points", args.points.is_some()),
            ("--epochs", args.epochs.is_some()),
            ("--batch", args.batch.is_some()),
            ("--weight-decay", args.weight_decay.is_some()),
            ("--threads", args.threads.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Failure::usage(format!(
                "{name} is of the built-in models; what a program has is a parameter of --space or a word of its command"
            ))),
            None => Ok(()),
        }
    }
}
