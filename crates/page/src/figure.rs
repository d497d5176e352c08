//! The page's first picture, for files and the terminal.
use lehr_report::{Axis, Figure, Mark, Place, Series};

use crate::view::{Chart, ChartAxis, Draw, View};

/// Loss against rate, with the safe interval of the recommended schedule; of a result without that its own first picture.
/// `None` if the view has neither.
pub fn figure(view: &View) -> Option<Figure> {
    let Some(rates) = view.rates.as_ref() else { return view.charts.first().map(of_chart) };
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

fn of_chart(chart: &Chart) -> Figure {
    let axis = |of: &ChartAxis| {
        let axis = if of.log { Axis::log(&of.label) } else { Axis::linear(&of.label) };
        of.range.map_or(axis.clone(), |(low, high)| axis.range(low, high))
    };
    let mut figure = Figure::new(&chart.title).x(axis(&chart.x)).y(axis(&chart.y));
    let mut named: Vec<(&str, usize)> = Vec::new();
    for line in &chart.lines {
        let points = line.x.iter().copied().zip(line.y.iter().copied());
        let points = points.filter(|point| point.1.is_finite()).collect();
        // A curve and its marks share a name, which is said once.
        let known = named.contains(&(line.name.as_str(), line.colour));
        named.push((&line.name, line.colour));
        let name = if known { "" } else { line.name.as_str() };
        let series = match line.draw {
            Draw::Both | Draw::Line => Series::line(name, points),
            Draw::Points => Series::points(name, points),
            Draw::Faint => Series::points(name, points).faded(),
        };
        figure = figure.series(series.colour(line.colour).diverged(line.lost.iter().copied()));
    }
    for rule in &chart.rules {
        let place = rule.to.map_or(Place::Vertical(rule.at), |to| Place::Span(rule.at, to));
        figure = figure.mark(Mark::new(place, &rule.label));
    }
    figure
}
