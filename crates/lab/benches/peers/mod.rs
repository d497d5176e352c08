//! What the lanes are measured against.
pub mod dense_single;
pub mod torch;

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

/// GFLOP/s of a large product on each of `threads` threads at once: the best of five.
pub fn gemm_peak(threads: usize) -> f64 {
    const N: usize = 1024;
    let once = || {
        let (a, b, mut c) = (vec![0.5f32; N * N], vec![0.25f32; N * N], vec![0f32; N * N]);
        let matrix = |data| Matrix { data, row: N, column: 1 };
        for _ in 0..3 {
            multiply([N; 3], matrix(&a), matrix(&b), &mut c);
        }
    };
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let clock = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(once);
            }
        });
        best = best.min(clock.elapsed().as_secs_f64());
    }
    (threads * 3) as f64 * 2.0 * (N as f64).powi(3) / best / 1e9
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
