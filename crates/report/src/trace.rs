//! From the points of a series to polylines in the unit square: broken at what is not finite,
//! clipped at the frame, thinned without losing spikes.
use crate::figure::{Series, Style};
use crate::frame::Frame;

/// A point in the unit square.
pub(crate) type Point = (f64, f64);

/// Points that stray less than this from a straight line are left out: a twentieth of a pixel of a picture.
const STRAY: f64 = 5e-5;

/// The polylines of a series, with at most about four points per column and none that makes no difference.
pub(crate) fn lines(series: &Series, frame: &Frame, columns: usize) -> Vec<Vec<Point>> {
    if series.style == Style::Points {
        return Vec::new();
    }
    let mut out = Vec::new();
    let mut run: Vec<Point> = Vec::new();
    for &(x, y) in &series.points {
        match (frame.x.unit(x), frame.y.unit(y)) {
            (Some(x), Some(y)) => {
                if let (Style::Step, Some(&(_, before))) = (series.style, run.last()) {
                    run.push((x, before));
                }
                run.push((x, y));
            }
            _ => clip(&std::mem::take(&mut run), &mut out),
        }
    }
    clip(&run, &mut out);
    out.into_iter().map(|line| straighten(&thin(line, columns))).collect()
}

/// The points of a series that are in sight.
pub(crate) fn points(series: &Series, frame: &Frame) -> Vec<Point> {
    let place = |&(x, y): &(f64, f64)| Some((frame.x.unit(x)?, frame.y.unit(y)?));
    series.points.iter().filter_map(place).filter(|p| inside(*p)).collect()
}

/// The bands of a series as `(x, low, high)`, broken at what is not finite.
pub(crate) fn bands(series: &Series, frame: &Frame) -> Vec<Vec<(f64, f64, f64)>> {
    let mut out = vec![Vec::new()];
    for &(x, low, high) in &series.band {
        match (frame.x.clamped(x), frame.y.clamped(low), frame.y.clamped(high)) {
            (Some(x), Some(low), Some(high)) => {
                if let Some(run) = out.last_mut() {
                    run.push((x, low, high));
                }
            }
            _ => out.push(Vec::new()),
        }
    }
    out.retain(|run| run.len() > 1);
    out
}

fn inside((x, y): Point) -> bool {
    const SLACK: f64 = 1e-9;
    (-SLACK..=1.0 + SLACK).contains(&x) && (-SLACK..=1.0 + SLACK).contains(&y)
}

/// Cuts a polyline at the unit square; the pieces are appended to `out`.
fn clip(line: &[Point], out: &mut Vec<Vec<Point>>) {
    if let [only] = line
        && inside(*only)
    {
        out.push(vec![*only]);
    }
    let mut piece: Vec<Point> = Vec::new();
    for pair in line.windows(2) {
        match cut(pair[0], pair[1]) {
            Some((from, to)) => {
                if piece.last() != Some(&from) {
                    if !piece.is_empty() {
                        out.push(std::mem::take(&mut piece));
                    }
                    piece.push(from);
                }
                piece.push(to);
            }
            None if !piece.is_empty() => out.push(std::mem::take(&mut piece)),
            None => {}
        }
    }
    if !piece.is_empty() {
        out.push(piece);
    }
}

/// The part of a line inside the unit square (Liang and Barsky 1984).
fn cut(a: Point, b: Point) -> Option<(Point, Point)> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut from, mut to) = (0.0f64, 1.0f64);
    for (slope, room) in [(-dx, a.0), (dx, 1.0 - a.0), (-dy, a.1), (dy, 1.0 - a.1)] {
        if slope == 0.0 {
            if room < -1e-9 {
                return None;
            }
        } else if slope < 0.0 {
            from = from.max(room / slope);
        } else {
            to = to.min(room / slope);
        }
    }
    let at = |t: f64| {
        if t == 0.0 {
            a
        } else if t == 1.0 {
            b
        } else {
            (a.0 + t * dx, a.1 + t * dy)
        }
    };
    (from <= to).then(|| (at(from), at(to)))
}

/// Keeps the first, lowest, highest and last point of each column.
fn thin(line: Vec<Point>, columns: usize) -> Vec<Point> {
    if line.len() <= columns * 4 {
        return line;
    }
    let column = |p: Point| (p.0 * columns as f64).floor();
    let mut out = Vec::with_capacity(columns * 4);
    for group in line.chunk_by(|a, b| column(*a) == column(*b)) {
        let by_height = |a: &usize, b: &usize| group[*a].1.total_cmp(&group[*b].1);
        let mut keep = [
            0,
            (0..group.len()).min_by(by_height).unwrap_or(0),
            (0..group.len()).max_by(by_height).unwrap_or(0),
            group.len() - 1,
        ];
        keep.sort_unstable();
        for (i, place) in keep.iter().enumerate() {
            if i == 0 || keep[i - 1] != *place {
                out.push(group[*place]);
            }
        }
    }
    out
}

/// Leaves out what is on a straight line within [`STRAY`] (Ramer 1972, Douglas and Peucker 1973).
fn straighten(line: &[Point]) -> Vec<Point> {
    let mut keep = vec![false; line.len()];
    if let (Some(first), Some(last)) = (keep.first().map(|_| 0), keep.len().checked_sub(1)) {
        keep[first] = true;
        keep[last] = true;
        let mut open = vec![(first, last)];
        while let Some((from, to)) = open.pop() {
            let stray = |i: &usize| distance(line[*i], line[from], line[to]);
            let furthest = (from + 1..to).max_by(|a, b| stray(a).total_cmp(&stray(b)));
            if let Some(i) = furthest.filter(|i| stray(i) > STRAY) {
                keep[i] = true;
                open.extend([(from, i), (i, to)]);
            }
        }
    }
    line.iter().zip(keep).filter_map(|(point, keep)| keep.then_some(*point)).collect()
}

/// How far a point is from the line between two others, or from the first if they are one.
fn distance(p: Point, a: Point, b: Point) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy);
    match length > 0.0 {
        true => {
            // To the segment, so that a spike which turns back on itself stays.
            let along = (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / (length * length)).clamp(0.0, 1.0);
            (p.0 - a.0 - along * dx).hypot(p.1 - a.1 - along * dy)
        }
        false => (p.0 - a.0).hypot(p.1 - a.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Axis, Figure};

    fn frame(figure: &Figure) -> Frame {
        Frame::of(figure)
    }

    #[test]
    fn nan_breaks_a_line() {
        let series = Series::line("a", vec![(0.0, 0.0), (1.0, 1.0), (2.0, f64::NAN), (3.0, 1.0), (4.0, 0.0)]);
        let figure = Figure::default().series(series.clone());
        assert_eq!(lines(&series, &frame(&figure), 100).len(), 2);
    }

    #[test]
    fn clipping_keeps_the_part_inside() {
        let series = Series::line("a", vec![(0.0, -1.0), (1.0, 3.0)]);
        let figure = Figure::default()
            .x(Axis::linear("").range(0.0, 1.0))
            .y(Axis::linear("").range(0.0, 1.0))
            .series(series.clone());
        let lines = lines(&series, &frame(&figure), 100);
        assert_eq!(lines, [[(0.25, 0.0), (0.5, 1.0)]]);
        let far = Series::line("a", vec![(0.0, 5.0), (1.0, 6.0)]);
        assert!(super::lines(&far, &frame(&figure), 100).is_empty());
    }

    #[test]
    fn thinning_keeps_the_spike() {
        let mut points: Vec<_> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        points[77_777].1 = 9.0;
        let series = Series::line("a", points);
        let figure = Figure::default().y(Axis::linear("").range(0.0, 10.0)).series(series.clone());
        let lines = lines(&series, &frame(&figure), 500);
        assert!(lines[0].len() <= 2004);
        assert!(lines[0].iter().any(|p| p.1 == 0.9));
    }

    #[test]
    fn straight_lines_are_two_points_and_curves_stay_close() {
        let line: Vec<Point> = (0..1000).map(|i| f64::from(i) / 999.0).map(|x| (x, x)).collect();
        assert_eq!(straighten(&line), [(0.0, 0.0), (1.0, 1.0)]);
        let wave: Vec<Point> = line.iter().map(|p| (p.0, 0.5 + 0.5 * (20.0 * p.0).sin())).collect();
        let few = straighten(&wave);
        assert!(few.len() < 400);
        for p in wave {
            let stray = few.windows(2).map(|w| distance(p, w[0], w[1])).fold(f64::INFINITY, f64::min);
            assert!(stray <= STRAY);
        }
    }

    #[test]
    fn steps_hold_until_the_next_point() {
        let series = Series::steps("a", vec![(0.0, 0.0), (1.0, 1.0)]);
        let figure = Figure::default()
            .x(Axis::linear("").range(0.0, 1.0))
            .y(Axis::linear("").range(0.0, 1.0))
            .series(series.clone());
        assert_eq!(lines(&series, &frame(&figure), 100), [[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]]);
    }
}
