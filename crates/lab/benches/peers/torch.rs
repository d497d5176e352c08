//! The same sweep in torch, by `torch_sweep.py`.

use super::Cost;
use crate::Failure;
use lehr_lab::{Dataset, Features, Task, TrainPlan};
use std::io::Write;
use std::process::{Command, Stdio};

/// Runs measured and what they took, in one process with two threads or in two processes with one thread each.
pub fn sweep(task: &Task, plan: &TrainPlan, threads: usize) -> Result<(usize, Cost), Failure> {
    let python = std::env::var("LEHR_VENV_PYTHON")
        .map_err(|_| "LEHR_VENV_PYTHON is not set: run `cargo xtask bench lanes`, or give --no-torch")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/torch_sweep.py");
    let widths = plan.model.widths(task.train().features().columns(), task.train().classes().len())?;
    let shape: Vec<String> = widths.iter().map(usize::to_string).collect();
    // Two threads get into each other's way on a busy machine, and take long.
    let runs = if threads == 2 { 1 } else { 2 };
    let mut children = Vec::new();
    for _ in 0..2 / threads {
        let mut child = Command::new(&python)
            .args([script, &shape.join(","), &plan.steps.to_string(), &plan.batch.to_string()])
            .args([threads.to_string(), runs.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        for data in [task.train(), task.validation()] {
            send(data, &mut input)?;
        }
        children.push(child);
    }
    let (mut wall, mut cpu): (f64, f64) = (0.0, 0.0);
    let count = children.len();
    for child in children {
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err("torch_sweep.py failed".into());
        }
        let text = String::from_utf8(output.stdout)?;
        let (seconds, used) = text.trim().split_once(' ').ok_or("torch_sweep.py printed something else")?;
        wall = wall.max(seconds.parse()?);
        cpu += used.parse::<f64>()?;
    }
    Ok((runs * count, Cost { wall, cpu: Some(cpu) }))
}

/// Rows, columns, values and labels in little-endian binary.
fn send(data: &Dataset, out: &mut impl Write) -> std::io::Result<()> {
    let (rows, columns) = (data.rows(), data.features().columns());
    let mut dense = vec![0f32; rows * columns];
    match data.features() {
        Features::Dense { values, .. } => dense.copy_from_slice(values),
        Features::Sparse { starts, indices, values, .. } => {
            for r in 0..rows {
                for e in starts[r]..starts[r + 1] {
                    dense[r * columns + indices[e] as usize] = values[e];
                }
            }
        }
    }
    let mut bytes: Vec<u8> = [rows as u64, columns as u64].iter().flat_map(|n| n.to_le_bytes()).collect();
    bytes.extend(dense.iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend(data.labels().iter().flat_map(|&l| i64::from(l).to_le_bytes()));
    out.write_all(&bytes)
}
