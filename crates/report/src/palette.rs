//! Colours that stay apart for colour-blind readers: those of Okabe and Ito (2008) without the
//! yellow, which is lost on white, and with a dark grey in its place.

/// A colour on paper, on a dark screen, and its nearest neighbour among a terminal's 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Red, green, blue on white.
    pub rgb: (u8, u8, u8),
    /// The same hue, light enough for a dark ground.
    pub dark: (u8, u8, u8),
    /// The index in the 256-colour table of terminals; readable on black and on white.
    pub ansi: u8,
}

/// The colours of series, in order; they repeat after the last, with dashed lines.
pub const PALETTE: [Colour; 7] = [
    Colour { rgb: (0, 114, 178), dark: (77, 163, 224), ansi: 32 },
    Colour { rgb: (213, 94, 0), dark: (242, 125, 66), ansi: 166 },
    Colour { rgb: (0, 158, 115), dark: (54, 190, 147), ansi: 36 },
    Colour { rgb: (204, 121, 167), dark: (227, 156, 198), ansi: 175 },
    Colour { rgb: (230, 159, 0), dark: (240, 185, 58), ansi: 178 },
    Colour { rgb: (86, 180, 233), dark: (150, 214, 248), ansi: 74 },
    Colour { rgb: (85, 85, 85), dark: (170, 175, 182), ansi: 245 },
];

/// Axes, subtitles and marks without a series.
pub(crate) const GREY: Colour = Colour { rgb: (110, 110, 110), dark: (150, 155, 162), ansi: 244 };

/// The colour at a place, repeating.
pub(crate) fn colour(place: usize) -> Colour {
    PALETTE[place % PALETTE.len()]
}
