//! A figure as a vector graphic.
use crate::error::ReportError;
use crate::figure::Figure;
use crate::layout::{SIZE, draw, sheet_size, unprintable};
use plotters::prelude::{IntoDrawingArea, SVGBackend};

/// Draws a figure as an SVG document of 900 × 560 pixels.
///
/// # Errors
/// [`ReportError::Draw`] if the drawing library refuses, which no figure should bring about.
pub fn svg(figure: &Figure) -> Result<String, ReportError> {
    let mut out = String::new();
    draw(figure, &SVGBackend::with_string(&mut out, sheet_size()).into_drawing_area())?;
    Ok(with_head(&out, &figure.title))
}

/// Replaces the head of the document: natural size, round joins, a title for screen readers.
fn with_head(document: &str, title: &str) -> String {
    let (w, h) = SIZE;
    let (fine_w, fine_h) = sheet_size();
    let body = document.split_once('>').map_or(document, |(_, body)| body);
    // A white rim keeps words readable on lines; names are escaped, so every `<text` is a tag.
    let rim = "<text paint-order=\"stroke\" stroke=\"#FFFFFF\" stroke-width=\"30\" ";
    let body = body.replace("<text ", rim);
    let title: String = title
        .chars()
        .map(|c| match c {
            c if unprintable(c) => " ".to_owned(),
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            c => c.to_string(),
        })
        .collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {fine_w} {fine_h}\" \
         role=\"img\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n<title>{title}</title>{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Axis, Mark, Place, Series, Style};

    #[test]
    fn names_are_escaped_and_the_document_parses() {
        let evil = "<script>alert(\"1\")</script> & 'x' \u{0}\u{1b}[31m ]]> \u{fffe}";
        let figure = Figure::new(evil)
            .subtitle(evil)
            .x(Axis::log(evil))
            .y(Axis::linear(evil))
            .series(Series::line(evil, vec![(1.0, 2.0), (3.0, f64::NAN), (4.0, 5.0)]).diverged([7.0]))
            .mark(Mark::new(Place::Vertical(2.0), evil))
            .mark(Mark::new(Place::Note(2.0, 3.0), evil).of(99))
            .mark(Mark::new(Place::Span(f64::NAN, 3.0), evil).of(0));
        let text = svg(&figure).unwrap();
        assert!(!text.contains("<script"));
        roxmltree::Document::parse(&text).unwrap();
    }

    #[test]
    fn hostile_numbers_draw_something() {
        let values = [f64::NAN, f64::INFINITY, -f64::MAX, f64::MAX, 0.0, 5e-324, -0.0, 1.0];
        let points: Vec<_> = values.iter().flat_map(|x| values.iter().map(|y| (*x, *y))).collect();
        for axis in [Axis::linear("x"), Axis::log("y"), Axis::log("r").range(1.0, f64::NAN)] {
            for style in [Style::Line, Style::Points, Style::Step] {
                let band = points.iter().map(|p| (p.0, p.1, p.0)).collect();
                let mut series = Series::line("a", points.clone()).diverged(values).band(band);
                series.style = style;
                let figure = Figure::new("t").x(axis.clone()).y(axis.clone()).series(series);
                assert!(svg(&figure).unwrap().contains("<poly"));
            }
        }
        assert!(svg(&Figure::default()).unwrap().contains("no data to draw"));
    }

    #[test]
    fn long_series_stay_small() {
        let points = (0..300_000).map(|i| (f64::from(i), f64::from(i % 97))).collect();
        let figure = Figure::new("long").series(Series::line("a", points));
        assert!(svg(&figure).unwrap().len() < 100_000);
    }
}
