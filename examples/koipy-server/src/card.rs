//! The picture that a user sees before a test: how many points are left.

use std::io;

const WIDTH: usize = 240;
const HEIGHT: usize = 80;
/// The edge of a digit's dot.
const DOT: usize = 8;

type Rgb = [u8; 3];

const PAPER: Rgb = [0xFF; 3];
const FRAME: Rgb = [0x33, 0x66, 0xCC];
const INK: Rgb = [0x22; 3];
const WARNING: Rgb = [0xCC, 0x33, 0x33];

/// Digits of three by five dots, a row of each in three bits.
const DIGITS: [[u8; 5]; 10] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b010, 0b110, 0b010, 0b010, 0b111],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b111, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b010, 0b010, 0b010],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
];

/// A PNG with the number of points in a frame; in red, if there are none left.
pub(crate) fn draw(points: u32) -> io::Result<Vec<u8>> {
    let mut card = Card::new();
    for (x, y, width, height) in
        [(0, 0, WIDTH, 4), (0, HEIGHT - 4, WIDTH, 4), (0, 0, 4, HEIGHT), (WIDTH - 4, 0, 4, HEIGHT)]
    {
        card.fill((x, y), (width, height), FRAME);
    }
    let ink = if points == 0 { WARNING } else { INK };
    // There is no room for more digits.
    for (place, digit) in points.min(999_999).to_string().bytes().enumerate() {
        card.digit(usize::from(digit - b'0'), place, ink);
    }
    card.encode()
}

struct Card {
    pixels: Vec<u8>,
}

impl Card {
    fn new() -> Self {
        Self { pixels: PAPER.repeat(WIDTH * HEIGHT) }
    }

    fn digit(&mut self, digit: usize, place: usize, ink: Rgb) {
        let left = 2 * DOT + place * 4 * DOT;
        for (row, dots) in DIGITS[digit].into_iter().enumerate() {
            for column in (0..3).filter(|column| dots & (0b100 >> column) != 0) {
                let corner = (left + column * DOT, 20 + row * DOT);
                self.fill(corner, (DOT, DOT), ink);
            }
        }
    }

    fn fill(&mut self, (x, y): (usize, usize), (width, height): (usize, usize), ink: Rgb) {
        for row in y..y + height {
            let start = (row * WIDTH + x) * ink.len();
            let line = &mut self.pixels[start..start + width * ink.len()];
            line.copy_from_slice(&ink.repeat(width));
        }
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let mut png = Vec::new();
        let (width, height) = (u32::try_from(WIDTH), u32::try_from(HEIGHT));
        let size = (width.map_err(io::Error::other)?, height.map_err(io::Error::other)?);
        let mut encoder = png::Encoder::new(&mut png, size.0, size.1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(&self.pixels)?;
        Ok(png)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_a_picture_of_its_points() {
        let pixels = |points| {
            let card = draw(points).unwrap();
            let mut reader = png::Decoder::new(io::Cursor::new(card)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let frame = reader.next_frame(&mut pixels).unwrap();
            assert_eq!((frame.width, frame.height), (240, 80));
            pixels
        };
        assert_ne!(pixels(1), pixels(7));
        let has = |points, ink: Rgb| pixels(points).chunks(3).any(|pixel| pixel == ink);
        assert!(has(7, INK) && !has(7, WARNING) && has(0, WARNING));
        assert_eq!(pixels(u32::MAX), pixels(999_999));
    }
}
