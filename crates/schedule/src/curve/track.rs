//! Pieces one after the other.
use alloc::vec::Vec;

use super::piece::Piece;

#[derive(Clone)]
pub(crate) struct Track {
    /// The first update of each piece; rising, the first one 0.
    starts: Vec<u64>,
    pieces: Vec<Piece>,
    /// The update after the last piece.
    close: u64,
    /// The level that holds from there on.
    end: f64,
}

impl Track {
    pub fn new() -> Self {
        Self { starts: Vec::new(), pieces: Vec::new(), close: 0, end: 0.0 }
    }

    pub fn push(&mut self, start: u64, piece: Piece) {
        self.starts.push(start);
        self.pieces.push(piece);
    }

    pub fn close(&mut self, close: u64, end: f64) {
        self.close = close;
        self.end = end;
    }

    #[inline]
    pub fn at(&self, k: u64) -> f64 {
        if k >= self.close {
            return self.end;
        }
        let i = self.starts.partition_point(|start| *start <= k).wrapping_sub(1);
        match (self.pieces.get(i), self.starts.get(i)) {
            (Some(piece), Some(start)) => piece.at(k - start),
            _ => self.end,
        }
    }

    pub fn end(&self) -> f64 {
        self.end
    }

    pub fn fill(&self, k: u64, out: &mut [f64]) {
        let mut out = out;
        let mut k = k;
        let mut i = self.starts.partition_point(|start| *start <= k).wrapping_sub(1);
        while !out.is_empty() {
            let (Some(piece), Some(start)) = (self.pieces.get(i), self.starts.get(i)) else { break };
            let border = self.starts.get(i + 1).copied().unwrap_or(self.close);
            let count = border.saturating_sub(k).min(out.len() as u64) as usize;
            let (now, later) = out.split_at_mut(count);
            piece.fill(k - start, now);
            out = later;
            k += count as u64;
            i += 1;
        }
        out.fill(self.end);
    }
}
