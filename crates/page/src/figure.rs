//! The page's first picture, for files and the terminal.
use lehr_report::{Axis, Figure, Mark, Place, Series};

use crate::view::View;

/// Loss against rate, with the safe interval of the recommended schedule. `None` if the view has no such picture.
pub fn figure(view: &View) -> Option<Figure> {
    let rates = view.rates.as_ref()?;
    let mut figure = Figure::new(format!("{} against peak rate", view.objective.name))
        .subtitle(view.about.clone())
        .x(Axis::log("peak rate"))
        .y(Axis::linear(&view.objective.name).range(rates.low, rates.high));
    for curve in &rates.schedules {
        let points = curve.points.rate.iter().copied().zip(curve.points.value.iter().copied());
        let series = Series::line(&curve.name, points.filter(|point| point.1.is_finite()).collect());
        figure =
            figure.series(series.colour(curve.colour).diverged(curve.diverged.iter().map(|cell| cell.rate)));
    }
    for (place, curve) in rates.schedules.iter().enumerate().filter(|(_, curve)| curve.recommended) {
        if let Some(safe) = curve.safe.filter(|safe| safe.low < safe.high) {
            figure = figure.mark(Mark::new(Place::Span(safe.low, safe.high), "safe").of(place));
        }
    }
    Some(figure)
}
