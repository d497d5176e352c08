//! A figure as pixels, with a font that is built in.
use crate::error::ReportError;
use crate::figure::Figure;
use crate::layout::{SIZE, draw, sheet_size};
use crate::pixels::Pixels;
use ab_glyph::FontRef;
use plotters::prelude::IntoDrawingArea;
use tiny_skia::Pixmap;

/// Pixels of the picture per pixel of the vector graphic.
const SCALE: u32 = 2;

/// Draws a figure as a PNG picture of 1800 × 1120 pixels. Needs no fonts on the machine.
///
/// # Errors
/// [`ReportError::Draw`] if the drawing library refuses, which no figure should bring about.
pub fn png(figure: &Figure) -> Result<Vec<u8>, ReportError> {
    let refused = |what: &dyn std::fmt::Display| ReportError::Draw(what.to_string());
    let font = FontRef::try_from_slice(dejavu::sans::regular()).map_err(|e| refused(&e))?;
    let mut pixels =
        Pixmap::new(SIZE.0 * SCALE, SIZE.1 * SCALE).ok_or_else(|| refused(&"no memory for the picture"))?;
    draw(figure, &Pixels::new(&mut pixels, &font, sheet_size()).into_drawing_area())?;
    pixels.encode_png().map_err(|e| refused(&e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Axis;

    /// Pixels that are neither white nor nearly so.
    fn ink(figure: &Figure) -> usize {
        let pixels = Pixmap::decode_png(&png(figure).unwrap()).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (1800, 1120));
        pixels.pixels().iter().filter(|p| p.green() < 200).count()
    }

    #[test]
    fn text_is_drawn_without_fonts_on_the_machine() {
        let plain = Figure::default().x(Axis::linear("").range(0.0, 1.0));
        let titled = Figure { title: "Ω* and ρ ≤ 10 × √T".into(), ..plain.clone() };
        assert!(ink(&titled) > ink(&plain) + 500, "the title adds ink");
    }
}
