//! The layout of a picture, made with `plotters` for whatever back end draws it.
//!
//! The library places everything on whole units, so the sheet is ten times as large as the picture.
use crate::error::ReportError;
use crate::figure::{Figure, Mark, Place, Series, Style};
use crate::frame::{Frame, Span, sparse};
use crate::palette::{GREY, PALETTE, colour};
use crate::ticks::Ticks;
use crate::trace::{self, Point};
use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;
use std::sync::OnceLock;

/// The size of a picture in pixels at its natural scale.
pub(crate) const SIZE: (u32, u32) = (900, 560);
/// Units of the sheet per pixel.
pub(crate) const FINE: i32 = 10;
/// Verdana has the widths of DejaVu Sans, which PNG pictures use.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
const INK: RGBColor = RGBColor(34, 34, 34);
const SOFT: RGBColor = RGBColor(GREY.rgb.0, GREY.rgb.1, GREY.rgb.2);
const GRID: RGBColor = RGBColor(226, 226, 226);
const FAINT: RGBColor = RGBColor(242, 242, 242);
const MARGIN: i32 = 22;
/// Height of a row of the legend.
const ROW: i32 = 22;

type Sheet<DB> = DrawingArea<DB, Shift>;
type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<UnitAxis, UnitAxis>>;
type Drawn = Result<(), ReportError>;

/// Draws a figure on a sheet of [`sheet_size`].
///
/// # Errors
/// [`ReportError::Draw`] if the library or the back end refuses.
pub(crate) fn draw<DB: DrawingBackend>(figure: &Figure, sheet: &Sheet<DB>) -> Drawn {
    register_font()?;
    sheet.fill(&WHITE).map_err(refused)?;
    draw_all(&cleaned(figure), sheet)?;
    sheet.present().map_err(refused)
}

/// The size of the sheet in fine units.
pub(crate) fn sheet_size() -> (u32, u32) {
    (SIZE.0 * FINE as u32, SIZE.1 * FINE as u32)
}

fn draw_all<DB: DrawingBackend>(figure: &Figure, sheet: &Sheet<DB>) -> Drawn {
    let frame = Frame::of(figure);
    let top = head(figure, sheet)?;
    let strip = if frame.diverged { strip_height(figure) + 8 } else { 0 };
    let (x, y) = (UnitAxis::new(&frame.x, 8), UnitAxis::new(&frame.y, 6));
    let labels = y.ticks.iter().map(|t| text_width(&t.1, 13)).max().unwrap_or(0);
    let labels = if frame.diverged { labels.max(text_width("diverged", 12)) } else { labels };
    let left = labels + 12 + if figure.y.label.is_empty() { 0 } else { 24 };
    let bottom = 26 + if figure.x.label.is_empty() { 0 } else { 22 };
    // The label of a tick at the right end reaches beyond the plot by half its width.
    let last = x.ticks.last().filter(|tick| tick.0 > 0.97);
    let right = MARGIN.max(last.map_or(0, |tick| text_width(&tick.1, 13) / 2 + 8));
    let (x_label, y_label) = (x.labels(), y.labels());
    let mut chart = ChartBuilder::on(sheet)
        .margin_left(MARGIN * FINE)
        .margin_right(right * FINE)
        .margin_bottom(14 * FINE)
        .margin_top((top + strip) * FINE)
        .x_label_area_size(bottom * FINE)
        .y_label_area_size(left * FINE)
        .build_cartesian_2d(x, y)
        .map_err(refused)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID.stroke_width(FINE as u32))
        .light_line_style(FAINT.stroke_width(FINE as u32))
        .axis_style(SOFT.stroke_width(FINE as u32))
        .set_all_tick_mark_size(5 * FINE)
        .label_style(font(13).color(&INK))
        .x_label_formatter(&x_label)
        .y_label_formatter(&y_label)
        .x_desc(figure.x.label.as_str())
        .y_desc(figure.y.label.as_str())
        .axis_desc_style(font(14).color(&INK))
        .draw()
        .map_err(refused)?;
    if let Some(why) = frame.empty {
        let style = font(16).color(&SOFT).pos(Pos::new(HPos::Center, VPos::Center));
        let text = Text::new(why, (0.5, 0.5), style);
        return chart.draw_series([text]).map(drop).map_err(refused);
    }
    draw_spans(figure, &frame, &mut chart)?;
    draw_series(figure, &frame, &mut chart)?;
    draw_lines_and_words(figure, &frame, &mut chart)?;
    if frame.diverged { draw_diverged(figure, &frame, &mut chart, sheet) } else { Ok(()) }
}

/// Title, subtitle and legend; the height that they take.
fn head<DB: DrawingBackend>(figure: &Figure, sheet: &Sheet<DB>) -> Result<i32, ReportError> {
    let mut top = 18;
    for (text, size, ink) in [(&figure.title, 18, INK), (&figure.subtitle, 13, SOFT)] {
        if !text.is_empty() {
            let text = shortened(text, size, SIZE.0 as i32 - 2 * MARGIN);
            let style = font(size).color(&ink).pos(Pos::new(HPos::Left, VPos::Center));
            sheet.draw(&Text::new(text, at(MARGIN, top + size / 2), style)).map_err(refused)?;
            top += size + 9;
        }
    }
    let right = SIZE.0 as i32 - MARGIN;
    let mut column = MARGIN;
    let named: Vec<(usize, &Series)> =
        figure.series.iter().enumerate().filter(|(_, s)| !s.name.is_empty()).collect();
    for (n, (i, series)) in named.iter().enumerate() {
        let name = shortened(&series.name, 13, right - MARGIN - 40);
        let wide = 36 + text_width(&name, 13) + 18;
        if n > 0 && column + wide > right {
            column = MARGIN;
            top += ROW;
        }
        legend_entry(*i, series, &name, (column, top + ROW / 2), sheet)?;
        column += wide;
    }
    Ok(top + if named.is_empty() { 4 } else { ROW + 8 })
}

fn legend_entry<DB: DrawingBackend>(
    i: usize,
    series: &Series,
    name: &str,
    (x, y): (i32, i32),
    sheet: &Sheet<DB>,
) -> Drawn {
    let ink = own_colour(i, series).mix(if series.faded { 0.35 } else { 1.0 });
    if series.style != Style::Points && !series.points.is_empty() {
        let line = [at(x, y), at(x + 28, y)];
        if dashed(i, series) {
            let dashes = DashedPathElement::new(line, 60, 50, ink.stroke_width(22));
            sheet.draw(&dashes).map_err(refused)?;
        } else {
            sheet.draw(&PathElement::new(line, ink.stroke_width(22))).map_err(refused)?;
        }
    } else if series.points.is_empty() && !series.band.is_empty() {
        let corners = [at(x, y - 6), at(x + 28, y + 6)];
        sheet.draw(&Rectangle::new(corners, ink.mix(0.2).filled())).map_err(refused)?;
    }
    if has_markers(series) {
        let shape = marker(i, 45);
        sheet
            .draw(&(EmptyElement::at(at(x + 14, y)) + Polygon::new(shape, ink.filled())))
            .map_err(refused)?;
    }
    let style = font(13).color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    sheet.draw(&Text::new(name.to_owned(), at(x + 36, y), style)).map_err(refused)
}

/// Shaded spans beneath everything else.
fn draw_spans<DB: DrawingBackend>(figure: &Figure, frame: &Frame, chart: &mut Chart<DB>) -> Drawn {
    for mark in &figure.marks {
        let Place::Span(from, to) = mark.place else { continue };
        let (Some(a), Some(b)) = (frame.x.clamped(from), frame.x.clamped(to)) else { continue };
        let (a, b) = (a.min(b), a.max(b));
        let ink = mark_colour(figure, mark);
        let shade = Rectangle::new([(a, 0.0), (b, 1.0)], ink.mix(0.10).filled());
        chart.draw_series([shade]).map_err(refused)?;
        let edges =
            [a, b].map(|x| PathElement::new([(x, 0.0), (x, 1.0)], ink.mix(0.5).stroke_width(FINE as u32)));
        chart.draw_series(edges).map_err(refused)?;
    }
    Ok(())
}

fn draw_series<DB: DrawingBackend>(figure: &Figure, frame: &Frame, chart: &mut Chart<DB>) -> Drawn {
    let mut order: Vec<usize> = (0..figure.series.len()).collect();
    order.sort_by_key(|i| !figure.series[*i].faded);
    for &i in &order {
        let series = &figure.series[i];
        for band in trace::bands(series, frame) {
            let there = band.iter().map(|&(x, low, _)| (x, low));
            let back = band.iter().rev().map(|&(x, _, high)| (x, high));
            let outline: Vec<Point> = there.chain(back).collect();
            let shade = Polygon::new(outline, own_colour(i, series).mix(0.18).filled());
            chart.draw_series([shade]).map_err(refused)?;
        }
    }
    for i in order {
        let series = &figure.series[i];
        let ink = own_colour(i, series);
        let lines = trace::lines(series, frame, SIZE.0 as usize);
        // A thinner line keeps the shape of a noisy series.
        let noisy = lines.iter().map(Vec::len).sum::<usize>() > SIZE.0 as usize;
        let (alpha, thick) = if series.faded { (0.35, 12) } else { (1.0, if noisy { 14 } else { 20 }) };
        for line in lines {
            if let [only] = line[..] {
                chart.draw_series([Circle::new(only, 18, ink.mix(alpha).filled())]).map_err(refused)?;
            } else if dashed(i, series) {
                let dashes = DashedPathElement::new(line, 80, 60, ink.mix(alpha).stroke_width(thick));
                chart.draw_series([dashes]).map_err(refused)?;
            } else {
                let path = PathElement::new(line, ink.mix(alpha).stroke_width(thick));
                chart.draw_series([path]).map_err(refused)?;
            }
        }
        if has_markers(series) {
            let radius = if series.points.len() > 200 { 25 } else { 42 };
            let shapes = trace::points(series, frame).into_iter().map(|point| {
                EmptyElement::at(point) + Polygon::new(marker(i, radius), ink.mix(alpha).filled())
            });
            chart.draw_series(shapes).map_err(refused)?;
        }
    }
    Ok(())
}

fn draw_lines_and_words<DB: DrawingBackend>(figure: &Figure, frame: &Frame, chart: &mut Chart<DB>) -> Drawn {
    let (mut row, mut spans) = (0, 0);
    for mark in &figure.marks {
        let ink = mark_colour(figure, mark);
        match mark.place {
            Place::Vertical(x) => {
                let Some(x) = visible(frame.x.unit(x)) else { continue };
                let line =
                    DashedPathElement::new([(x, 0.0), (x, 1.0)], 50, 40, ink.stroke_width(FINE as u32 + 4));
                chart.draw_series([line]).map_err(refused)?;
                beside(&mark.label, (x, 1.0), 12 + 18 * row, ink, chart)?;
                row += 1;
            }
            Place::Horizontal(y) => {
                let Some(y) = visible(frame.y.unit(y)) else { continue };
                let line =
                    DashedPathElement::new([(0.0, y), (1.0, y)], 50, 40, ink.stroke_width(FINE as u32 + 4));
                chart.draw_series([line]).map_err(refused)?;
                beside(&mark.label, (1.0, y), if y > 0.9 { 12 } else { -10 }, ink, chart)?;
            }
            Place::Note(x, y) => {
                let (Some(x), Some(y)) = (visible(frame.x.unit(x)), visible(frame.y.unit(y))) else {
                    continue;
                };
                beside(&mark.label, (x, y), if y > 0.9 { 14 } else { -12 }, ink, chart)?;
            }
            Place::Span(from, to) => {
                let (Some(a), Some(b)) = (frame.x.clamped(from), frame.x.clamped(to)) else { continue };
                word(&mark.label, ((a + b) / 2.0, 0.0), (0, -14 - 18 * spans), ink, chart)?;
                spans += 1;
            }
        }
    }
    Ok(())
}

/// Trials without a finite value: crosses above the plot, one row for each series.
fn draw_diverged<DB: DrawingBackend>(
    figure: &Figure,
    frame: &Frame,
    chart: &mut Chart<DB>,
    sheet: &Sheet<DB>,
) -> Drawn {
    let (across, down) = chart.plotting_area().get_pixel_range();
    let style = font(12).color(&SOFT).pos(Pos::new(HPos::Right, VPos::Center));
    let strip = strip_height(figure) * FINE;
    let middle = down.start - 4 * FINE - strip / 2;
    sheet.draw(&Text::new("diverged", (across.start - 8 * FINE, middle), style)).map_err(refused)?;
    let with_some: Vec<_> =
        figure.series.iter().enumerate().filter(|(_, s)| !s.diverged.is_empty()).collect();
    let rows = with_some.len() as i32;
    for (row, (i, series)) in with_some.into_iter().enumerate() {
        let y = down.start - 4 * FINE - strip * (2 * (rows - row as i32) - 1) / (2 * rows);
        for &x in &series.diverged {
            let Some(unit) = visible(frame.x.unit(x)) else { continue };
            let x = across.start + (unit * f64::from(across.end - across.start)).round() as i32;
            let cross = Cross::new((x, y), 38, own_colour(i, series).stroke_width(18));
            sheet.draw(&cross).map_err(refused)?;
        }
    }
    Ok(())
}

/// The height of the rows of diverged trials, which share little room if they are many.
fn strip_height(figure: &Figure) -> i32 {
    let rows = figure.series.iter().filter(|s| !s.diverged.is_empty()).count();
    13 * rows.min(4) as i32
}

/// A word centred on a point, moved so many pixels, kept inside of the plot.
fn word<DB: DrawingBackend>(
    text: &str,
    (x, y): Point,
    (dx, dy): (i32, i32),
    ink: RGBColor,
    chart: &mut Chart<DB>,
) -> Drawn {
    if text.is_empty() {
        return Ok(());
    }
    let (across, _) = chart.plotting_area().get_pixel_range();
    let room = f64::from(across.end - across.start);
    let half = f64::from(text_width(text, 12) * FINE / 2 + 4 * FINE) / room;
    let x = if half < 0.5 { x.clamp(half, 1.0 - half) } else { 0.5 };
    let style = font(12).color(&ink).pos(Pos::new(HPos::Center, VPos::Center));
    let text = EmptyElement::at((x, y)) + Text::new(text.to_owned(), (dx * FINE, dy * FINE), style);
    chart.draw_series([text]).map(drop).map_err(refused)
}

/// A word to the right of a point, or to its left where the plot ends.
fn beside<DB: DrawingBackend>(
    text: &str,
    (x, y): Point,
    dy: i32,
    ink: RGBColor,
    chart: &mut Chart<DB>,
) -> Drawn {
    if text.is_empty() {
        return Ok(());
    }
    let (across, _) = chart.plotting_area().get_pixel_range();
    let wide = f64::from(text_width(text, 12) * FINE + 14 * FINE) / f64::from(across.end - across.start);
    let (side, dx) = if x + wide <= 1.0 { (HPos::Left, 6) } else { (HPos::Right, -6) };
    let style = font(12).color(&ink).pos(Pos::new(side, VPos::Center));
    let text = EmptyElement::at((x, y)) + Text::new(text.to_owned(), (dx * FINE, dy * FINE), style);
    chart.draw_series([text]).map(drop).map_err(refused)
}

/// An axis whose values are already places in the unit interval, with ticks that are known.
#[derive(Clone)]
struct UnitAxis {
    ticks: Vec<(f64, String)>,
    minor: Vec<f64>,
}

impl UnitAxis {
    fn new(span: &Span, wanted: usize) -> Self {
        let Ticks { major, minor } = span.ticks(wanted);
        let place = |v: f64| visible(span.unit(v));
        Self {
            ticks: major.into_iter().filter_map(|t| Some((place(t.value)?, t.label))).collect(),
            minor: minor.into_iter().filter_map(place).collect(),
        }
    }

    /// The label of a tick by its place.
    fn labels(&self) -> impl Fn(&f64) -> String + use<> {
        let ticks = self.ticks.clone();
        move |place| ticks.iter().find(|t| t.0 == *place).map(|t| t.1.clone()).unwrap_or_default()
    }
}

impl Ranged for UnitAxis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (value.clamp(0.0, 1.0) * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let minor = if hint.weight().allow_light_points() { self.minor.as_slice() } else { &[] };
        self.ticks.iter().map(|t| t.0).chain(minor.iter().copied()).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..1.0
    }
}

/// Whether each point of a series gets a marker.
fn has_markers(series: &Series) -> bool {
    match series.style {
        Style::Points => true,
        Style::Line => sparse(series.points.len()),
        Style::Step => false,
    }
}

/// Once the colours repeat, lines are dashed.
fn dashed(i: usize, series: &Series) -> bool {
    (series.colour.unwrap_or(i) / PALETTE.len()) % 2 == 1
}

/// The outline of the marker of a series around the origin, all of about the same area.
fn marker(i: usize, radius: i32) -> Vec<(i32, i32)> {
    let polygon = |corners: u32, turn: f64, size: f64| {
        (0..corners)
            .map(|k| {
                let angle = std::f64::consts::TAU * (f64::from(k) / f64::from(corners) + turn);
                let length = f64::from(radius) * size;
                ((length * angle.sin()).round() as i32, (-length * angle.cos()).round() as i32)
            })
            .collect()
    };
    match i % 7 {
        0 => polygon(24, 0.0, 1.0),
        1 => polygon(3, 0.0, 1.45),
        2 => polygon(4, 0.125, 1.25),
        3 => polygon(4, 0.0, 1.35),
        4 => polygon(3, 0.5, 1.45),
        5 => polygon(5, 0.0, 1.2),
        _ => polygon(6, 0.0, 1.1),
    }
}

fn own_colour(i: usize, series: &Series) -> RGBColor {
    let (r, g, b) = if series.faded && series.colour.is_none() {
        GREY.rgb
    } else {
        colour(series.colour.unwrap_or(i)).rgb
    };
    RGBColor(r, g, b)
}

fn mark_colour(figure: &Figure, mark: &Mark) -> RGBColor {
    match mark.series.and_then(|i| Some((i, figure.series.get(i)?))) {
        Some((i, series)) => own_colour(i, series),
        None => SOFT,
    }
}

fn visible(unit: Option<f64>) -> Option<f64> {
    unit.filter(|u| (-1e-9..=1.0 + 1e-9).contains(u))
}

/// A place in pixels as a place on the sheet.
fn at(x: i32, y: i32) -> (i32, i32) {
    (x * FINE, y * FINE)
}

/// The font at a size in pixels; the library writes sizes divided by 1.24.
fn font(size: i32) -> TextStyle<'static> {
    (FAMILY, f64::from(size * FINE) * 1.24).into_font().into()
}

/// The width of a text in pixels.
fn text_width(text: &str, size: i32) -> i32 {
    let measured = (FAMILY, f64::from(size * FINE) * 1.164).into_font().layout_box(text);
    measured.map_or(text.chars().count() as i32 * size * 6 / 10, |(a, b)| (b.0 - a.0) / FINE)
}

/// The text if it fits, else its beginning and an ellipsis.
fn shortened(text: &str, size: i32, room: i32) -> String {
    if text_width(text, size) <= room {
        return text.to_owned();
    }
    let mut short: Vec<char> = text.chars().take(400).collect();
    while !short.is_empty() {
        short.pop();
        let tried: String = short.iter().chain(&['…']).collect();
        if text_width(&tried, size) <= room {
            return tried;
        }
    }
    String::new()
}

/// What has no shape and no place in XML.
pub(crate) fn unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Names without control characters, which XML cannot hold.
fn cleaned(figure: &Figure) -> Figure {
    let mut figure = figure.clone();
    let clean = |text: &mut String| {
        if text.contains(unprintable) {
            *text = text.replace(unprintable, " ");
        }
    };
    let Figure { title, subtitle, x, y, series, marks } = &mut figure;
    [title, subtitle, &mut x.label, &mut y.label].into_iter().for_each(clean);
    series.iter_mut().for_each(|s| clean(&mut s.name));
    marks.iter_mut().for_each(|m| clean(&mut m.label));
    figure
}

/// Gives the library the font that it measures texts with.
fn register_font() -> Drawn {
    static DONE: OnceLock<bool> = OnceLock::new();
    let done = DONE.get_or_init(|| {
        plotters::style::register_font(FAMILY, FontStyle::Normal, dejavu::sans::regular()).is_ok()
    });
    if *done { Ok(()) } else { Err(ReportError::Draw("the built-in font cannot be read".into())) }
}

fn refused<E: std::fmt::Display>(error: E) -> ReportError {
    ReportError::Draw(error.to_string())
}
