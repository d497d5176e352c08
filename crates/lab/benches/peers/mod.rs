//! What the lanes are measured against.
pub mod dense_single;
pub mod torch;

use crate::Failure;
use lehr_lab::{Dataset, Error, Features, Task};
use std::time::Instant;

/// A matrix by the distances between its rows and between its columns.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub column: usize,
}

/// `c (m × n) = a (m × k) · b (k × n)` by the gemm crate on this thread.
pub fn multiply([m, n, k]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32]) {
    let fits = |x: &Matrix<'_>, rows: usize, columns: usize| {
        (rows - 1) * x.row + (columns - 1) * x.column < x.data.len()
    };
    assert!(
        fits(&a, m, k) && fits(&b, k, n) && c.len() >= m * n,
        "the matrices are smaller than their shape"
    );
    // SAFETY: all elements that the shape and strides reach lie within the slices (checked above), and `c` is
    // exclusive.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// What a piece of work took.
#[derive(Clone, Copy)]
pub struct Cost {
    /// Seconds on the clock.
    pub wall: f64,
    /// Seconds of processor time, of all threads together, where the system tells.
    pub cpu: Option<f64>,
}

impl Cost {
    pub fn times(self, factor: f64) -> Self {
        Self { wall: self.wall * factor, cpu: self.cpu.map(|c| c * factor) }
    }

    pub fn min(self, other: Self) -> Self {
        let cpu = self.cpu.zip(other.cpu).map(|(a, b)| a.min(b));
        Self { wall: self.wall.min(other.wall), cpu }
    }
}

/// Does the work as often as it takes to be measured well and gives the cost of doing it once.
pub fn cost(mut work: impl FnMut() -> Result<(), Failure>) -> Result<Cost, Failure> {
    let (clock, cpu) = (Instant::now(), cpu_seconds());
    let mut times = 0;
    while times == 0 || clock.elapsed().as_secs_f64() < 0.4 {
        work()?;
        times += 1;
    }
    let cost = Cost { wall: clock.elapsed().as_secs_f64(), cpu: cpu_seconds().zip(cpu).map(|(b, a)| b - a) };
    Ok(cost.times(1.0 / f64::from(times)))
}

/// Processor time of this process so far, in hundredths of a second (the unit in which Linux reports it).
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the name in parentheses: user and system time are the 12th and 13th word.
    let words: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |i: usize| words.get(i)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// GFLOP/s of a large product on one thread, by processor time where the system tells: the best of five.
pub fn gemm_peak() -> Result<f64, Failure> {
    const N: usize = 1024;
    let (a, b, mut c) = (vec![0.5f32; N * N], vec![0.25f32; N * N], vec![0f32; N * N]);
    let matrix = |data| Matrix { data, row: N, column: 1 };
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let cost = cost(|| {
            multiply([N; 3], matrix(&a), matrix(&b), &mut c);
            Ok(())
        })?;
        best = best.min(cost.cpu.unwrap_or(cost.wall));
    }
    Ok(2.0 * (N as f64).powi(3) / best / 1e9)
}

/// Sparse binary rows with 14 of 123 features each, as many as in a9a.
pub fn like_a9a() -> Result<Task, Error> {
    let mut state = 1u64;
    let mut draw = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut data = |rows: usize| {
        let (mut starts, mut indices) = (vec![0], Vec::new());
        for _ in 0..rows {
            // One feature out of each of 14 questions, as Adult is encoded.
            indices.extend((0..14).map(|q| (q * 123 / 14 + draw(8)) as u32));
            starts.push(indices.len());
        }
        let labels = (0..rows).map(|r| u32::from(indices[r * 14] % 4 == 0)).collect();
        let values = vec![1.0; indices.len()];
        let features = Features::Sparse { columns: 123, starts, indices, values };
        Dataset::new("made up", features, labels, vec!["0".into(), "1".into()])
    };
    Task::new(data(32_561)?, data(16_281)?)
}
