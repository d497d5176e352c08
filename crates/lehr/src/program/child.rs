//! Running a program once: start it, read what it says, stop it, and say how it ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::ended::{Ended, Failure, Outcome};
use super::error::ProgramError;
use super::follow::Follow;
use super::guard::{Exit, Guarded};
use super::lines::{Line, Lines};
use super::log::Log;
use super::metric::{Metric, Names, Seen, Source, Take};

/// Time between two looks at files and at the watcher.
const LOOK: Duration = Duration::from_millis(50);
/// Most that is read of a pipe at a time.
const CHUNK: usize = 1 << 16;
/// How long output is waited for after all processes have ended: longer only if one hangs in the kernel.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// One start of a program.
#[derive(Clone, Debug)]
pub struct Start {
    /// The words of the command.
    pub words: Vec<String>,
    /// Variables that are set besides those of Lehr's own environment.
    pub environment: BTreeMap<String, OsString>,
    /// The working folder; `None`: Lehr's own.
    pub folder: Option<PathBuf>,
    /// Takes what the program writes and what is not a report.
    pub log: PathBuf,
    /// A file to which the program may append reports.
    pub report: PathBuf,
    /// A log of the program's own that holds its metric.
    pub source: Option<Source>,
    /// Reports up to this step are known already: the program goes on from a checkpoint.
    pub after: Option<u64>,
    /// Longest time that it may take.
    pub timeout: Option<Duration>,
    /// Time that it has for ending when it is asked to.
    pub grace: Duration,
}

/// What a watcher of a run wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The run goes on.
    Go,
    /// The run stops: the program is asked to end, and made to after the time of grace.
    Stop,
    /// The run stops at once.
    Kill,
}

/// Whoever watches a run.
pub trait Watch {
    /// A report has come. Steps rise and values are finite.
    fn report(&mut self, step: u64, value: f64) -> Wish;

    /// Time has passed; called many times a second.
    fn look(&mut self) -> Wish {
        Wish::Go
    }
}

/// Runs a program to its end. When this returns, no process of it is left.
///
/// # Errors
/// [`ProgramError`] if it cannot be started or its files cannot be written. Everything else is an [`Ended`].
pub fn run(start: &Start, metric: &Metric, watch: &mut dyn Watch) -> Result<Ended, ProgramError> {
    Running::new(start, metric)?.finish(watch)
}

struct Running<'a> {
    start: &'a Start,
    program: Guarded,
    pipes: [Pipe; 2],
    files: Vec<Follow>,
    reports: Reports<'a>,
    log: Log,
    began: Instant,
    oom_kills: Option<u64>,
    stopping: Option<Stopping>,
}

/// Why and since when a program is being stopped.
struct Stopping {
    why: Why,
    since: Instant,
    killed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Why {
    Wished,
    Diverged { step: u64, value: f64 },
    Timeout,
}

impl<'a> Running<'a> {
    fn new(start: &'a Start, metric: &'a Metric) -> Result<Self, ProgramError> {
        let Some((program, words)) = start.words.split_first() else { return Err(ProgramError::NoCommand) };
        let log = Log::open(&start.log)?;
        // An attempt before this one may have left reports there.
        fs::write(&start.report, "").map_err(ProgramError::io("write", &start.report))?;
        let channel = Source { path: start.report.clone(), column: metric.name.clone() };
        let files = [Some(&channel), start.source.as_ref()].into_iter().flatten().map(Follow::new).collect();
        let mut command = Command::new(program);
        command.args(words).envs(&start.environment).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &start.folder {
            command.current_dir(folder);
        }
        let oom_kills = oom_kills();
        let failed = |source| ProgramError::Start { program: program.clone(), source };
        let mut program = Guarded::start(command).map_err(failed)?;
        let (out, err) = program.pipes();
        let pipes = [Pipe::new(out.map(Into::into), true), Pipe::new(err.map(Into::into), false)];
        let reports = Reports::new(metric, start.after);
        let began = Instant::now();
        Ok(Self { start, program, pipes, files, reports, log, began, oom_kills, stopping: None })
    }

    fn finish(mut self, watch: &mut dyn Watch) -> Result<Ended, ProgramError> {
        let failed = |source| ProgramError::Io { action: "watch", path: self.start.log.clone(), source };
        let mut looked = Instant::now();
        let exit = loop {
            self.wait().map_err(failed)?;
            self.read_pipes();
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.read_files(false);
                self.log.flush();
                self.obey(watch.look());
            }
            self.pass_on(watch);
            self.hurry();
            if let Some(exit) = self.program.ended().map_err(failed)? {
                break exit;
            }
        };
        let end = Instant::now();
        while self.pipes.iter().any(|pipe| pipe.stream.is_some()) && end.elapsed() < LAST_WORDS {
            self.wait_for_output();
            self.read_pipes();
            self.pass_on(watch);
        }
        for pipe in &mut self.pipes {
            pipe.close(&mut self.reports, &mut self.log);
        }
        self.read_files(true);
        self.pass_on(watch);
        Ok(self.ended(exit))
    }

    /// Waits for output, the end, or the time of the next look.
    fn wait(&self) -> io::Result<()> {
        let streams = self.pipes.iter().filter_map(|pipe| pipe.stream.as_ref());
        let mut waited: Vec<PollFd<'_>> =
            streams.map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLIN)).collect();
        waited.push(PollFd::new(self.program.line(), PollFlags::POLLIN));
        match poll(&mut waited, PollTimeout::from(LOOK.as_millis() as u16)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn wait_for_output(&self) {
        let streams = self.pipes.iter().filter_map(|pipe| pipe.stream.as_ref());
        let mut waited: Vec<PollFd<'_>> =
            streams.map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLIN)).collect();
        let _ = poll(&mut waited, PollTimeout::from(LOOK.as_millis() as u16));
    }

    fn read_pipes(&mut self) {
        for pipe in &mut self.pipes {
            pipe.read(&mut self.reports, &mut self.log);
        }
    }

    fn read_files(&mut self, last: bool) {
        let Reports { names, waiting, .. } = &mut self.reports;
        for file in &mut self.files {
            if let Err(error) = file.read(last, names, &mut |seen| waiting.push(seen)) {
                self.log.remark(&format!("a log of the program cannot be read: {error}"));
            }
        }
    }

    /// Hands the reports that have come to the watcher.
    fn pass_on(&mut self, watch: &mut dyn Watch) {
        for seen in std::mem::take(&mut self.reports.waiting) {
            let Some((step, value)) = self.reports.count(seen) else { continue };
            if !value.is_finite() {
                self.stop(Why::Diverged { step, value }, false);
                continue;
            }
            let wish = watch.report(step, value);
            self.obey(wish);
        }
    }

    fn obey(&mut self, wish: Wish) {
        match wish {
            Wish::Go => {}
            Wish::Stop => self.stop(Why::Wished, false),
            Wish::Kill => self.stop(Why::Wished, true),
        }
    }

    fn stop(&mut self, why: Why, at_once: bool) {
        if self.stopping.is_none() {
            self.program.terminate();
            self.stopping = Some(Stopping { why, since: Instant::now(), killed: false });
        }
        if at_once {
            self.kill();
        }
    }

    fn kill(&mut self) {
        if let Some(stopping) = &mut self.stopping
            && !stopping.killed
        {
            stopping.killed = true;
            self.program.kill();
        }
    }

    /// Stops what takes too long, and kills what does not stop.
    fn hurry(&mut self) {
        if self.start.timeout.is_some_and(|most| self.began.elapsed() > most) {
            self.stop(Why::Timeout, false);
        }
        if self.stopping.as_ref().is_some_and(|stopping| stopping.since.elapsed() > self.start.grace) {
            self.kill();
        }
    }

    fn ended(mut self, exit: Exit) -> Ended {
        let out_of_memory = self.oom_kills.zip(oom_kills()).is_some_and(|(before, after)| after > before);
        let timeout = self.start.timeout.unwrap_or_default();
        let outcome = match (self.stopping.as_ref().map(|s| s.why), self.reports.diverged) {
            (Some(Why::Diverged { step, value }), _) | (_, Some((step, value))) => {
                Outcome::Diverged { step, value }
            }
            (Some(Why::Timeout), _) => Outcome::Failed(Failure::Timeout(timeout)),
            (Some(Why::Wished), _) => Outcome::Stopped,
            (None, None) => self.reports.outcome(&exit, out_of_memory),
        };
        if exit.left_behind > 0 {
            self.log.remark(&format!("processes that it left behind were ended: {}", exit.left_behind));
        }
        Ended {
            outcome,
            reports: self.reports.counted,
            ignored: self.reports.ignored,
            last_step: self.reports.last,
            left_behind: exit.left_behind,
            killed: self.stopping.is_some_and(|stopping| stopping.killed),
            peak_memory: exit.peak_memory,
            time: self.began.elapsed(),
            tail: self.log.close(),
        }
    }
}

/// The reports of a run.
struct Reports<'a> {
    metric: &'a Metric,
    waiting: Vec<Seen>,
    names: Names,
    last: Option<u64>,
    value: Option<f64>,
    diverged: Option<(u64, f64)>,
    counted: u64,
    ignored: u64,
}

impl<'a> Reports<'a> {
    fn new(metric: &'a Metric, after: Option<u64>) -> Self {
        let (waiting, names) = (Vec::new(), Names::default());
        Self { metric, waiting, names, last: after, value: None, diverged: None, counted: 0, ignored: 0 }
    }

    /// Takes a line of output; what is not a report goes to the log.
    fn line(&mut self, line: Line<'_>, may_be_json: bool, log: &mut Log) {
        let json = if may_be_json { self.metric.in_json(line, &mut self.names) } else { None };
        if json.is_none() {
            log.line(line);
        }
        self.waiting.extend(json.or_else(|| self.metric.in_text(line)));
    }

    /// Counts a report: its step and value if it does count.
    fn count(&mut self, seen: Seen) -> Option<(u64, f64)> {
        if self.diverged.is_some() {
            return None;
        }
        let step = seen.step.unwrap_or_else(|| self.last.map_or(0, |last| last + 1));
        if self.last.is_some_and(|last| step <= last) {
            self.ignored += 1;
            return None;
        }
        let better = |old: f64| if self.metric.minimize { seen.value < old } else { seen.value > old };
        if self.metric.take == Take::Last || self.value.is_none_or(better) {
            self.value = Some(seen.value);
        }
        if !seen.value.is_finite() {
            self.diverged = Some((step, seen.value));
        }
        self.last = Some(step);
        self.counted += 1;
        Some((step, seen.value))
    }

    /// What came out of a program that nobody stopped.
    fn outcome(&self, exit: &Exit, out_of_memory: bool) -> Outcome {
        let peak_memory = exit.peak_memory;
        Outcome::Failed(match (exit.status.code(), exit.status.signal(), self.value) {
            (Some(0), _, Some(value)) => return Outcome::Complete(value),
            (Some(0), ..) => {
                Failure::NoMetric { metric: self.metric.name.clone(), seen: self.names.seen().to_vec() }
            }
            (Some(code), ..) => Failure::Exit(code),
            (None, Some(signal), _) if signal == Signal::SIGKILL as i32 => {
                Failure::Killed { out_of_memory, peak_memory }
            }
            (None, signal, _) => Failure::Signal(signal.unwrap_or(0)),
        })
    }
}

/// One of the program's streams.
struct Pipe {
    stream: Option<fs::File>,
    lines: Lines,
    json: bool,
}

impl Pipe {
    fn new(stream: Option<std::os::fd::OwnedFd>, json: bool) -> Self {
        let stream = stream.map(fs::File::from);
        if let Some(stream) = &stream {
            // Without this a read could wait while the other stream is full.
            let _ = fcntl(stream, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        }
        Self { stream, lines: Lines::default(), json }
    }

    /// Reads what is there, at most a chunk.
    fn read(&mut self, reports: &mut Reports<'_>, log: &mut Log) {
        let Some(stream) = &mut self.stream else { return };
        let mut buffer = [0; CHUNK];
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => {
                self.lines.feed(&buffer[..n], &mut |line| reports.line(line, self.json, log));
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            _ => self.stream = None,
        }
    }

    fn close(&mut self, reports: &mut Reports<'_>, log: &mut Log) {
        self.lines.close(&mut |line| reports.line(line, self.json, log));
    }
}

/// How many processes of this control group the kernel has killed for lack of memory so far, where it says so.
fn oom_kills() -> Option<u64> {
    let group = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = group.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let events = Path::new("/sys/fs/cgroup").join(path).join("memory.events");
    let events = fs::read_to_string(events).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|count| count.parse().ok())
}
