//! Finds markers in bytes: in clear, UTF-16, hex, base64 at each offset, and inflated or decoded from any offset.

use std::collections::HashMap;
use std::io::Read as _;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Needles are found by so many first bytes.
const KEY: usize = 8;
const UNPACKED_MAX: u64 = 64 << 10;

pub struct Searcher(HashMap<[u8; KEY], Vec<Vec<u8>>>);

/// The characters of base64 that depend on the marker alone, behind `before` other bytes.
pub fn base64(marker: &[u8], before: usize) -> Vec<u8> {
    let bytes = [&[0; 3][..before], marker].concat();
    let sixes = (0..bytes.len() * 8 / 6).map(|n| {
        let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
        (0..6).fold(0, |six, i| six << 1 | bit(n * 6 + i))
    });
    let skip = (before * 8).div_ceil(6);
    sixes.skip(skip).map(|six| ALPHABET[usize::from(six)]).collect()
}

pub fn utf16(marker: &str, big: bool) -> Vec<u8> {
    marker.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

pub fn hex(marker: &[u8]) -> Vec<u8> {
    marker.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

impl Searcher {
    pub fn new(markers: &[String]) -> Self {
        let mut needles: HashMap<[u8; KEY], Vec<Vec<u8>>> = HashMap::new();
        for marker in markers {
            let mut all = vec![marker.clone().into_bytes(), utf16(marker, false), utf16(marker, true)];
            all.extend([hex(marker.as_bytes()), hex(marker.as_bytes()).to_ascii_uppercase()]);
            all.extend((0..3).map(|before| base64(marker.as_bytes(), before)));
            for needle in all {
                needles.entry(needle[..KEY].try_into().unwrap()).or_default().push(needle);
            }
        }
        Self(needles)
    }

    /// Where a marker stands, if anywhere.
    pub fn plain(&self, bytes: &[u8]) -> Option<usize> {
        (0..bytes.len().saturating_sub(KEY - 1)).find(|at| {
            let key: [u8; KEY] = bytes[*at..*at + KEY].try_into().unwrap();
            self.0.get(&key).is_some_and(|list| list.iter().any(|needle| bytes[*at..].starts_with(needle)))
        })
    }

    /// As [`plain`](Self::plain), and in what any part unpacks to.
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        self.plain(bytes).or_else(|| {
            (0..bytes.len()).find(|at| {
                let rest = &bytes[*at..];
                let mut out = Vec::new();
                let raw = flate2::read::DeflateDecoder::new(rest);
                drop(raw.take(UNPACKED_MAX).read_to_end(&mut out));
                let mut found = out.len() >= KEY && self.plain(&out).is_some();
                if rest.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
                    && let Ok(frame) = zstd::stream::read::Decoder::new(rest)
                {
                    out.clear();
                    drop(frame.take(UNPACKED_MAX).read_to_end(&mut out));
                    found |= self.plain(&out).is_some();
                }
                found
            })
        })
    }
}

#[test]
fn it_finds_what_is_planted_in_each_encoding() {
    use std::io::Write as _;
    let marker = "k3W9marker7Qx2vT5".to_owned();
    let searcher = Searcher::new(std::slice::from_ref(&marker));
    let noise: Vec<u8> = blake3::hash(b"noise").as_bytes().repeat(9);
    let plant = |needle: &[u8]| [&noise, needle, &noise].concat();
    let text = format!("some text around {marker} and behind it");
    let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    deflated.write_all(text.as_bytes()).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(text.as_bytes()).unwrap();
    let planted = [
        text.clone().into_bytes(),
        utf16(&text, false),
        utf16(&text, true),
        hex(text.as_bytes()),
        hex(text.as_bytes()).to_ascii_uppercase(),
        base64(text.as_bytes(), 0),
        base64(text[1..].as_bytes(), 0),
        base64(text[2..].as_bytes(), 0),
        deflated.finish().unwrap(),
        zlib.finish().unwrap(),
        zstd::stream::encode_all(text.as_bytes(), 3).unwrap(),
    ];
    for (n, needle) in planted.iter().enumerate() {
        assert!(searcher.find(&plant(needle)).is_some(), "planting {n}");
    }
    assert!(searcher.find(&plant(&text.replace("marker", "maker").into_bytes())).is_none());
    assert!(searcher.find(&noise.repeat(20)).is_none());
}
