//! How a portal looks: its colour becomes a hue and a strength, never a lightness.
//!
//! Texts on brand colours pass WCAG AA because our stylesheet fixes the lightness; see `styles/tokens.css`.

use serde::Serialize;

/// A brand colour as the stylesheet takes it: hue in degrees (0 to 360) and chroma (0 to 0.2) of OKLCH.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BrandColour {
    /// Hue in degrees, 0 to 360, to a tenth.
    pub hue: f64,
    /// Chroma, 0 (grey) to 0.2, to a thousandth.
    pub chroma: f64,
}

impl BrandColour {
    /// Reads `#rrggbb`; `None` where the text is no such colour.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text
            .strip_prefix('#')
            .filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let packed = u32::from_str_radix(digits, 16).ok()?;
        let channel = |shift: u32| linear(f64::from((packed >> shift) & 0xff) / 255.0);
        Some(Self::from_linear(channel(16), channel(8), channel(0)))
    }

    // Björn Ottosson's OKLab matrices (https://bottosson.github.io/posts/oklab/).
    fn from_linear(r: f64, g: f64, b: f64) -> Self {
        let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
        let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
        let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
        let green_red = 1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s;
        let blue_yellow = 0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s;
        let hue = blue_yellow.atan2(green_red).to_degrees().rem_euclid(360.0);
        let chroma = green_red.hypot(blue_yellow).min(0.2);
        Self { hue: (hue * 10.0).round() / 10.0, chroma: (chroma * 1000.0).round() / 1000.0 }
    }
}

fn linear(channel: f64) -> f64 {
    if channel <= 0.040_45 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_becomes_its_hue_and_chroma() {
        let teal = BrandColour::parse("#0f766e").unwrap();
        assert!((teal.hue - 184.0).abs() < 3.0, "{teal:?}");
        assert!((teal.chroma - 0.087).abs() < 0.01, "{teal:?}");
    }

    #[test]
    fn grey_has_no_chroma() {
        assert_eq!(BrandColour::parse("#808080").unwrap().chroma, 0.0);
    }

    #[test]
    fn what_is_no_colour_is_refused() {
        for text in ["", "0f766e", "#fff", "#0f766g", "#0f766e;}", "#+12345"] {
            let parsed = BrandColour::parse(text);
            assert!(parsed.is_none(), "{text:?} gave {parsed:?}");
        }
    }
}
