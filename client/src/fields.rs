//! A canonical tag-length-value map: ascending tags, each once, every byte kept (`docs/format.md` §1).

use std::collections::BTreeMap;

use proto::wire::bytes::{Malformed, Reader, Result, Writer};

/// Fields by tag. Equality is equality of bytes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Fields(BTreeMap<u16, Vec<u8>>);

impl Fields {
    pub const COUNT_MAX: usize = 256;

    pub fn get(&self, tag: u16) -> Option<&[u8]> {
        self.0.get(&tag).map(Vec::as_slice)
    }

    pub fn text(&self, tag: u16) -> Option<&str> {
        std::str::from_utf8(self.get(tag)?).ok()
    }

    /// Reads a whole-field signed varint.
    pub fn number(&self, tag: u16) -> Option<i64> {
        let mut r = Reader::new(self.get(tag)?);
        let n = r.svarint().ok()?;
        r.is_empty().then_some(n)
    }

    pub fn set(&mut self, tag: u16, value: impl Into<Vec<u8>>) -> &mut Self {
        self.0.insert(tag, value.into());
        self
    }

    pub fn set_number(&mut self, tag: u16, value: i64) -> &mut Self {
        self.set(tag, Writer::new().svarint(value).finish())
    }

    /// Sets a field unless the value is absent or empty.
    pub fn set_some(&mut self, tag: u16, value: Option<impl Into<Vec<u8>>>) -> &mut Self {
        if let Some(value) = value.map(Into::into).filter(|v| !v.is_empty()) {
            self.0.insert(tag, value);
        }
        self
    }

    pub fn remove(&mut self, tag: u16) -> Option<Vec<u8>> {
        self.0.remove(&tag)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.0.iter().map(|(t, v)| (*t, v.as_slice()))
    }

    /// Encodes as `{uvarint tag ‖ uvarint length ‖ bytes}` in ascending order of tag.
    pub fn encode(&self, out: &mut Writer) {
        for (tag, value) in &self.0 {
            out.uvarint(u64::from(*tag)).prefixed(value);
        }
    }

    /// Reads fields until the reader is empty. `value_bytes_max` bounds each value.
    pub fn decode(r: &mut Reader<'_>, value_bytes_max: usize) -> Result<Self> {
        let mut fields = BTreeMap::new();
        let mut last = None;
        while !r.is_empty() {
            let tag = u16::try_from(r.uvarint()?).map_err(|_| Malformed::TooLong)?;
            if last.is_some_and(|l| tag <= l) {
                return Err(Malformed::NotCanonical);
            }
            if fields.len() == Self::COUNT_MAX {
                return Err(Malformed::TooLong);
            }
            last = Some(tag);
            fields.insert(tag, r.prefixed(value_bytes_max)?.to_vec());
        }
        Ok(Self(fields))
    }

    /// Encodes alone, for values nested in a field.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.encode(&mut w);
        w.finish()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::decode(&mut Reader::new(bytes), bytes.len())
    }
}
