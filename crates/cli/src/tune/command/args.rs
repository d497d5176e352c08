//! The arguments of `lehr tune -- command`.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::time::seconds;

/// A program of the user's, and the study of it.
#[derive(Args, Default)]
#[command(next_help_heading = "Any program")]
pub struct Program {
    /// A TOML file that says all this (`lehr init` writes one)
    #[arg(value_name = "STUDY.toml")]
    pub file: Option<PathBuf>,
    /// What may be tried: 'lr=log 1e-5..1, wd=log 1e-6..1e-1, optimizer=sgd|adamw'
    #[arg(long, value_name = "SPACE", allow_hyphen_values = true)]
    pub space: Option<String>,
    /// Name of the number to tune in the program's reports [default: val_loss]
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Small values are good (the default)
    #[arg(long, conflicts_with = "maximize")]
    pub minimize: bool,
    /// Large values are good
    #[arg(long)]
    pub maximize: bool,
    /// Finds the metric in any line of output, as in 'val loss: (\S+)'; a group named step is the step
    #[arg(long, value_name = "REGEX", allow_hyphen_values = true)]
    pub metric_regex: Option<String>,
    /// Reads the metric from a log that the program writes: CSV, JSON lines, or a folder of TensorBoard events
    #[arg(long, value_name = "FILE:COLUMN")]
    pub metric_file: Option<String>,
    /// The best report of a run is its value, not the last one
    #[arg(long)]
    pub best_report: bool,
    /// The schedule that the program has of its own, so that comparisons are honest
    #[arg(long, value_name = "SCHEDULE")]
    pub own_schedule: Option<String>,
    /// The parameter that is the peak rate [default: lr]
    #[arg(long, value_name = "NAME")]
    pub rate: Option<String>,
    /// Updates per epoch: for schedules that speak of epochs, and `annealed` knows from it how soon a run may over-fit
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub steps_per_epoch: Option<f64>,
    /// Tokens per update, for schedules that speak of tokens
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub tokens_per_step: Option<f64>,
    /// Schedule files hold little-endian 64-bit floats, not CSV
    #[arg(long)]
    pub binary_schedule: bool,
    /// What the program takes from LEHR_* variables: steps, schedule, checkpoint, seed
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub reads: Vec<String>,
    /// Your present setting, as in 'lr=3e-4': it is trial 0, and results are told as the gain over it
    #[arg(long, value_name = "SETTING", allow_hyphen_values = true)]
    pub baseline: Option<String>,
    /// Stops runs early: none, median, halving, hyperband, patient, wilcoxon [default: none]
    #[arg(long, value_name = "NAME")]
    pub pruner: Option<String>,
    /// Losses on the way compare between trials, although their rates are not annealed yet
    #[arg(long)]
    pub comparable_epochs: bool,
    /// Trials of the study in all, those of earlier calls included [default: 20 where there is no other limit; the whole grid with --strategy grid; with annealed it ends by itself, within 10 full runs]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub trials: Option<usize>,
    /// So many trials more than there are
    #[arg(long, value_name = "N", conflicts_with = "trials", allow_negative_numbers = true)]
    pub more: Option<usize>,
    /// Nothing is started after so many hours
    #[arg(long, value_name = "H", allow_negative_numbers = true)]
    pub hours: Option<f64>,
    /// Longest time of a run: 90 (seconds), 5m, 2h
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_negative_numbers = true)]
    pub timeout: Option<f64>,
    /// Time that a program has for ending when it is asked to [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_negative_numbers = true)]
    pub grace: Option<f64>,
    /// A worker without a sign of life for so long is taken for dead [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_negative_numbers = true)]
    pub silence: Option<f64>,
    /// How often a trial of a dead worker is tried again [default: 2]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub retries: Option<usize>,
    /// Where the study is kept: sqlite:///file.db, postgresql://…, memory: [default: sqlite:///lehr.db]
    #[arg(long, value_name = "URL")]
    pub storage: Option<String>,
    /// Name of the study; an existing one goes on [default: from the command]
    #[arg(long, value_name = "NAME")]
    pub study: Option<String>,
    /// Runs at the same time [default: 1, or one per device]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<usize>,
    /// Devices that the jobs take in turn (CUDA_VISIBLE_DEVICES, or {device})
    #[arg(long, value_name = "0,1,…", value_delimiter = ',')]
    pub devices: Vec<String>,
    /// Only says what would be run, and what it would cost
    #[arg(long)]
    pub dry_run: bool,
    /// The program: a command with placeholders such as {lr} {steps} {seed} {schedule_file}
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

impl Program {
    /// Whether a program is to be tuned.
    pub fn is_given(&self) -> bool {
        !self.command.is_empty() || self.file.is_some()
    }

    /// Refuses arguments that only make sense with a program.
    pub fn refuse(&self) -> Result<(), Failure> {
        let given = [
            ("--space", self.space.is_some()),
            ("--metric", self.metric.is_some()),
            ("--minimize", self.minimize),
            ("--maximize", self.maximize),
            ("--metric-regex", self.metric_regex.is_some()),
            ("--metric-file", self.metric_file.is_some()),
            ("--best-report", self.best_report),
            ("--own-schedule", self.own_schedule.is_some()),
            ("--rate", self.rate.is_some()),
            ("--steps-per-epoch", self.steps_per_epoch.is_some()),
            ("--tokens-per-step", self.tokens_per_step.is_some()),
            ("--binary-schedule", self.binary_schedule),
            ("--reads", !self.reads.is_empty()),
            ("--baseline", self.baseline.is_some()),
            ("--pruner", self.pruner.is_some()),
            ("--comparable-epochs", self.comparable_epochs),
            ("--trials", self.trials.is_some()),
            ("--more", self.more.is_some()),
            ("--hours", self.hours.is_some()),
            ("--timeout", self.timeout.is_some()),
            ("--grace", self.grace.is_some()),
            ("--silence", self.silence.is_some()),
            ("--retries", self.retries.is_some()),
            ("--storage", self.storage.is_some()),
            ("--study", self.study.is_some()),
            ("--jobs", self.jobs.is_some()),
            ("--devices", !self.devices.is_empty()),
            ("--dry-run", self.dry_run),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Failure::usage(format!(
                "{name} is for tuning a program of yours: put its command at the end, as in \
                 `lehr tune {name} … -- python train.py --lr {{lr}}`"
            ))),
            None => Ok(()),
        }
    }
}
