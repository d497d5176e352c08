//! Pixels for `plotters`: smooth lines by `tiny-skia`, words from the outlines of the built-in font.
use crate::layout::FINE;
use ab_glyph::{Font, FontRef, OutlineCurve};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};
use std::convert::Infallible;
use tiny_skia::{FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};

type Done = Result<(), DrawingErrorKind<Infallible>>;

/// A picture that is drawn on a sheet of fine units and kept in fewer pixels.
pub(crate) struct Pixels<'a> {
    pixmap: &'a mut Pixmap,
    font: &'a FontRef<'static>,
    scale: Transform,
    size: (u32, u32),
}

impl<'a> Pixels<'a> {
    /// Draws into a picture; a sheet of `size` fine units fills it.
    pub fn new(pixmap: &'a mut Pixmap, font: &'a FontRef<'static>, size: (u32, u32)) -> Self {
        let factor = pixmap.width() as f32 / size.0 as f32;
        Self { pixmap, font, scale: Transform::from_scale(factor, factor), size }
    }

    fn stroke(&mut self, path: Option<Path>, color: BackendColor, width: f32) {
        let Some(path) = path else { return };
        let stroke =
            Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        self.pixmap.stroke_path(&path, &paint(color), &stroke, self.scale, None);
    }

    fn fill(&mut self, path: Option<Path>, color: BackendColor) {
        let Some(path) = path else { return };
        self.pixmap.fill_path(&path, &paint(color), FillRule::Winding, self.scale, None);
    }

    /// The outline of a text from the origin of its baseline, and its width.
    fn outline(&self, text: &str, em: f32) -> (Option<Path>, f32) {
        let unit = em / self.font.units_per_em().unwrap_or(2048.0);
        let mut pen = PathBuilder::new();
        let mut x = 0.0;
        let mut last = None;
        for c in text.chars() {
            let glyph = self.font.glyph_id(c);
            if let Some(last) = last {
                x += self.font.kern_unscaled(last, glyph) * unit;
            }
            last = Some(glyph);
            if let Some(outline) = self.font.outline(glyph) {
                trace_glyph(&outline.curves, &mut pen, |p| (x + p.x * unit, -p.y * unit));
            }
            x += self.font.h_advance_unscaled(glyph) * unit;
        }
        (pen.finish(), x)
    }
}

/// Adds the closed contours of a glyph.
fn trace_glyph(
    curves: &[OutlineCurve],
    pen: &mut PathBuilder,
    place: impl Fn(ab_glyph::Point) -> (f32, f32),
) {
    let mut end = None;
    for curve in curves {
        let (from, to) = match curve {
            OutlineCurve::Line(a, b) => (*a, *b),
            OutlineCurve::Quad(a, _, b) => (*a, *b),
            OutlineCurve::Cubic(a, _, _, b) => (*a, *b),
        };
        if end != Some(from) {
            if end.is_some() {
                pen.close();
            }
            let (x, y) = place(from);
            pen.move_to(x, y);
        }
        let (x, y) = place(to);
        match curve {
            OutlineCurve::Line(..) => pen.line_to(x, y),
            OutlineCurve::Quad(_, c, _) => {
                let (cx, cy) = place(*c);
                pen.quad_to(cx, cy, x, y);
            }
            OutlineCurve::Cubic(_, c, d, _) => {
                let ((cx, cy), (dx, dy)) = (place(*c), place(*d));
                pen.cubic_to(cx, cy, dx, dy, x, y);
            }
        }
        end = Some(to);
    }
    if end.is_some() {
        pen.close();
    }
}

fn paint(color: BackendColor) -> Paint<'static> {
    let mut paint = Paint::default();
    let (r, g, b) = color.rgb;
    paint.set_color_rgba8(r, g, b, (color.alpha.clamp(0.0, 1.0) * 255.0).round() as u8);
    paint.anti_alias = true;
    paint
}

fn polyline(points: impl IntoIterator<Item = BackendCoord>) -> PathBuilder {
    let mut pen = PathBuilder::new();
    for (i, (x, y)) in points.into_iter().enumerate() {
        if i == 0 {
            pen.move_to(x as f32, y as f32);
        } else {
            pen.line_to(x as f32, y as f32);
        }
    }
    pen
}

impl DrawingBackend for Pixels<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Done {
        let one = Rect::from_xywh(x as f32, y as f32, 1.0, 1.0);
        self.fill(one.map(PathBuilder::from_rect), color);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Done {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        a: BackendCoord,
        b: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Done {
        let corners = (a.0.min(b.0) as f32, a.1.min(b.1) as f32, a.0.max(b.0) as f32, a.1.max(b.1) as f32);
        let rect = Rect::from_ltrb(corners.0, corners.1, corners.2, corners.3).map(PathBuilder::from_rect);
        if fill {
            self.fill(rect, style.color());
        } else {
            self.stroke(rect, style.color(), style.stroke_width() as f32);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Done {
        self.stroke(polyline(path).finish(), style.color(), style.stroke_width() as f32);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, at: BackendCoord, radius: u32, style: &S, fill: bool) -> Done {
        let circle = PathBuilder::from_circle(at.0 as f32, at.1 as f32, radius as f32);
        if fill {
            self.fill(circle, style.color());
        } else {
            self.stroke(circle, style.color(), style.stroke_width() as f32);
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Done {
        let mut pen = polyline(path);
        pen.close();
        self.fill(pen.finish(), style.color());
        Ok(())
    }

    /// The same place as in the SVG back end: its lines are moved by 0.76 em or half an x-height.
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Done {
        let em = (style.size() / 1.24) as f32;
        let (Some(path), width) = self.outline(text, em) else { return Ok(()) };
        let x_height = 0.547 * em;
        let dx = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        let dy = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => 0.5 * x_height,
            VPos::Bottom => -0.5 * x_height,
        };
        let turn = match style.transform() {
            FontTransform::None => 0.0,
            FontTransform::Rotate90 => 90.0,
            FontTransform::Rotate180 => 180.0,
            FontTransform::Rotate270 => 270.0,
        };
        let place = self.scale.pre_translate(x as f32, y as f32).pre_rotate(turn).pre_translate(dx, dy);
        let rim = Stroke { width: 3.0 * FINE as f32, line_join: LineJoin::Round, ..Stroke::default() };
        let white = BackendColor { alpha: 1.0, rgb: (255, 255, 255) };
        self.pixmap.stroke_path(&path, &paint(white), &rim, place, None);
        self.pixmap.fill_path(&path, &paint(style.color()), FillRule::Winding, place, None);
        Ok(())
    }
}
