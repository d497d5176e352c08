//! A figure as text: braille lines, a marker per series so that nothing depends on colour.
use crate::figure::{Figure, Mark, Place, Series};
use crate::frame::{Frame, sparse};
use crate::palette::{Colour, GREY, colour};
use crate::ticks::Ticks;
use crate::trace::{self, Point};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::symbols::Marker;
use ratatui_core::widgets::Widget;
use ratatui_widgets::canvas::{Canvas, Line, Points};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The markers of series, in order; they repeat after the last.
const MARKERS: [&str; 10] = ["●", "▲", "■", "◆", "○", "△", "□", "◇", "✚", "★"];
/// A trial without a finite value.
const DIVERGED: &str = "✕";

/// Draws a figure into a block of text of so many columns and about so many rows (at least 30 × 10),
/// title and legend included.
///
/// With `color`, series are coloured by ANSI escapes (256 colours); without, the text is plain.
/// Series differ by their markers either way. Every line ends with a newline.
pub fn terminal(figure: &Figure, width: u16, height: u16, color: bool) -> String {
    let frame = Frame::of(figure);
    let width = width.clamp(30, 400);
    let legend = legend(figure, &frame, usize::from(width));
    let head = [&figure.title, &figure.subtitle, &figure.y.label].map(|t| u16::from(!t.is_empty()));
    let other = head.iter().sum::<u16>() + 3 + u16::from(frame.diverged) + legend.len() as u16;
    let rows = height.clamp(10, 200).saturating_sub(other).max(5);
    let mut sheet = Sheet::new(width, rows + other);
    sheet.title(figure);
    let plot = sheet.axes(figure, &frame, rows);
    match frame.empty {
        Some(why) => sheet.centred(plot, why),
        None => {
            draw_lines(figure, &frame, plot, &mut sheet.buffer);
            draw_notes(figure, &frame, plot, &mut sheet.buffer);
            draw_diverged(figure, &frame, plot, &mut sheet.buffer);
        }
    }
    sheet.legend(&legend);
    to_text(&sheet.buffer, color)
}

/// A word of the legend: a sign, what it means and the colour of the sign.
struct Entry {
    sign: &'static str,
    text: String,
    colour: Colour,
}

impl Entry {
    fn width(&self) -> usize {
        self.sign.width() + 1 + self.text.width()
    }
}

/// The legend, broken into lines.
fn legend(figure: &Figure, frame: &Frame, width: usize) -> Vec<Vec<Entry>> {
    let mut entries = Vec::new();
    for (i, series) in figure.series.iter().enumerate().filter(|(_, s)| !s.name.is_empty()) {
        let text = fitted(&series.name, width - 6);
        entries.push(Entry { sign: marker(i), text, colour: own_colour(i, series) });
    }
    if frame.diverged {
        entries.push(Entry { sign: DIVERGED, text: "diverged".into(), colour: GREY });
    }
    for mark in figure.marks.iter().filter(|m| !m.label.is_empty()) {
        let sign = match mark.place {
            Place::Vertical(_) => "┊",
            Place::Horizontal(_) => "╌",
            Place::Span(..) => "━",
            Place::Note(..) => continue,
        };
        let text = fitted(&mark.label, width - 6);
        entries.push(Entry { sign, text, colour: mark_colour(figure, mark) });
    }
    let mut lines: Vec<Vec<Entry>> = Vec::new();
    let mut used = usize::MAX;
    for entry in entries {
        let wide = entry.width() + 3;
        match lines.last_mut() {
            Some(line) if used.saturating_add(wide) <= width => {
                used += wide;
                line.push(entry);
            }
            _ => {
                used = 2 + wide;
                lines.push(vec![entry]);
            }
        }
    }
    lines
}

/// The page that is written on, from top to bottom.
struct Sheet {
    buffer: Buffer,
    row: u16,
}

impl Sheet {
    fn new(width: u16, height: u16) -> Self {
        Self { buffer: Buffer::empty(Rect::new(0, 0, width, height)), row: 0 }
    }

    fn title(&mut self, figure: &Figure) {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        for (text, style) in [(&figure.title, bold), (&figure.subtitle, Style::new().fg(fg(GREY)))] {
            if !text.is_empty() {
                let text = fitted(text, usize::from(self.buffer.area.width));
                self.put(0, self.row, &text, style);
                self.row += 1;
            }
        }
    }

    /// Draws both axes with their ticks and labels; the area that is left for data.
    fn axes(&mut self, figure: &Figure, frame: &Frame, rows: u16) -> Rect {
        let grey = Style::new().fg(fg(GREY));
        let vertical = frame.y.ticks(usize::from(rows / 4).clamp(2, 8));
        let margin = vertical.major.iter().map(|t| t.label.width()).max().unwrap_or(0).min(14) as u16;
        let margin = if frame.diverged { margin.max("diverged".len() as u16) } else { margin };
        if !figure.y.label.is_empty() {
            self.put(0, self.row, &figure.y.label, grey);
            self.row += 1;
        }
        if frame.diverged {
            self.put(margin - "diverged".len() as u16, self.row, "diverged", grey);
            self.put(margin + 1, self.row, "╎", grey);
            self.row += 1;
        }
        let width = self.buffer.area.width;
        let plot = Rect::new(margin + 2, self.row, width - margin - 3, rows);
        for row in plot.top()..plot.bottom() {
            self.put(plot.x - 1, row, "│", grey);
        }
        self.vertical_ticks(&vertical, frame, plot, grey);
        self.put(plot.x - 1, plot.bottom(), "└", grey);
        for column in plot.left()..plot.right() {
            self.put(column, plot.bottom(), "─", grey);
        }
        self.horizontal_ticks(frame, plot, grey);
        self.marks_on_axes(figure, frame, plot);
        let label = clean(&figure.x.label);
        let start = plot.x + plot.width.saturating_sub(label.width() as u16) / 2;
        self.put(start, plot.bottom() + 2, &label, grey);
        self.row = plot.bottom() + 3;
        plot
    }

    fn vertical_ticks(&mut self, ticks: &Ticks, frame: &Frame, plot: Rect, style: Style) {
        let mut last = u16::MAX;
        for tick in &ticks.major {
            let Some(unit) = frame.y.unit(tick.value) else { continue };
            let row = cell((0.5, unit), plot).1;
            if row == last {
                continue;
            }
            last = row;
            let start = (plot.x - 2).saturating_sub(tick.label.width() as u16);
            self.put(start, row, &tick.label, style);
            self.put(plot.x - 1, row, "┤", style);
        }
    }

    fn horizontal_ticks(&mut self, frame: &Frame, plot: Rect, style: Style) {
        let wanted = usize::from(plot.width / 10).clamp(2, 12);
        let mut free = 0;
        for tick in &frame.x.ticks(wanted).major {
            let Some(unit) = frame.x.unit(tick.value) else { continue };
            let column = cell((unit, 0.5), plot).0;
            let wide = tick.label.width() as u16;
            let start = column.saturating_sub(wide / 2).min(self.buffer.area.width.saturating_sub(wide));
            self.put(column, plot.bottom(), "┬", style);
            if start >= free {
                self.put(start, plot.bottom() + 1, &tick.label, style);
                free = start + wide + 1;
            }
        }
    }

    /// Vertical lines, horizontal lines and spans; spans lie on the horizontal axis.
    fn marks_on_axes(&mut self, figure: &Figure, frame: &Frame, plot: Rect) {
        for mark in &figure.marks {
            let style = Style::new().fg(fg(mark_colour(figure, mark)));
            match mark.place {
                Place::Vertical(x) => {
                    if let Some(unit) = visible(frame.x.unit(x)) {
                        let column = cell((unit, 0.5), plot).0;
                        (plot.top()..plot.bottom()).for_each(|row| self.put(column, row, "┊", style));
                    }
                }
                Place::Horizontal(y) => {
                    if let Some(unit) = visible(frame.y.unit(y)) {
                        let row = cell((0.5, unit), plot).1;
                        (plot.left()..plot.right()).for_each(|column| self.put(column, row, "╌", style));
                    }
                }
                Place::Span(from, to) => {
                    if let (Some(a), Some(b)) = (frame.x.clamped(from), frame.x.clamped(to)) {
                        let (a, b) = (cell((a.min(b), 0.5), plot).0, cell((a.max(b), 0.5), plot).0);
                        (a..=b).for_each(|column| self.put(column, plot.bottom(), "━", style));
                    }
                }
                Place::Note(..) => {}
            }
        }
    }

    fn centred(&mut self, plot: Rect, text: &str) {
        let start = plot.x + plot.width.saturating_sub(text.width() as u16) / 2;
        self.put(start, plot.y + plot.height / 2, text, Style::new());
    }

    fn legend(&mut self, lines: &[Vec<Entry>]) {
        for line in lines {
            let mut column = 2;
            for entry in line {
                self.put(column, self.row, entry.sign, Style::new().fg(fg(entry.colour)));
                self.put(column + entry.sign.width() as u16 + 1, self.row, &entry.text, Style::new());
                column = column.saturating_add(entry.width().min(1000) as u16 + 3);
            }
            self.row += 1;
        }
    }

    /// Writes text, cut at the edge; outside of the page nothing happens.
    fn put(&mut self, column: u16, row: u16, text: &str, style: Style) {
        put(&mut self.buffer, column, row, text, style);
    }
}

fn put(buffer: &mut Buffer, column: u16, row: u16, text: &str, style: Style) {
    let area = buffer.area;
    if column < area.right() && row < area.bottom() {
        buffer.set_stringn(column, row, clean(text), usize::from(area.right() - column), style);
    }
}

/// Lines and bands in braille, pale series first; then the markers.
fn draw_lines(figure: &Figure, frame: &Frame, plot: Rect, buffer: &mut Buffer) {
    let columns = usize::from(plot.width) * 2;
    let mut order: Vec<usize> = (0..figure.series.len()).collect();
    order.sort_by_key(|i| !figure.series[*i].faded);
    let mut layer = Buffer::empty(plot);
    Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([0.0, 1.0])
        .y_bounds([0.0, 1.0])
        .paint(|context| {
            for &i in &order {
                let series = &figure.series[i];
                let color = fg(own_colour(i, series));
                for line in trace::lines(series, frame, columns) {
                    for pair in line.windows(2) {
                        let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
                        context.draw(&Line { x1, y1, x2, y2, color });
                    }
                    if let [only] = line[..] {
                        context.draw(&Points { coords: &[only], color });
                    }
                }
                for band in trace::bands(series, frame) {
                    let edges: Vec<Point> =
                        band.iter().flat_map(|&(x, low, high)| [(x, low), (x, high)]).collect();
                    context.draw(&Points { coords: &edges, color });
                }
            }
        })
        .render(plot, &mut layer);
    // Only what was drawn covers the marks beneath.
    for position in plot.positions() {
        if let (Some(from), Some(to)) = (layer.cell(position), buffer.cell_mut(position))
            && !matches!(from.symbol(), " " | "\u{2800}")
        {
            *to = from.clone();
        }
    }
    for &i in &order {
        draw_markers(i, figure, frame, plot, buffer);
    }
}

/// A marker at each point of a short series; three along a long line where there are several lines.
fn draw_markers(i: usize, figure: &Figure, frame: &Frame, plot: Rect, buffer: &mut Buffer) {
    let series = &figure.series[i];
    let style = Style::new().fg(fg(own_colour(i, series)));
    let few = sparse(series.points.len()) && series.style != crate::figure::Style::Step;
    let places = if few || series.style == crate::figure::Style::Points {
        trace::points(series, frame)
    } else if figure.series.len() > 1 {
        let lines = trace::lines(series, frame, usize::from(plot.width) * 2);
        let shift = (i as f64 + 1.0) / (figure.series.len() as f64 + 1.0);
        (0..3).filter_map(|k| on_line(&lines, (f64::from(k) + shift) / 3.0)).collect()
    } else {
        Vec::new()
    };
    for point in places {
        let (column, row) = cell(point, plot);
        put(buffer, column, row, marker(i), style);
    }
}

/// The point of some polylines at a place along x.
fn on_line(lines: &[Vec<Point>], x: f64) -> Option<Point> {
    lines.iter().flat_map(|line| line.windows(2)).find_map(|pair| {
        let (a, b) = (pair[0], pair[1]);
        let within = a.0 <= x && x <= b.0 && a.0 < b.0;
        within.then(|| (x, a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0)))
    })
}

fn draw_notes(figure: &Figure, frame: &Frame, plot: Rect, buffer: &mut Buffer) {
    for mark in &figure.marks {
        if let Place::Note(x, y) = mark.place
            && let (Some(x), Some(y)) = (visible(frame.x.unit(x)), visible(frame.y.unit(y)))
        {
            let (column, row) = cell((x, y), plot);
            let text = clean(&mark.label);
            let room = plot.right().saturating_sub(column + 2);
            let start = if text.width() as u16 <= room {
                column + 2
            } else {
                plot.right().saturating_sub(text.width() as u16).max(plot.left())
            };
            put(buffer, start, row, &text, Style::new().fg(fg(mark_colour(figure, mark))));
        }
    }
}

/// The row above the plot: the marker of the series that diverged there, a cross if several did.
fn draw_diverged(figure: &Figure, frame: &Frame, plot: Rect, buffer: &mut Buffer) {
    let mut seen = std::collections::BTreeMap::new();
    for (i, series) in figure.series.iter().enumerate() {
        for &x in &series.diverged {
            if let Some(unit) = visible(frame.x.unit(x)) {
                let column = cell((unit, 0.5), plot).0;
                seen.entry(column)
                    .and_modify(|v| {
                        if *v != Some(i) {
                            *v = None
                        }
                    })
                    .or_insert(Some(i));
            }
        }
    }
    let named = figure.series.len() > 1;
    for (column, owner) in seen {
        let (sign, style) = match owner {
            Some(i) if named => (marker(i), Style::new().fg(fg(own_colour(i, &figure.series[i])))),
            Some(i) => (DIVERGED, Style::new().fg(fg(own_colour(i, &figure.series[i])))),
            None => (DIVERGED, Style::new().fg(fg(GREY))),
        };
        put(buffer, column, plot.y.saturating_sub(1), sign, style);
    }
}

fn marker(i: usize) -> &'static str {
    MARKERS[i % MARKERS.len()]
}

fn own_colour(i: usize, series: &Series) -> Colour {
    if series.faded { GREY } else { colour(series.colour.unwrap_or(i)) }
}

fn mark_colour(figure: &Figure, mark: &Mark) -> Colour {
    match mark.series.and_then(|i| Some((i, figure.series.get(i)?))) {
        Some((i, series)) => own_colour(i, series),
        None => GREY,
    }
}

fn fg(colour: Colour) -> Color {
    Color::Indexed(colour.ansi)
}

/// The cell that holds a point of the unit square, as the canvas rounds it.
fn cell((x, y): Point, plot: Rect) -> (u16, u16) {
    let dots = |unit: f64, cells: u16, per_cell: u16| {
        let last = f64::from(cells * per_cell - 1);
        ((unit.clamp(0.0, 1.0) * last).round() as u16 / per_cell).min(cells - 1)
    };
    (plot.x + dots(x, plot.width, 2), plot.y + dots(1.0 - y, plot.height, 4))
}

fn visible(unit: Option<f64>) -> Option<f64> {
    unit.filter(|u| (-1e-9..=1.0 + 1e-9).contains(u))
}

/// Names on one line: control characters (escapes among them) become spaces.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The text on one line if it fits, else its beginning and an ellipsis.
fn fitted(text: &str, room: usize) -> String {
    let text = clean(text);
    if text.width() <= room {
        return text;
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= room
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// The buffer as lines without trailing blanks.
fn to_text(buffer: &Buffer, color: bool) -> String {
    let mut out = String::new();
    for row in buffer.area.rows() {
        let mut line = String::new();
        let mut blank = String::new();
        let mut pen = Style::new();
        let mut skip = 0;
        for position in row.positions() {
            let Some(cell) = buffer.cell(position) else { continue };
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = cell.symbol().width().saturating_sub(1);
            if cell.symbol() == " " {
                blank.push(' ');
                continue;
            }
            line.push_str(&std::mem::take(&mut blank));
            let style = Style::new().fg(cell.fg).add_modifier(cell.modifier);
            if color && style != pen {
                pen = style;
                line.push_str(&escape(cell.fg, cell.modifier));
            }
            line.push_str(cell.symbol());
        }
        if color && pen != Style::new() {
            line.push_str("\x1b[0m");
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

fn escape(color: Color, modifier: Modifier) -> String {
    let bold = if modifier.contains(Modifier::BOLD) { ";1" } else { "" };
    match color {
        Color::Indexed(i) => format!("\x1b[0{bold};38;5;{i}m"),
        _ => format!("\x1b[0{bold}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Axis;

    fn sweep() -> Figure {
        let rates = [1e-4, 1e-3, 1e-2, 1e-1, 1.0];
        let curve = |best: f64| rates.iter().map(|r: &f64| (*r, (r / best).ln().powi(2))).collect();
        Figure::new("loss against rate")
            .x(Axis::log("peak rate"))
            .y(Axis::linear("loss"))
            .series(Series::line("constant", curve(1e-3)).diverged([10.0]))
            .series(Series::line("cosine", curve(1e-2)))
            .mark(Mark::new(Place::Span(3e-3, 3e-2), "safe interval").of(1))
    }

    #[test]
    fn plain_text_names_everything() {
        let text = terminal(&sweep(), 80, 24, false);
        assert!(!text.contains('\x1b'));
        for word in
            ["1e-4", "1e-3", "0.01", "0.1", "1", "10", "● constant", "▲ cosine", "✕ diverged", "━ safe"]
        {
            assert!(text.contains(word), "{word}\n{text}");
        }
        assert_eq!(text.lines().count(), 24);
        assert!(text.lines().all(|l| l.width() <= 80));
        // The diverged trial stands above the plot, in its own row.
        let row = text.lines().find(|l| l.contains("diverged ╎")).unwrap();
        assert!(row.contains('●'), "{text}");
    }

    #[test]
    fn colours_are_closed_on_every_line() {
        let text = terminal(&sweep(), 80, 24, true);
        for line in text.lines().filter(|l| l.contains('\x1b')) {
            assert!(line.ends_with("\x1b[0m"), "{line:?}");
        }
    }

    #[test]
    fn hostile_input_draws_something() {
        let values = [f64::NAN, f64::INFINITY, -f64::MAX, f64::MAX, 0.0, 5e-324, -0.0, 1.0];
        let points: Vec<_> = values.iter().flat_map(|x| values.iter().map(|y| (*x, *y))).collect();
        let name = "wide 漢字\x1b[31m\n".repeat(40);
        for axis in [Axis::linear("x"), Axis::log("y")] {
            for (w, h) in [(0, 0), (1, 1), (30, 10), (u16::MAX, u16::MAX)] {
                let series = Series::line(name.clone(), points.clone())
                    .diverged(values)
                    .band(points.iter().map(|p| (p.0, p.1, p.0)).collect());
                let figure = Figure::new(name.clone()).x(axis.clone()).y(axis.clone()).series(series);
                let text = terminal(&figure, w, h, false);
                assert!(!text.contains('\x1b'));
                assert!(text.lines().count() >= 5);
            }
        }
        assert!(terminal(&Figure::default(), 60, 12, false).contains("no data to draw"));
    }
}
