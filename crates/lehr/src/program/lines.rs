//! Lines of a stream of bytes, in bounded memory.

/// Longest line that is kept; what is beyond is dropped up to the next end of a line.
pub const LONGEST: usize = 1 << 16;

/// Splits a stream at `\n` and `\r`.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    cut: bool,
    after_return: bool,
}

/// A line of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its bytes, at most [`LONGEST`], without the end of the line. They need not be UTF-8.
    pub bytes: &'a [u8],
    /// It was longer.
    pub cut: bool,
    /// It ended with a carriage return: the next one overwrites it on a terminal (progress bars).
    pub overwritten: bool,
}

impl Lines {
    /// Takes the next bytes and gives the lines that they complete. Empty lines are left out.
    pub fn feed(&mut self, mut bytes: &[u8], take: &mut dyn FnMut(Line<'_>)) {
        if self.after_return && !bytes.is_empty() {
            self.after_return = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.push(&bytes[..end]);
            let is_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            let both = is_return && bytes.first() == Some(&b'\n');
            self.after_return = is_return && bytes.is_empty();
            if both {
                bytes = &bytes[1..];
            }
            self.end(is_return && !both, take);
        }
        self.push(bytes);
    }

    /// Gives the last line if it has no end.
    pub fn close(&mut self, take: &mut dyn FnMut(Line<'_>)) {
        self.end(false, take);
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = LONGEST - self.line.len();
        self.cut |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self, overwritten: bool, take: &mut dyn FnMut(Line<'_>)) {
        if !self.line.is_empty() {
            take(Line { bytes: &self.line, cut: self.cut, overwritten });
        }
        self.line.clear();
        self.cut = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<(Vec<u8>, bool, bool)> {
        let (mut lines, mut got) = (Lines::default(), Vec::new());
        let mut take = |line: Line<'_>| got.push((line.bytes.to_vec(), line.cut, line.overwritten));
        chunks.iter().for_each(|chunk| lines.feed(chunk, &mut take));
        lines.close(&mut take);
        got
    }

    #[test]
    fn lines_do_not_depend_on_how_the_bytes_arrive() {
        let text = b"one\r\ntwo\n\n10%\r20%\rthree\xff\nlast";
        let whole = lines(&[text]);
        let words: Vec<&[u8]> = whole.iter().map(|(line, ..)| line.as_slice()).collect();
        assert_eq!(words, [&b"one"[..], b"two", b"10%", b"20%", b"three\xff", b"last"]);
        assert_eq!(whole.iter().map(|l| l.2).collect::<Vec<_>>(), [false, false, true, true, false, false]);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        let words = |got: Vec<(Vec<u8>, bool, bool)>| got.into_iter().map(|l| l.0).collect::<Vec<_>>();
        assert_eq!(words(lines(&bytes)), words(whole));
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        let mut text = vec![b'x'; 10 * LONGEST];
        text.extend(b"\nnext");
        for size in [1000, text.len()] {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            let got = lines(&chunks);
            assert_eq!((got[0].0.len(), got[0].1), (LONGEST, true));
            assert_eq!((got[1].0.as_slice(), got[1].1), (&b"next"[..], false));
        }
    }
}
