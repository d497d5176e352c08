//! The feature `candle`: the scheduler drives real optimisers, and the example is tuned by the program `lehr`.
//!
//! `cargo xtask test` builds what it needs: the program, and `cargo build --workspace --features lehr/candle --example candle`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, SGD};
use lehr::prelude::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value as Json;

fn scheduler(spec: &str, steps: u64) -> Scheduler {
    Scheduler::new(spec, &Horizon::steps(steps), 0.1).unwrap()
}

#[test]
fn an_optimiser_gets_the_rate_of_each_update() {
    let schedule: Schedule = "warmup 5%, cosine to 0.1".parse().unwrap();
    let curve = schedule.resolve_with_peak(&Horizon::steps(100), 0.1).unwrap();
    let x = Var::new(&[3.0f32, -2.0], &Device::Cpu).unwrap();
    let mut optimizer = SGD::new(vec![x.clone()], 0.0).unwrap();
    let mut steps = Scheduler::from(curve.clone());
    let mut by_hand = [3.0f32, -2.0];
    for t in 0..100 {
        assert_eq!(steps.drive(&mut optimizer), curve.at(t));
        assert_eq!(optimizer.learning_rate(), curve.at(t));
        optimizer.backward_step(&x.sqr().unwrap().sum_all().unwrap()).unwrap();
        by_hand.iter_mut().for_each(|x| *x -= (2.0 * *x) * curve.at(t) as f32);
    }
    let trained = x.to_vec1::<f32>().unwrap();
    assert!(trained.iter().zip(by_hand).all(|(a, b)| (a - b).abs() < 1e-6), "{trained:?} {by_hand:?}");
}

#[test]
fn channels_reach_adamw_and_other_settings_stay() {
    let mut optimizer =
        AdamW::new(Vec::new(), ParamsAdamW { eps: 1e-6, beta2: 0.95, ..ParamsAdamW::default() }).unwrap();
    let spec = "linear with momentum from 0.95 to 0.85 with weight-decay from 0 to 0.1";
    let mut steps = scheduler(spec, 10);
    for t in 0..10 {
        let (momentum, decay) = (steps.channel("momentum").unwrap(), steps.channel("weight-decay").unwrap());
        let rate = steps.drive_adamw(&mut optimizer);
        let now = optimizer.params();
        assert_eq!((now.lr, now.beta1, now.weight_decay), (rate, momentum, decay));
        assert_eq!((now.eps, now.beta2, steps.updates()), (1e-6, 0.95, t + 1));
    }
    let before = optimizer.params().clone();
    scheduler("linear", 10).drive_adamw(&mut optimizer);
    let after = optimizer.params();
    assert_eq!((after.beta1, after.weight_decay, after.lr), (before.beta1, before.weight_decay, 0.1));
}

#[test]
fn a_plateau_drives_an_optimiser_and_goes_on_where_it_was_saved() {
    let spec = "plateau by 0.5 patience 2";
    let train = |steps: &mut Scheduler, x: &Var, from: usize, to: usize| {
        let mut optimizer = SGD::new(vec![x.clone()], 0.0).unwrap();
        let noise =
            |t: usize| Tensor::new(if t.is_multiple_of(2) { 0.4f32 } else { -0.4 }, &Device::Cpu).unwrap();
        for t in from..to {
            let loss = (x.as_tensor() + noise(t)).unwrap().sqr().unwrap();
            steps.drive(&mut optimizer);
            optimizer.backward_step(&loss).unwrap();
            steps.observe(f64::from(loss.to_scalar::<f32>().unwrap()));
        }
    };
    let begin = || (scheduler(spec, 60), Var::new(2.0f32, &Device::Cpu).unwrap());
    let (mut whole, x) = begin();
    train(&mut whole, &x, 0, 60);
    let (mut first, y) = begin();
    train(&mut first, &y, 0, 25);
    let saved = serde_json::to_string(&first.state()).unwrap();
    let (mut second, _) = begin();
    second.restore(serde_json::from_str(&saved).unwrap()).unwrap();
    train(&mut second, &y, 25, 60);
    assert_eq!(second.state(), whole.state());
    assert_eq!(x.to_scalar::<f32>().unwrap(), y.to_scalar::<f32>().unwrap());
    assert!(whole.rate() < 0.1, "the rate was never cut");
}

/// A program of this build: this test lies in `deps` beside it.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is not built: see the head of this file", path.display());
    path
}

fn lehr(folder: &Path, arguments: &[&str], own: &[&str]) -> Command {
    let mut command = Command::new(built("lehr"));
    command
        .args(["tune", "--json", "--steps", "400", "--schedules", "linear; warmup 5%, cosine"])
        .args(arguments);
    command.arg("--").arg(built("examples/candle")).args(own);
    command.args(["--steps", "{steps}", "--seed", "{seed}", "--schedule-file", "{schedule_file}"]);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn outcome(command: &mut Command) -> Json {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// The validation losses that the example prints.
fn losses(arguments: &[&str]) -> Vec<f64> {
    let done = Command::new(built("examples/candle")).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let lines = String::from_utf8(done.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["val_loss"].as_f64().unwrap())
        .collect()
}

#[test]
fn the_example_is_tuned_and_its_best_trial_can_be_made_again_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let found =
        outcome(&mut lehr(folder.path(), &["--lr", "1e-3..1", "--sampler", "sobol", "--trials", "6"], &[]));
    assert_eq!(found["counts"], serde_json::json!({"complete": 6}), "{found}");
    let (best, params) = (found["best"]["value"].as_f64().unwrap(), &found["best"]["params"]);
    assert!(best < 0.95, "three classes by chance are 1.1: {found}");
    // The text and the peak give the numbers of the file.
    let (lr, schedule) = (params["lr"].to_string(), params["schedule"].as_str().unwrap());
    let seed = found["best"]["seed"].as_u64().unwrap_or(0).to_string();
    let again = losses(&["--steps", "400", "--lr", &lr, "--schedule", schedule, "--seed", &seed]);
    assert_eq!(again.len(), 4);
    assert_eq!(again[3], best);
    assert!(again[3] < again[0], "{again:?}");
}

#[test]
fn a_run_that_is_paused_ends_as_one_that_was_not() {
    let own = ["--checkpoint", "{checkpoint}", "--resume", "{resume}", "--every", "20", "--pause", "4"];
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--lr", "0.05..0.5", "--sampler", "sobol", "--trials", "1"];
    let mut begun = lehr(folder.path(), &arguments, &own);
    let mut begun = begun.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(100);
    while !has_checkpoint(folder.path()) {
        assert!(Instant::now() < end && begun.try_wait().unwrap().is_none(), "no checkpoint");
        std::thread::sleep(Duration::from_millis(10));
    }
    kill(Pid::from_raw(begun.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(begun.wait().unwrap().code(), Some(130), "it was to be interrupted");
    let resumed = outcome(&mut lehr(folder.path(), &arguments, &own));
    let elsewhere = tempfile::tempdir().unwrap();
    let whole = outcome(&mut lehr(elsewhere.path(), &arguments, &own));
    assert_eq!(resumed["counts"], serde_json::json!({"complete": 1}));
    assert_eq!(resumed["best"]["value"], whole["best"]["value"]);
}

fn has_checkpoint(folder: &Path) -> bool {
    let mut folders = vec![folder.join("lehr-out")];
    while let Some(entries) = folders.pop().map(std::fs::read_dir) {
        for entry in entries.into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("step-") {
                return true;
            }
            if entry.path().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    false
}
