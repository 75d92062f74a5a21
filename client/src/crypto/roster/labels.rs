//! The sealed part of a ROSTER: the keyring, and what devices are called.

use proto::wire::bytes::{Malformed, Reader, Result, Writer};
use proto::wire::limits::{ACTIVE_DEVICES_MAX, BODY_BYTES_MAX};
use zeroize::Zeroizing;

use crate::crypto::Keyring;
use crate::fields::Fields;
use crate::ids::DeviceId;

/// What a device said of itself as it joined.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Label {
    pub name: String,
    pub platform: String,
    /// Milliseconds since 1970 UTC.
    pub joined_ms: i64,
    /// Fields this version does not know.
    pub rest: Fields,
}

/// The sealed part, opened: the keyring still encoded, labels, and fields not known.
pub(super) struct Sealed {
    pub keyring: Zeroizing<Vec<u8>>,
    pub labels: Vec<(DeviceId, Label)>,
    pub rest: Fields,
}

const KEYRING: u16 = 1;
const LABELS: u16 = 2;
const NAME: u16 = 1;
const PLATFORM: u16 = 2;
const JOINED: u16 = 3;
const LABEL_BYTES_MAX: usize = 1024;

pub(super) fn encode_sealed(keyring: &Keyring, labels: &[(DeviceId, Label)], rest: &Fields) -> Zeroizing<Vec<u8>> {
    let mut list = Writer::new();
    list.uvarint(labels.len() as u64);
    for (id, label) in labels {
        list.prefixed(&[&id.0[..], &label.encode()].concat());
    }
    let mut others = rest.clone();
    others.set(LABELS, list.finish());
    let keyring = keyring.encode();
    let head = Writer::new().uvarint(KEYRING.into()).uvarint(keyring.len() as u64).finish();
    let tail = others.to_bytes();
    // Put together at its full length, so that growing leaves no copy of keys behind.
    let mut out = Zeroizing::new(Vec::with_capacity(head.len() + keyring.len() + tail.len()));
    for part in [&head[..], &keyring, &tail] {
        out.extend_from_slice(part);
    }
    out
}

pub(super) fn decode_sealed(bytes: &[u8]) -> Result<Sealed> {
    let mut fields = Fields::decode(&mut Reader::new(bytes), BODY_BYTES_MAX)?;
    let keyring = Zeroizing::new(fields.remove(KEYRING).ok_or(Malformed::Short)?);
    let list = fields.remove(LABELS).ok_or(Malformed::Short)?;
    let mut r = Reader::new(&list);
    let count = r.count(ACTIVE_DEVICES_MAX)?;
    let labels = (0..count).map(|_| label(r.prefixed(LABEL_BYTES_MAX)?)).collect::<Result<Vec<_>>>()?;
    r.finish()?;
    if !labels.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(Malformed::NotCanonical);
    }
    Ok(Sealed { keyring, labels, rest: fields })
}

fn label(bytes: &[u8]) -> Result<(DeviceId, Label)> {
    let mut r = Reader::new(bytes);
    let id = DeviceId(r.array()?);
    let mut fields = Fields::decode(&mut r, LABEL_BYTES_MAX)?;
    let mut text = |tag| match fields.remove(tag) {
        Some(value) => String::from_utf8(value).map_err(|_| Malformed::NotCanonical),
        None => Ok(String::new()),
    };
    let (name, platform) = (text(NAME)?, text(PLATFORM)?);
    let joined_ms = match fields.get(JOINED) {
        Some(_) => fields.number(JOINED).ok_or(Malformed::NotCanonical)?,
        None => 0,
    };
    fields.remove(JOINED);
    Ok((id, Label { name, platform, joined_ms, rest: fields }))
}

impl Label {
    /// Names longer than this are cut, so that twenty devices always fit their roster.
    const TEXT_BYTES_MAX: usize = 64;

    pub fn new(name: &str, platform: &str, joined_ms: i64) -> Self {
        Self { name: cut(name), platform: cut(platform), joined_ms, rest: Fields::default() }
    }

    fn encode(&self) -> Vec<u8> {
        let mut fields = self.rest.clone();
        fields.set_some(NAME, Some(self.name.as_str())).set_some(PLATFORM, Some(self.platform.as_str()));
        fields.set_number(JOINED, self.joined_ms);
        fields.to_bytes()
    }
}

fn cut(text: &str) -> String {
    let end = (0..=Label::TEXT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.split_at(end.unwrap_or(0)).0.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(Label::new("laptop", "linux", 0).name, "laptop");
        assert_eq!(Label::new(&"é".repeat(40), "", 0).name, "é".repeat(32));
        assert_eq!(Label::new(&"€".repeat(40), "", 0).name, "€".repeat(21));
    }
}
