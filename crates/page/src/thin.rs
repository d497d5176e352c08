//! Fewer points of a curve that look the same.

/// At most about `most` of the points, which are ordered by their first number: of each stretch the first, the lowest, the
/// highest, the sharpest corner and the last one stay, and the first that is no number. So no spike is lost and no gap is
/// closed. What lies on a straight line goes first.
pub fn thin(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    let corners = corners(points);
    if corners.len() <= most {
        return corners;
    }
    let size = corners.len().div_ceil((most / 6).max(1));
    let mut out = Vec::with_capacity(most + 6);
    for stretch in corners.chunks(size) {
        let finite = || (0..stretch.len()).filter(|&i| stretch[i].1.is_finite());
        let by_height = |a: &usize, b: &usize| stretch[*a].1.total_cmp(&stretch[*b].1);
        let gap = (0..stretch.len()).find(|&i| !stretch[i].1.is_finite());
        let mut keep = vec![0, stretch.len() - 1];
        keep.extend(finite().min_by(by_height));
        keep.extend(finite().max_by(by_height));
        keep.extend(gap);
        keep.extend(finite().max_by(|a, b| off_chord(stretch, *a).total_cmp(&off_chord(stretch, *b))));
        keep.sort_unstable();
        keep.dedup();
        out.extend(keep.into_iter().map(|i| stretch[i]));
    }
    out
}

/// How far a point is above or below the line from the first to the last of its stretch.
fn off_chord(stretch: &[(f64, f64)], i: usize) -> f64 {
    let (from, to) = (stretch[0], stretch[stretch.len() - 1]);
    let slope = (to.1 - from.1) / (to.0 - from.0);
    let off = (stretch[i].1 - from.1 - slope * (stretch[i].0 - from.0)).abs();
    if off.is_finite() { off } else { 0.0 }
}

/// The points without those that lie exactly on the line between their neighbours.
fn corners(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::with_capacity(points.len().min(4096));
    for (i, &point) in points.iter().enumerate() {
        let straight = match (out.last(), points.get(i + 1)) {
            (Some(&before), Some(&after)) => on_line(before, point, after),
            _ => false,
        };
        if !straight {
            out.push(point);
        }
    }
    out
}

fn on_line(a: (f64, f64), b: (f64, f64), c: (f64, f64)) -> bool {
    let all = [a.1, b.1, c.1];
    if all.iter().all(|value| value.is_nan()) {
        return true;
    }
    // The edges of gaps are corners.
    if !all.iter().all(|value| value.is_finite()) {
        return false;
    }
    let expected = a.1 + (c.1 - a.1) * (b.0 - a.0) / (c.0 - a.0);
    (b.1 - expected).abs() <= 1e-12 * a.1.abs().max(c.1.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spikes_and_gaps_stay() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), f64::from(i).sin())).collect();
        points[31_234].1 = 50.0;
        points[77_777].1 = -50.0;
        points[55_555].1 = f64::NAN;
        let few = thin(&points, 200);
        assert!(few.len() <= 206, "{}", few.len());
        assert!(few.contains(&(31_234.0, 50.0)) && few.contains(&(77_777.0, -50.0)));
        assert!(few.iter().any(|p| p.0 == 55_555.0 && p.1.is_nan()));
        assert_eq!((few[0], few[few.len() - 1]), (points[0], points[99_999]));
        assert!(few.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn corners_stay() {
        let level =
            |i: i32| if i < 50 { f64::from(i) / 50.0 } else { (1.0 - f64::from(i - 50) / 950.0).powi(2) };
        let held = |i: i32| {
            if i < 50 {
                f64::from(i) / 50.0
            } else if i < 800 {
                1.0
            } else {
                (1.0 - f64::from(i - 800) / 200.0).sqrt()
            }
        };
        for shape in [&level as &dyn Fn(i32) -> f64, &held] {
            let points: Vec<(f64, f64)> = (0..1000).map(|i| (f64::from(i), shape(i))).collect();
            assert!(thin(&points, 100).contains(&(50.0, 1.0)));
        }
    }

    #[test]
    fn short_curves_stay_and_straight_ones_are_their_ends() {
        let short = [(0.0, 3.0), (1.0, 1.0), (2.0, f64::INFINITY), (3.0, f64::NAN)];
        assert_eq!(thin(&short, 10)[..3], short[..3]);
        let line: Vec<(f64, f64)> = (0..1000).map(|i| (f64::from(i), 2.0 * f64::from(i))).collect();
        assert_eq!(thin(&line, 10), [line[0], line[999]]);
        assert_eq!(thin(&[], 10), []);
    }

    #[test]
    fn a_curve_that_is_no_number_at_all_keeps_its_ends() {
        let points: Vec<(f64, f64)> = (0..1000).map(|i| (f64::from(i), f64::NAN)).collect();
        let few = thin(&points, 20);
        assert!(few.len() >= 2 && few.iter().all(|p| p.1.is_nan()));
    }
}
