//! The guardian: a process between Lehr and a training program that lets nothing of the program outlive either.
//!
//! ```text
//! Lehr ──line── guardian (own session, subreaper) ── program (own process group) ── whatever it starts
//! ```
//!
//! The guardian is a fork of Lehr that never executes anything else: all it does is wait. When the program ends, when
//! Lehr says so, or when Lehr is gone (the line closes, even by SIGKILL), it ends every process that the program has
//! left, also those that made themselves daemons: Linux hands them to the guardian as the nearest subreaper. Should the
//! guardian itself be killed, the kernel kills the program (parent-death signal) and Lehr its process group. Other Unix
//! systems know neither subreapers nor parent-death signals: there the process group is all that is ended.
//!
//! **Invariant of the unsafe code.** Between fork and exec, and for ever in the guardian, only async-signal-safe calls
//! are made and nothing is allocated: other threads of Lehr may have held any lock at the moment of the fork.
#![allow(unsafe_code)]

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::select::{FdSet, pselect};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal};
use nix::sys::signal::{kill, sigaction, sigprocmask};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, chdir, dup2_stdin, fork, getpid, getppid, setpgid, setsid};

/// What Lehr tells the guardian.
const TERMINATE: u8 = b'T';
const KILL: u8 = b'K';
/// Time that the guardian takes for processes that do not die although they were killed (they hang in the kernel).
const ROUNDS: u32 = 500;
const ROUND: i64 = 10;

/// A program under guard.
#[derive(Debug)]
pub struct Guarded {
    guardian: Child,
    line: UnixStream,
    program: Option<Pid>,
    message: Vec<u8>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// Its exit status.
    pub status: ExitStatus,
    /// Processes that it had left behind and that were killed.
    pub left_behind: u32,
    /// The most memory that one of its processes held, in bytes.
    pub peak_memory: u64,
}

impl Guarded {
    /// Starts `command` under a guardian.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let (line, theirs) = UnixStream::pair()?;
        let (fd, lehr) = (theirs.as_raw_fd(), getpid());
        // SAFETY: `guard` keeps the invariant of this module.
        unsafe { command.pre_exec(move || guard(fd, lehr)) };
        let guardian = command.spawn()?;
        line.set_nonblocking(true)?;
        Ok(Self { guardian, line, program: None, message: Vec::new() })
    }

    /// What becomes readable when the program ends.
    pub fn line(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    /// What the program wrote, if it is piped; to be taken once.
    pub fn pipes(&mut self) -> (Option<std::process::ChildStdout>, Option<std::process::ChildStderr>) {
        (self.guardian.stdout.take(), self.guardian.stderr.take())
    }

    /// Asks the program to end (SIGTERM to its process group).
    pub fn terminate(&mut self) {
        self.say(TERMINATE);
    }

    /// Ends the program and all that it started (SIGKILL).
    pub fn kill(&mut self) {
        self.say(KILL);
    }

    fn say(&mut self, word: u8) {
        // A guardian that does not hear any more has ended, and its program with it.
        let _ = self.line.write_all(&[word]);
    }

    /// How the program ended, if it has. Everything that it started has ended, too.
    pub fn ended(&mut self) -> io::Result<Option<Exit>> {
        let mut buffer = [0; 64];
        loop {
            match self.line.read(&mut buffer) {
                Ok(0) => return self.abandoned().map(Some),
                Ok(n) => self.message.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return self.abandoned().map(Some),
                Err(e) => return Err(e),
            }
            if let Some(word) = number(&self.message, 0) {
                self.program = Some(Pid::from_raw(word as i32));
            }
            if let (Some(status), Some(left), Some(kilobytes)) =
                (number(&self.message, 1), number(&self.message, 2), number(&self.message, 3))
            {
                self.guardian.wait()?;
                let status = ExitStatus::from_raw(status as i32);
                return Ok(Some(Exit {
                    status,
                    left_behind: left as u32,
                    peak_memory: kilobytes.unsigned_abs() * 1024,
                }));
            }
        }
    }

    /// The guardian was killed: the kernel has killed the program, and its group follows.
    fn abandoned(&mut self) -> io::Result<Exit> {
        self.guardian.wait()?;
        if let Some(program) = self.program {
            let _ = kill(Pid::from_raw(-program.as_raw()), Signal::SIGKILL);
        }
        Ok(Exit { status: ExitStatus::from_raw(Signal::SIGKILL as i32), left_behind: 0, peak_memory: 0 })
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Lehr gives up on the program: what is left of it ends, and the guardian is not left as a zombie.
        self.kill();
        let _ = self.line.set_nonblocking(false);
        let _ = self.guardian.wait();
    }
}

/// The `i`-th number of a message of the guardian: the program's id, then status, left behind, kilobytes.
fn number(message: &[u8], i: usize) -> Option<i64> {
    let bytes = message.get(8 * i..8 * i + 8)?;
    Some(i64::from_ne_bytes(bytes.try_into().ok()?))
}

/// Runs in the forked process. In the program's process it returns, and the program is executed; in the guardian's it
/// never does.
fn guard(line: RawFd, lehr: Pid) -> io::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)?;
    setsid()?;
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_child_subreaper(true)?;
    let guardian = getpid();
    // SAFETY: both sides keep the invariant of this module.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => watch(line, lehr, child),
        ForkResult::Child => {
            setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
            #[cfg(target_os = "linux")]
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            if getppid() != guardian {
                return Err(Errno::ECHILD.into());
            }
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
            Ok(())
        }
    }
}

/// The guardian's life.
fn watch(line: RawFd, lehr: Pid, program: Pid) -> ! {
    let _ = setpgid(program, program);
    settle(line);
    // SAFETY: descriptor 0 is the line from here on, and open as long as the guardian lives.
    let line = unsafe { BorrowedFd::borrow_raw(0) };
    send(line, i64::from(program.as_raw()));
    let group = Pid::from_raw(-program.as_raw());
    let mut lehr_listens = true;
    while !has_ended(program) {
        pause(lehr_listens.then_some(line), 1000);
        match lehr_listens.then(|| hear(line)).flatten() {
            Some(Word::Terminate) => {
                let _ = kill(group, Signal::SIGTERM);
                // A stopped process hears nothing until it is continued.
                let _ = kill(group, Signal::SIGCONT);
            }
            Some(Word::Kill) => _ = kill(group, Signal::SIGKILL),
            Some(Word::Gone) => lehr_listens = false,
            None => {}
        }
        if !lehr_listens || getppid() != lehr {
            lehr_listens = false;
            let _ = kill(group, Signal::SIGKILL);
        }
    }
    let (status, left_behind) = clear_away(program, group);
    send(line, i64::from(status));
    send(line, i64::from(left_behind));
    let kilobytes = getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| usage.max_rss());
    send(line, kilobytes);
    // SAFETY: ends the process without running anything of the process that it was forked from.
    unsafe { libc::_exit(0) }
}

/// Lets go of everything that was inherited, and keeps the line as descriptor 0.
fn settle(line: RawFd) {
    // SAFETY: `line` is open: it was inherited, and only `dup2` uses it.
    let _ = dup2_stdin(unsafe { BorrowedFd::borrow_raw(line) });
    close_from(1);
    let _ = chdir(c"/");
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_name(c"lehr-guardian");
    extern "C" fn nothing(_: libc::c_int) {}
    let wake = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing; it is there so that the end of a child wakes `pselect`.
    let _ = unsafe { sigaction(Signal::SIGCHLD, &wake) };
}

fn close_from(first: RawFd) {
    // SAFETY: the guardian uses none of these descriptors, and no code of Lehr's runs in it.
    #[cfg(target_os = "linux")]
    if unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) } == 0 {
        return;
    }
    // SAFETY: as above; `sysconf` only reads.
    unsafe {
        let most = libc::sysconf(libc::_SC_OPEN_MAX).clamp(256, 1 << 16) as RawFd;
        (first..most).for_each(|fd| _ = libc::close(fd));
    }
}

/// What came over the line.
enum Word {
    Terminate,
    Kill,
    Gone,
}

fn hear(line: BorrowedFd<'_>) -> Option<Word> {
    let mut word = [0u8];
    // SAFETY: reads at most one byte into `word`.
    let read = unsafe { libc::recv(line.as_raw_fd(), word.as_mut_ptr().cast(), 1, libc::MSG_DONTWAIT) };
    match (read, word[0]) {
        (1, TERMINATE) => Some(Word::Terminate),
        (1, _) => Some(Word::Kill),
        (0, _) => Some(Word::Gone),
        _ => match Errno::last() {
            Errno::EAGAIN | Errno::EINTR => None,
            _ => Some(Word::Gone),
        },
    }
}

fn send(line: BorrowedFd<'_>, number: i64) {
    let bytes = number.to_ne_bytes();
    // SAFETY: sends 8 bytes of `bytes`. The line holds many such messages, so that it never blocks. Where Lehr is gone
    // nobody misses it (and SIGPIPE is blocked).
    unsafe { libc::send(line.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
}

/// Waits until a child ends, the line can be read, or the time (in milliseconds) has passed.
fn pause(line: Option<BorrowedFd<'_>>, milliseconds: i64) {
    let mut readable = FdSet::new();
    if let Some(line) = line {
        readable.insert(line);
    }
    let mut mask = SigSet::all();
    mask.remove(Signal::SIGCHLD);
    let _ = pselect(1, &mut readable, None, None, &TimeSpec::milliseconds(milliseconds), &mask);
}

/// Whether the program has ended; it stays a zombie, so that its id and that of its group remain its own. On the way,
/// other children that have ended (adopted ones) are buried.
#[cfg(target_os = "linux")]
fn has_ended(program: Pid) -> bool {
    use nix::sys::wait::{Id, waitid};
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::All, look) {
            Ok(WaitStatus::StillAlive) => return false,
            Ok(status) if status.pid() == Some(program) => return true,
            Ok(status) => drop(status.pid().map(|pid| waitpid(pid, Some(WaitPidFlag::WNOHANG)))),
            Err(Errno::EINTR) => {}
            Err(_) => return true,
        }
        // `waitid` may name the same dead child first for ever: the program is asked after by itself.
        match waitid(Id::Pid(program), look) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
            _ => return true,
        }
    }
}

/// Whether the program has ended. There are no adopted children here.
#[cfg(not(target_os = "linux"))]
fn has_ended(program: Pid) -> bool {
    // SAFETY: only looks (WNOWAIT) and writes into `info`.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let look = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_PID, program.as_raw() as libc::id_t, &mut info, look) != 0 || info.si_pid != 0
    }
}

/// Ends everything that the program has left. Gives the program's raw status and the number of processes that had to be
/// killed.
fn clear_away(program: Pid, group: Pid) -> (i32, u32) {
    let (mut status, mut killed) = (None, 0);
    // The program is still a zombie: its group cannot be another one's.
    let _ = kill(group, Signal::SIGKILL);
    for _ in 0..ROUNDS {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == program => status = Some(code << 8),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == program => status = Some(signal as i32),
                Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _)) => killed += 1,
                Ok(WaitStatus::StillAlive) => break,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return (status.unwrap_or(0), killed),
            }
        }
        #[cfg(target_os = "linux")]
        kill_children();
        pause(None, ROUND);
    }
    (status.unwrap_or(0), killed)
}

/// Kills every child of the guardian: what had left the group was handed to it.
#[cfg(target_os = "linux")]
fn kill_children() {
    use nix::fcntl::{OFlag, open};
    use nix::sys::stat::Mode;
    let Ok(list) = open(c"/proc/thread-self/children", OFlag::O_RDONLY, Mode::empty()) else { return };
    let (mut buffer, mut pid) = ([0u8; 512], 0i32);
    while let Ok(n) = nix::unistd::read(&list, &mut buffer) {
        for &byte in &buffer[..n] {
            if byte.is_ascii_digit() {
                pid = pid.wrapping_mul(10).wrapping_add(i32::from(byte - b'0'));
            } else if pid > 1 {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                pid = 0;
            }
        }
        if n == 0 {
            break;
        }
    }
}
