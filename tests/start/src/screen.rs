//! What is on an X display, looked at again and again, and when it had become what it stays.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, Instant};

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt, ImageFormat};
use x11rb::rust_connection::RustConnection;

use crate::Failure;

/// A picture is compared in squares of so many pixels.
const SQUARE: usize = 16;
/// So many levels of 256 a square may differ and be called the same.
const LEVELS: u8 = 6;
/// Of all squares, so many in a thousand may differ: a clock, a caret, a picture that moves.
const PER_MILLE: usize = 10;
const PAUSE: Duration = Duration::from_millis(15);

/// The display that `DISPLAY` names.
pub(crate) struct Screen {
    connection: RustConnection,
    root: u32,
    width: u16,
    height: u16,
}

/// The brightness of each square.
#[derive(Clone, Debug, PartialEq)]
struct Look(Vec<u8>);

/// A start as it was seen.
pub(crate) struct Seen {
    /// From the start of the program to the first look that stayed.
    pub(crate) usable: Duration,
    /// When it looked otherwise than just before.
    pub(crate) changes: Vec<Duration>,
    picture: Vec<u8>,
}

impl Screen {
    pub(crate) fn open() -> Result<Self, Failure> {
        let (connection, number) = x11rb::connect(None)?;
        let screen = connection.setup().roots.get(number).ok_or("no screen")?;
        let (root, width, height) = (screen.root, screen.width_in_pixels, screen.height_in_pixels);
        if screen.root_depth != 24 {
            return Err("the display must have 24 bits for each pixel".into());
        }
        Ok(Self {
            connection,
            root,
            width,
            height,
        })
    }

    /// Looks from `began` for so long; none when nothing was ever drawn.
    pub(crate) fn watch(&self, began: Instant, whole: Duration) -> Result<Option<Seen>, Failure> {
        let empty = self.look(&self.picture()?);
        let mut looks = Vec::new();
        let mut picture = Vec::new();
        while began.elapsed() < whole {
            let at = began.elapsed();
            picture = self.picture()?;
            looks.push((at, self.look(&picture)));
            std::thread::sleep(PAUSE);
        }
        let usable = settled(&empty, &looks);
        Ok(usable.map(|usable| Seen {
            usable,
            changes: changes(&looks),
            picture,
        }))
    }

    fn picture(&self) -> Result<Vec<u8>, Failure> {
        let (width, height) = (self.width, self.height);
        let asked =
            self.connection
                .get_image(ImageFormat::Z_PIXMAP, self.root, 0, 0, width, height, !0)?;
        Ok(asked.reply()?.data)
    }

    fn look(&self, picture: &[u8]) -> Look {
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        let mut squares = Vec::new();
        for top in (0..height).step_by(SQUARE) {
            for left in (0..width).step_by(SQUARE) {
                let pixels = (top..height.min(top + SQUARE)).step_by(4).flat_map(|y| {
                    (left..width.min(left + SQUARE))
                        .step_by(4)
                        .map(move |x| (y * width + x) * 4)
                });
                let (mut sum, mut count) = (0_u32, 0_u32);
                for at in pixels {
                    let colours = picture.get(at..at + 3).unwrap_or_default();
                    sum += colours.iter().map(|&it| u32::from(it)).sum::<u32>();
                    count += 3;
                }
                squares.push(u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX));
            }
        }
        Look(squares)
    }

    /// The last picture of a start, for a person to see what was called usable.
    pub(crate) fn save(&self, seen: &Seen, path: &Path) -> Result<(), Failure> {
        let file = BufWriter::new(File::create(path)?);
        let mut encoder = png::Encoder::new(file, self.width.into(), self.height.into());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let bytes: Vec<u8> = seen
            .picture
            .chunks_exact(4)
            .flat_map(|pixel| [pixel[2], pixel[1], pixel[0]])
            .collect();
        encoder.write_header()?.write_image_data(&bytes)?;
        Ok(())
    }
}

impl Look {
    fn is(&self, other: &Self) -> bool {
        let differ = |(a, b): (&u8, &u8)| a.abs_diff(*b) > LEVELS;
        let differing = self.0.iter().zip(&other.0).filter(|pair| differ(*pair));
        differing.count() * 1_000 <= self.0.len() * PER_MILLE
    }
}

/// The time of the first look from which on all are the last one; none when the last one is the empty screen.
fn settled(empty: &Look, looks: &[(Duration, Look)]) -> Option<Duration> {
    let (_, last) = looks.last()?;
    if last.is(empty) {
        return None;
    }
    let same = looks.iter().rev().take_while(|(_, look)| look.is(last));
    same.last().map(|(at, _)| *at)
}

fn changes(looks: &[(Duration, Look)]) -> Vec<Duration> {
    let pairs = looks.iter().zip(looks.iter().skip(1));
    let changed = pairs.filter(|((_, before), (_, after))| !after.is(before));
    changed.map(|(_, (at, _))| *at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(levels: [u8; 4]) -> Look {
        Look(levels.repeat(100))
    }

    fn at(ms: u64, levels: [u8; 4]) -> (Duration, Look) {
        (Duration::from_millis(ms), look(levels))
    }

    #[test]
    fn what_stays_counts_from_its_first_look_on() {
        let empty = look([0; 4]);
        let looks = [
            at(10, [0; 4]),
            at(20, [9, 9, 9, 90]),
            at(30, [90, 9, 9, 9]),
            at(40, [9, 9, 9, 90]),
            at(50, [9, 9, 12, 90]),
        ];
        assert_eq!(
            settled(&empty, &looks),
            Some(Duration::from_millis(40)),
            "a look that comes back later is not the end"
        );
        let changed = [20, 30, 40].map(Duration::from_millis);
        assert_eq!(changes(&looks), changed);
    }

    #[test]
    fn a_screen_that_stays_empty_is_no_start() {
        assert_eq!(
            settled(&look([0; 4]), &[at(10, [0; 4]), at(20, [3; 4])]),
            None
        );
        assert_eq!(settled(&look([0; 4]), &[]), None);
    }

    #[test]
    fn a_caret_that_blinks_is_not_a_change() {
        let (mut on, off) = (look([50; 4]), look([50; 4]));
        on.0[7] = 250;
        assert!(on.is(&off));
        on.0[..40].fill(250);
        assert!(!on.is(&off));
    }
}
