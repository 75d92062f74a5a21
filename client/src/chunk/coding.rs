//! Compression: one zstd frame that states its content's size, and only where it pays.

use std::borrow::Cow;
use std::cell::RefCell;

use proto::wire::bytes::Malformed;
use zstd::zstd_safe;

use crate::crypto::Wiped;

/// How a chunk's content is written before it is sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    AsIs = 0,
    Zstd = 1,
}

const LEVEL: i32 = 3;
/// So much of a content is tried first: photos and videos show within it that they do not shrink.
const TRIAL_BYTES: usize = 64 << 10;

impl Coding {
    pub(crate) fn new(number: u8) -> Result<Self, Malformed> {
        match number {
            0 => Ok(Self::AsIs),
            1 => Ok(Self::Zstd),
            _ => Err(Malformed::Unknown),
        }
    }

    /// Writes a content the shorter way.
    pub(super) fn choose(content: &[u8]) -> (Self, Cow<'_, [u8]>) {
        let trial = content.get(..TRIAL_BYTES).unwrap_or(content);
        if pays(trial, &pack_frame(trial)) {
            let packed = pack_frame(content);
            if pays(content, &packed) {
                return (Self::Zstd, Cow::Owned(packed));
            }
        }
        (Self::AsIs, Cow::Borrowed(content))
    }

    pub(super) fn undo(self, coded: Wiped, bytes_max: usize) -> Result<Wiped, Malformed> {
        match self {
            Self::AsIs if coded.len() > bytes_max => Err(Malformed::TooLong),
            Self::AsIs => Ok(coded),
            Self::Zstd => unpack_frame(&coded, bytes_max).map(Wiped::new),
        }
    }
}

/// A sixteenth less is worth the work of unpacking.
fn pays(plain: &[u8], packed: &[u8]) -> bool {
    packed.len() < plain.len() - plain.len() / 16
}

thread_local! {
    // Making zstd's tables costs as much as packing a frame of 32 KiB, so each thread keeps its own.
    static PACKER: RefCell<zstd::bulk::Compressor<'static>> =
        RefCell::new(zstd::bulk::Compressor::new(LEVEL).expect("the level is one zstd has"));
    static UNPACKER: RefCell<zstd::bulk::Decompressor<'static>> =
        RefCell::new(zstd::bulk::Decompressor::new().expect("no dictionary that could be refused"));
}

/// Packs into one zstd frame with its content size.
pub(crate) fn pack_frame(content: &[u8]) -> Vec<u8> {
    PACKER.with_borrow_mut(|packer| packer.compress(content)).expect("the output is given all the room it needs")
}

/// Unpacks exactly one frame. Its stated size is held to `bytes_max` before memory is taken, and must come true.
pub(crate) fn unpack_frame(frame: &[u8], bytes_max: usize) -> Result<Vec<u8>, Malformed> {
    let stated = zstd_safe::get_frame_content_size(frame).ok().flatten().ok_or(Malformed::NotCanonical)?;
    let stated = usize::try_from(stated).map_err(|_| Malformed::TooLong)?;
    if stated > bytes_max {
        return Err(Malformed::TooLong);
    }
    // An empty frame is never written, and zstd's skippable frames claim to be empty.
    if stated == 0 || zstd_safe::find_frame_compressed_size(frame) != Ok(frame.len()) {
        return Err(Malformed::NotCanonical);
    }
    let content = UNPACKER.with_borrow_mut(|unpacker| unpacker.decompress(frame, stated));
    let content = content.map_err(|_| Malformed::NotCanonical)?;
    if content.len() == stated { Ok(content) } else { Err(Malformed::NotCanonical) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut out);
        out
    }

    #[test]
    fn text_is_packed_and_noise_is_not() {
        let text = "all work and no play ".repeat(10_000).into_bytes();
        assert_eq!(Coding::choose(&text).0, Coding::Zstd);
        assert_eq!(Coding::choose(&noise(300_000)).0, Coding::AsIs);
        assert_eq!(Coding::choose(&[]).0, Coding::AsIs);
        // Noise up front, text behind: the trial spares the work. Text up front, noise behind: the whole decides.
        assert_eq!(Coding::choose(&[noise(TRIAL_BYTES), text.clone()].concat()).0, Coding::AsIs);
        assert_eq!(Coding::choose(&[text[..TRIAL_BYTES].to_vec(), noise(4 << 20)].concat()).0, Coding::AsIs);
    }

    proptest! {
        #[test]
        fn both_ways_come_back(content in prop::collection::vec(any::<u8>(), 0..3000), times in 1usize..40) {
            let content = content.repeat(times);
            let (coding, coded) = Coding::choose(&content);
            prop_assert_eq!(&*coding.undo(Wiped::copy_of(&coded), content.len()).unwrap(), &content[..]);
            if !content.is_empty() {
                prop_assert!(coding.undo(Wiped::copy_of(&coded), content.len() - 1).is_err());
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack_frame(&bytes, 1000);
            let framed = [&[0x28, 0xb5, 0x2f, 0xfd][..], &bytes].concat();
            if let Ok(content) = unpack_frame(&framed, 1000) {
                prop_assert!(content.len() <= 1000);
            }
        }
    }

    #[test]
    fn frames_that_are_not_ours_are_refused() {
        let frame = pack_frame(b"hello hello hello");
        assert!(unpack_frame(&frame, 100).is_ok());
        assert!(unpack_frame(&[&frame[..], &[0]].concat(), 100).is_err(), "bytes behind it");
        assert!(unpack_frame(&[&frame[..], &frame].concat(), 100).is_err(), "two frames");
        assert!(unpack_frame(&[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0], 100).is_err(), "a skippable frame");
        let mut bomb = zstd::bulk::compress(&vec![0; 100 << 20], 3).unwrap();
        assert!(bomb.len() < 64 << 10);
        assert_eq!(unpack_frame(&bomb, 64 << 10), Err(Malformed::TooLong));
        // The same bomb that lies about its size: the stated size is the room it gets.
        let at = 5;
        bomb[at..at + 4].copy_from_slice(&1000u32.to_le_bytes());
        assert!(unpack_frame(&bomb, 64 << 10).is_err());
        for length in 0..frame.len() {
            assert!(unpack_frame(&frame[..length], 100).is_err());
        }
    }
}
