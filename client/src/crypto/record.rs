//! Records: a body sealed under the epoch key, a header signed by its author (`docs/format.md` §4.1).

use proto::wire::header::{Header, Record, RecordKind, aad_prefix, body_hash};
use proto::wire::ladder::Class;
use thiserror::Error;

use super::padding::{PADDING_PREFIX_BYTES, pad, unpad};
use super::seal::{Refused, SEAL_BYTES};
use super::wiped::Wiped;
use super::{DeviceKeys, Entropy, EpochKey};

/// A record ready to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedRecord {
    pub record: Record,
    pub body: Vec<u8>,
}

/// A record's body, opened.
pub struct OpenBody {
    pub clear: Vec<u8>,
    pub content: Wiped,
}

/// Clear part and content do not fit one body.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a record's body would be longer than 64 KiB")]
pub struct BodyTooLong;

/// The longest content that fits a body beside a clear part of this length.
pub const fn content_bytes_max(clear_len: usize) -> usize {
    (proto::wire::limits::BODY_BYTES_MAX - SEAL_BYTES - PADDING_PREFIX_BYTES).saturating_sub(clear_len)
}

/// Seals a body and signs the header that names it.
///
/// The header comes with everything but its device, lengths and body hash, which are filled in here.
pub fn seal_record(
    device: &DeviceKeys,
    epoch: &EpochKey,
    header: Header,
    clear: &[u8],
    content: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<SealedRecord, BodyTooLong> {
    let header = Header { device: device.id(), ..header };
    let (header, body) = seal_body(epoch, header, clear, content, entropy)?;
    Ok(SealedRecord { record: signed(device, header), body })
}

/// Signs a record without a body: a sign of life, or a device's leaving.
pub fn sign_bare(device: &DeviceKeys, header: Header) -> Record {
    let header = Header { device: device.id(), clear_len: 0, body_len: 0, body_hash: body_hash(&[]), ..header };
    signed(device, header)
}

/// Holds a body to its record, then opens its sealed part.
pub fn open_body(record: &Record, body: &[u8], epoch: &EpochKey) -> Result<OpenBody, Refused> {
    let (clear, sealed) = record.split_body(body).map_err(|_| Refused)?;
    let padded = epoch.open_body(&record.header.account, aad_prefix(&record.header_bytes), clear, sealed)?;
    Ok(OpenBody { clear: clear.to_vec(), content: Wiped::new(unpad(&padded)?.to_vec()) })
}

/// Fills in a header's lengths and body hash. The hash is not part of the associated data, the lengths are.
pub(super) fn seal_body(
    epoch: &EpochKey,
    mut header: Header,
    clear: &[u8],
    content: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<(Header, Vec<u8>), BodyTooLong> {
    let length = clear.len() + SEAL_BYTES + PADDING_PREFIX_BYTES + content.len();
    let class = Class::fitting(length, Class::BODY).filter(|c| *c <= Class::BODY_MAX).ok_or(BodyTooLong)?;
    let padded = pad(content, class.bytes() - clear.len() - SEAL_BYTES).ok_or(BodyTooLong)?;
    header.clear_len = u32::try_from(clear.len()).map_err(|_| BodyTooLong)?;
    header.body_len = u32::try_from(class.bytes()).map_err(|_| BodyTooLong)?;

    let sealed = epoch.seal_body(&header.account, aad_prefix(&header.encode()), clear, &padded, entropy);
    let body = [clear, &sealed].concat();
    header.body_hash = body_hash(&body);
    Ok((header, body))
}

fn signed(device: &DeviceKeys, header: Header) -> Record {
    debug_assert!(header.kind != RecordKind::Roster, "a roster is signed by the roster key");
    let header_bytes = header.encode();
    Record { header, header_bytes, signature: device.sign_header(&header_bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;
    use crate::ids::{AccountId, DeviceId};
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            kind: RecordKind::Events,
            flags: 0,
            incarnation: 1,
            account: AccountId([3; 32]),
            device: DeviceId([0; 32]),
            counter: 7,
            previous: [4; 32],
            seen_size: 12,
            seen_root: [5; 32],
            agreed: 2,
            roster_version: 1,
            last_day: 0,
            clear_len: 0,
            body_len: 0,
            body_hash: [0; 32],
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn bodies_stand_on_the_ladder_and_open(
            clear in prop::collection::vec(any::<u8>(), 0..300),
            content in prop::collection::vec(any::<u8>(), 0..5000),
        ) {
            let mut entropy = Fixed::new("record");
            let (device, epoch) = (DeviceKeys::generate(&mut entropy), EpochKey::generate(&mut entropy));
            let sealed = seal_record(&device, &epoch, header(), &clear, &content, &mut entropy).unwrap();
            prop_assert!(Class::of_length(sealed.body.len()).is_some());
            let record = Record::decode(&sealed.record.encode()).unwrap();
            prop_assert!(record.verify(&device.public().verifying_key).is_ok());
            let open = open_body(&record, &sealed.body, &epoch).unwrap();
            prop_assert_eq!(&open.clear, &clear);
            prop_assert_eq!(&**open.content, &content[..]);
        }
    }

    #[test]
    fn a_body_opens_under_its_own_header_only() {
        let mut entropy = Fixed::new("record");
        let (device, epoch) = (DeviceKeys::generate(&mut entropy), EpochKey::generate(&mut entropy));
        let sealed = seal_record(&device, &epoch, header(), b"clear", b"content", &mut entropy).unwrap();
        let later = Header { counter: 8, ..sealed.record.header.clone() };
        assert!(open_body(&signed(&device, later), &sealed.body, &epoch).is_err());
        assert!(open_body(&sealed.record, &sealed.body, &EpochKey::generate(&mut entropy)).is_err());
        for at in [0, 4, 5, 100, sealed.body.len() - 1] {
            let mut changed = sealed.body.clone();
            changed[at] ^= 1;
            assert!(open_body(&sealed.record, &changed, &epoch).is_err());
        }
    }

    #[test]
    fn a_body_holds_what_is_promised_and_no_byte_more() {
        let mut entropy = Fixed::new("record");
        let (device, epoch) = (DeviceKeys::generate(&mut entropy), EpochKey::generate(&mut entropy));
        let clear = [1; 300];
        let fits = vec![7; content_bytes_max(clear.len())];
        let mut seal = |content: &[u8]| seal_record(&device, &epoch, header(), &clear, content, &mut entropy);
        assert_eq!(seal(&fits).unwrap().body.len(), 64 << 10);
        assert_eq!(seal(&[&fits[..], &[7]].concat()), Err(BodyTooLong));
    }

    #[test]
    fn a_bare_record_verifies() {
        let device = DeviceKeys::generate(&mut Fixed::new("record"));
        let record = Record::decode(&sign_bare(&device, header()).encode()).unwrap();
        assert!(record.verify(&device.public().verifying_key).is_ok());
        assert!(record.split_body(&[]).is_ok());
    }
}
