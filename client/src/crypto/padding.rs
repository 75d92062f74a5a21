//! Padded plaintext: a length, the content, zeros (`docs/format.md` §2.2). Hides how long a content is.

use proto::wire::bytes::Reader;

use super::Refused;
use super::wiped::Wiped;

/// Length of what stands before the content.
pub const PADDING_PREFIX_BYTES: usize = 4;

/// Pads to exactly `size` bytes; none if the content does not fit.
pub fn pad(content: &[u8], size: usize) -> Option<Wiped> {
    let length = u32::try_from(content.len()).ok()?;
    if content.len().checked_add(PADDING_PREFIX_BYTES)? > size {
        return None;
    }
    let mut out = Wiped::new(Vec::with_capacity(size));
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(content);
    out.resize(size, 0);
    Some(out)
}

/// Takes the content out. Bytes other than zero behind it are refused: they could carry what nobody sees.
pub fn unpad(padded: &[u8]) -> Result<&[u8], Refused> {
    let mut r = Reader::new(padded);
    let length = r.u32().map_err(|_| Refused)?;
    let content = r.take(usize::try_from(length).map_err(|_| Refused)?).map_err(|_| Refused)?;
    if r.rest().iter().all(|b| *b == 0) { Ok(content) } else { Err(Refused) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn content_comes_back(content in prop::collection::vec(any::<u8>(), 0..100), extra in 0usize..50) {
            let padded = pad(&content, content.len() + PADDING_PREFIX_BYTES + extra).unwrap();
            prop_assert_eq!(unpad(&padded), Ok(&content[..]));
            prop_assert!(pad(&content, content.len() + PADDING_PREFIX_BYTES - 1).is_none());
        }

        #[test]
        fn what_unpads_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(content) = unpad(&bytes) {
                prop_assert_eq!(&**pad(content, bytes.len()).unwrap(), &bytes[..]);
            }
        }
    }

    #[test]
    fn a_single_bit_in_the_padding_is_refused() {
        let padded = pad(b"abc", 12).unwrap();
        for at in 7..12 {
            let mut changed = padded.to_vec();
            changed[at] = 1;
            assert_eq!(unpad(&changed), Err(Refused));
        }
    }
}
