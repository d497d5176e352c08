use pulp::Simd;

/// Zeroed floats that start on a cache line, seen as SIMD vectors.
pub(super) struct Buffer {
    values: Vec<f32>,
    start: usize,
    length: usize,
}

const LINE: usize = 64;

impl Buffer {
    pub(super) fn new<S: Simd>(vectors: usize) -> Self {
        let length = vectors * S::F32_LANES;
        let values = vec![0f32; length + LINE / size_of::<f32>()];
        // Where the address cannot be told (never, in practice), speed is lost, not correctness.
        let start = values.as_ptr().align_offset(LINE).min(LINE / size_of::<f32>());
        Self { values, start, length }
    }

    pub(super) fn floats(&self) -> &[f32] {
        &self.values[self.start..self.start + self.length]
    }

    pub(super) fn floats_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.length]
    }

    #[inline(always)]
    pub(super) fn vectors<S: Simd>(&self) -> &[S::f32s] {
        S::as_simd_f32s(self.floats()).0
    }

    #[inline(always)]
    pub(super) fn vectors_mut<S: Simd>(&mut self) -> &mut [S::f32s] {
        S::as_mut_simd_f32s(self.floats_mut()).0
    }
}
