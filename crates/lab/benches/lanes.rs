//! 64 learning rates trained as lanes, against one run at a time here and in torch, and against the peak GEMM rate.
//!
//! Python: full
//!
//! Every contender does the same work: the same data, model, batches per epoch and optimiser (SGD), the losses on the
//! training and validation rows before and after, two threads. Beside the time on the clock stands the processor time,
//! which says the same on a machine that is busy with other things (Linux only). Contenders that take long are measured on a few of the
//! 64 rates (all of the same cost) and scaled; how many is said. `--json` prints one JSON object, `--rates N` and
//! `--epochs N` change the size, `--no-torch` leaves torch out.
mod peers;

use lehr_lab::{Control, Group, Lane, Task, TrainPlan, data, train_groups};
use lehr_schedule::{Horizon, Schedule};
use peers::{Cost, cost, dense_single, gemm_peak, torch};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

type Failure = Box<dyn std::error::Error>;

const THREADS: usize = 2;

struct Case {
    name: &'static str,
    task: Task,
    plan: TrainPlan,
    rates: usize,
    /// Floating-point operations of the products of one update of one lane.
    flops: f64,
}

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| words.iter().any(|w| w == name);
    let number = |name: &str, default: usize| -> Result<usize, Failure> {
        match words.iter().position(|w| w == name) {
            Some(i) => Ok(words.get(i + 1).ok_or(format!("{name} needs a number"))?.parse()?),
            None => Ok(default),
        }
    };
    let rates = number("--rates", 64)?;
    let peak = gemm_peak()?;
    let cases = [logistic(rates, number("--epochs", 3)?)?, mlp(rates, number("--epochs", 3)? * 10)?];
    let mut results = Vec::new();
    for case in &cases {
        results.push(measure(case, peak, !has("--no-torch"))?);
    }
    let report = json!({
        "schema": "lehr.bench.lanes/1", "threads": THREADS, "instructions": instructions(),
        "gemm_gflops_per_cpu": peak, "cases": results,
    });
    if has("--json") {
        println!("{report}")
    } else {
        print(&report)
    }
    Ok(())
}

fn instructions() -> String {
    let text = format!("{:?}", pulp::Arch::new());
    text.split('(').next().unwrap_or_default().to_owned()
}

/// a9a if it is there, else made-up data of the same shape.
fn logistic(rates: usize, epochs: usize) -> Result<Case, Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/a9a");
    let (name, task) = if folder.join("a9a").exists() {
        let train = data::read_libsvm(folder.join("a9a"), None)?;
        let validation = data::read_libsvm(folder.join("a9a.t"), Some(&train))?;
        ("logistic regression on a9a", Task::new(train, validation)?)
    } else {
        ("logistic regression on made-up data of the shape of a9a", peers::like_a9a()?)
    };
    let mut plan = TrainPlan::new("logistic".parse()?, 1);
    plan.batch = 64;
    plan.steps = plan.steps_per_epoch(&task) * epochs as u64;
    let entries = task.train().features().stored() as f64 / task.train().rows() as f64;
    Ok(Case { name, flops: 4.0 * entries * plan.batch as f64, task, plan, rates })
}

fn mlp(rates: usize, epochs: usize) -> Result<Case, Failure> {
    let task = Task::wine()?;
    let mut plan = TrainPlan::new("mlp:64,64".parse()?, 1);
    plan.steps = plan.steps_per_epoch(&task) * epochs as u64;
    let widths = plan.model.widths(task.train().features().columns(), task.train().classes().len())?;
    let products: usize = widths.windows(2).map(|w| w[0] * w[1]).sum();
    // Forward, weight gradient, and (but for the first layer) input gradient.
    let flops = 2.0 * plan.batch as f64 * (3 * products - widths[0] * widths[1]) as f64;
    Ok(Case { name: "mlp:64,64 on wine", task, plan, rates, flops })
}

/// The cost of `measured` rates of the case, trained in groups of `together`.
fn lanes(case: &Case, together: usize, measured: usize) -> Result<Cost, Failure> {
    let curve = "cosine".parse::<Schedule>()?.resolve(&Horizon::steps(case.plan.steps))?;
    let lane = |i: usize| Lane { peak: 1e-3 * 1.1f64.powi(i as i32), curve: curve.clone() };
    let groups: Vec<Group> = (0..measured)
        .step_by(together)
        .map(|start| Group { seed: 0, lanes: (start..start + together).map(lane).collect() })
        .collect();
    let control = Control { threads: Some(THREADS), ..Control::default() };
    cost(|| Ok(train_groups(&case.task, &case.plan, &groups, &control, &|_, runs| drop(runs))?))
}

/// The best of three.
fn best(mut run: impl FnMut() -> Result<Cost, Failure>) -> Result<Cost, Failure> {
    let mut best = run()?;
    for _ in 0..2 {
        best = best.min(run()?);
    }
    Ok(best)
}

fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? / b?)
}

fn measure(case: &Case, peak: f64, with_torch: bool) -> Result<Value, Failure> {
    let few = 4.min(case.rates);
    let together = best(|| lanes(case, case.rates, case.rates))?;
    let mut peers = vec![("one lane at a time, same code", few, best(|| lanes(case, 1, few))?)];
    if case.task.train().features().is_dense() {
        let single = || cost(|| Ok(dense_single::sweep(&case.task, &case.plan, few, THREADS)?));
        peers.push(("one run at a time by the gemm crate", few, best(single)?));
    }
    if with_torch {
        for (name, threads) in
            [("torch, one run at a time, 2 threads", 2), ("torch, two runs at a time, 1 thread each", 1)]
        {
            let (measured, cost) = torch::sweep(&case.task, &case.plan, threads)?;
            peers.push((name, measured, cost));
        }
    }
    let work = case.flops * (case.plan.steps as usize * case.rates) as f64 / 1e9;
    let peers: Vec<Value> = peers
        .into_iter()
        .map(|(name, measured, cost)| {
            let scaled = cost.times(case.rates as f64 / measured as f64);
            json!({
                "name": name, "runs_measured": measured, "seconds": scaled.wall, "cpu_seconds": scaled.cpu,
                "times_slower": scaled.wall / together.wall, "times_more_cpu": ratio(scaled.cpu, together.cpu),
            })
        })
        .collect();
    let features = case.task.train().features();
    Ok(json!({
        "name": case.name, "rates": case.rates, "rows": case.task.train().rows(), "columns": features.columns(),
        "batch": case.plan.batch, "steps": case.plan.steps, "optimizer": case.plan.optimizer.to_string(),
        "seconds": together.wall, "cpu_seconds": together.cpu,
        "us_per_lane_step": together.wall * 1e6 / (case.plan.steps as f64 * case.rates as f64),
        "gflops": work / together.wall, "gflops_per_cpu": ratio(Some(work), together.cpu),
        "share_of_gemm_peak": ratio(ratio(Some(work), together.cpu), Some(peak)), "peers": peers,
    }))
}

fn print(report: &Value) {
    let n = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    println!(
        "{} threads, {}; the gemm crate multiplies 1024×1024×1024 in f32 at {:.0} GFLOP/s of processor time",
        report["threads"],
        report["instructions"].as_str().unwrap_or_default(),
        n(&report["gemm_gflops_per_cpu"]),
    );
    for case in report["cases"].as_array().into_iter().flatten() {
        println!(
            "\n{}: {} × {}, batch {}, {} steps, {} rates",
            case["name"].as_str().unwrap_or_default(),
            case["rows"],
            case["columns"],
            case["batch"],
            case["steps"],
            case["rates"]
        );
        println!(
            "  {:<42} {:>8.3} s, cpu {:>8.3} s; {:.2} µs per lane and step, {:.0} GFLOP/s of processor time = {:.0}% of the gemm crate",
            "lanes",
            n(&case["seconds"]),
            n(&case["cpu_seconds"]),
            n(&case["us_per_lane_step"]),
            n(&case["gflops_per_cpu"]),
            100.0 * n(&case["share_of_gemm_peak"])
        );
        for peer in case["peers"].as_array().into_iter().flatten() {
            println!(
                "  {:<42} {:>8.3} s, cpu {:>8.3} s; {:.1} times as long, {:.1} times the cpu (from {} runs)",
                peer["name"].as_str().unwrap_or_default(),
                n(&peer["seconds"]),
                n(&peer["cpu_seconds"]),
                n(&peer["times_slower"]),
                n(&peer["times_more_cpu"]),
                peer["runs_measured"]
            );
        }
    }
}
