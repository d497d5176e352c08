//! A figure as pixels: the vector graphic, rendered with a font that is built in.
use crate::error::ReportError;
use crate::figure::Figure;
use crate::svg::{SIZE, svg};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use std::sync::{Arc, OnceLock};

/// Pixels of the picture per pixel of the vector graphic.
const SCALE: u32 = 2;

/// Draws a figure as a PNG picture of 1800 × 1120 pixels. Needs no fonts on the machine.
///
/// # Errors
/// [`ReportError::Draw`] if a drawing library refuses, which no figure should bring about.
pub fn png(figure: &Figure) -> Result<Vec<u8>, ReportError> {
    let text = svg(figure)?;
    let refused = |what: &dyn std::fmt::Display| ReportError::Draw(what.to_string());
    let options = Options { fontdb: fonts(), font_family: "DejaVu Sans".into(), ..Options::default() };
    let tree = Tree::from_str(&text, &options).map_err(|e| refused(&e))?;
    let size = (SIZE.0 * SCALE, SIZE.1 * SCALE);
    let mut pixels = Pixmap::new(size.0, size.1).ok_or_else(|| refused(&"no memory for the picture"))?;
    let scale = Transform::from_scale(SCALE as f32, SCALE as f32);
    resvg::render(&tree, scale, &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| refused(&e))
}

/// The built-in font and nothing else, so that pictures are the same on every machine.
fn fonts() -> Arc<fontdb::Database> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_source(fontdb::Source::Binary(Arc::new(dejavu::sans::regular())));
        fonts.set_sans_serif_family("DejaVu Sans");
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
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
