//! How a run of a program ended.

use std::fmt;
use std::time::Duration;

/// What came out of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The program ended well and its metric was seen: the value of the run.
    Complete(f64),
    /// The metric was NaN or infinite.
    Diverged {
        /// The step of that report.
        step: u64,
        /// The value.
        value: f64,
    },
    /// It broke.
    Failed(Failure),
    /// It was stopped as its watcher asked.
    Stopped,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Exit 0, and no report.
    NoMetric {
        /// The metric's name.
        metric: String,
        /// What was reported instead.
        seen: Vec<String>,
    },
    /// Another exit code.
    Exit(i32),
    /// A signal that Lehr did not send.
    Signal(i32),
    /// SIGKILL that Lehr did not send; the kernel counted an out-of-memory kill meanwhile, or not.
    Killed {
        /// The kernel says so.
        out_of_memory: bool,
        /// Most memory of one of the program's processes, in bytes.
        peak_memory: u64,
    },
    /// It took longer than it may.
    Timeout(Duration),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMetric { metric, seen } if seen.is_empty() => write!(
                f,
                "it ended without a report of '{metric}': print JSON lines like {{\"step\": 1, \"{metric}\": 0.5}}, or \
                 say where the metric is found (--metric-regex, --metric-file)"
            ),
            Self::NoMetric { metric, seen } if seen.contains(metric) => {
                write!(f, "it ended without a report of '{metric}' that is a number")
            }
            Self::NoMetric { metric, seen } => {
                write!(f, "it ended without a report of '{metric}'; it reported {}", seen.join(", "))
            }
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by {}", signal_name(*signal)),
            Self::Killed { out_of_memory: true, peak_memory } => {
                write!(f, "killed by the kernel: out of memory (it held {} MiB)", peak_memory >> 20)
            }
            Self::Killed { out_of_memory: false, peak_memory } => write!(
                f,
                "killed (SIGKILL), and not by Lehr: out of memory, most likely (it held {} MiB)",
                peak_memory >> 20
            ),
            Self::Timeout(time) => write!(f, "it took longer than {} s", time.as_secs_f64()),
        }
    }
}

fn signal_name(signal: i32) -> String {
    #[cfg(unix)]
    if let Ok(signal) = nix::sys::signal::Signal::try_from(signal) {
        return signal.as_str().to_owned();
    }
    format!("signal {signal}")
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// What came out.
    pub outcome: Outcome,
    /// The last lines that it wrote.
    pub tail: Vec<String>,
    /// Reports that counted.
    pub reports: u64,
    /// Reports of a step that was not after the one before, and therefore did not count.
    pub ignored: u64,
    /// Step of the last report.
    pub last_step: Option<u64>,
    /// Processes that it left behind, which were ended.
    pub left_behind: u32,
    /// It did not end when it was asked to, and was killed.
    pub killed: bool,
    /// The most memory that one of its processes held, in bytes.
    pub peak_memory: u64,
    /// How long it ran.
    pub time: Duration,
}

impl Ended {
    /// The reason of a failure or divergence, in words.
    pub fn reason(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Complete(_) | Outcome::Stopped => None,
            Outcome::Diverged { step, value } => {
                Some(format!("the metric is {value} at step {step}: diverged"))
            }
            Outcome::Failed(failure) => Some(failure.to_string()),
        }
    }
}
