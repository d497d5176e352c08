//! The arguments of `lehr tune`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use lehr::lab::{Model, Optimizer};
use lehr::tune::RateRange;

/// Finds a peak learning rate and a schedule: trains a model at many rates under several schedules and compares
///
/// Without arguments: red-wine quality, a small network, seven schedules. The results of every trial are written the
/// moment it ends; after Ctrl-C the same command with the same --out continues.
#[derive(Args)]
#[command(args_override_self = true, group = ArgGroup::new("length").args(["steps", "epochs"]))]
pub struct Tune {
    /// Data file: LIBSVM text, or CSV with a header and --target [default: the embedded red-wine quality]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// The column of a CSV file that holds the class
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub target: Option<String>,
    /// Validation file in the same format [default: a fifth of the data, drawn with --seed]
    #[arg(long, value_name = "FILE", requires = "data")]
    pub validation: Option<PathBuf>,
    /// logistic, softmax, or mlp:64,64 (the sizes of the hidden layers)
    #[arg(long, default_value = "mlp:32")]
    pub model: Model,
    /// sgd, momentum, nesterov, adam or adamw
    #[arg(long, default_value = "sgd")]
    pub optimizer: Optimizer,
    /// Schedules to compare, separated by semicolons
    #[arg(long, alias = "schedule", value_name = "'A; B'", default_value = DEFAULT_SCHEDULES)]
    pub schedules: String,
    /// Range of peak rates, low..high, on a log scale [default: by optimizer]
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    pub lr: Option<RateRange>,
    /// Peak rates per schedule
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub points: usize,
    /// How the rates are chosen
    #[arg(long, value_enum, default_value_t = Sampler::Grid)]
    pub sampler: Sampler,
    /// Search run by run instead of all at once: annealed (complete short runs, a model of rate and horizon), auto, gp,
    /// tpe, cmaes, random, sobol or grid; --points and --seeds do not count then, and nothing is kept in a folder
    #[arg(long, value_name = "NAME", conflicts_with_all = ["sampler", "out"])]
    pub strategy: Option<String>,
    /// With --strategy: full runs that may be spent
    #[arg(long, value_name = "RUNS", requires = "strategy", allow_hyphen_values = true)]
    pub budget: Option<f64>,
    /// With --strategy: regret at the end of a full run that is good enough [default: half the noise of one run]
    #[arg(long, value_name = "LOSS", requires = "strategy", allow_hyphen_values = true)]
    pub tolerance: Option<f64>,
    /// Seeds per trial: each is one run with its own initial weights and order of data [default: 20 on the
    /// built-in data, else 5]
    #[arg(long, value_name = "N")]
    pub seeds: Option<usize>,
    /// Updates of each run [default: 8 epochs]
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Length of each run in passes over the training data
    #[arg(long, value_name = "E", allow_hyphen_values = true)]
    pub epochs: Option<f64>,
    /// Examples per update [default: 4 on the built-in data, else 32]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Weight decay: of the gradient, or decoupled with adamw
    #[arg(long, default_value_t = 0.0, value_name = "W", allow_hyphen_values = true)]
    pub weight_decay: f64,
    /// Seed of everything: split, rates, runs
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Threads [default: all]; the results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Folder for the results [default: a new one in lehr-out]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Draw the picture into this file, too (.svg or .png)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Schedules that `lehr tune` compares where none are named: the simplest, and what people use most.
const DEFAULT_SCHEDULES: &str = "constant; linear; cosine; warmup 5%, cosine; warmup 5%, constant, 1-sqrt 20%; \
     step at 50% 75% by 0.1; restarts every 25%";

/// How the peak rates are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sampler {
    /// Evenly spaced on a log scale, the same for every schedule.
    Grid,
    /// Drawn at random, evenly on a log scale, each for a schedule drawn at random.
    Random,
}
