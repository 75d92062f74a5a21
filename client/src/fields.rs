//! A canonical tag-length-value map: ascending tags, each once, every byte kept (`docs/format.md` §1).

use std::fmt;

use proto::wire::bytes::{Malformed, Reader, Result, Writer};

/// Fields by tag. Equality is equality of bytes.
///
/// All values lie in one buffer, since rows come by the million: a row's fields are two allocations, however many.
#[derive(Clone, Default)]
pub struct Fields {
    /// By ascending tag.
    places: Vec<Place>,
    /// Values, and what is left of those that were replaced.
    values: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Place {
    tag: u16,
    at: usize,
    len: usize,
}

impl Fields {
    pub const COUNT_MAX: usize = 256;

    pub fn get(&self, tag: u16) -> Option<&[u8]> {
        let at = self.find(tag).ok()?;
        self.places.get(at).map(|place| self.value(*place))
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

    pub fn set(&mut self, tag: u16, value: impl AsRef<[u8]>) -> &mut Self {
        let value = value.as_ref();
        let place = Place { tag, at: self.values.len(), len: value.len() };
        self.values.extend_from_slice(value);
        match self.find(tag) {
            Ok(at) => {
                if let Some(known) = self.places.get_mut(at) {
                    *known = place;
                }
            }
            Err(at) => self.places.insert(at, place),
        }
        self
    }

    pub fn set_number(&mut self, tag: u16, value: i64) -> &mut Self {
        self.set(tag, Writer::new().svarint(value).finish())
    }

    /// Sets a field unless the value is absent or empty.
    pub fn set_some(&mut self, tag: u16, value: Option<impl AsRef<[u8]>>) -> &mut Self {
        match value {
            Some(value) if !value.as_ref().is_empty() => self.set(tag, value),
            _ => self,
        }
    }

    pub fn remove(&mut self, tag: u16) -> Option<Vec<u8>> {
        let at = self.find(tag).ok()?;
        let place = self.places.remove(at);
        Some(self.value(place).to_vec())
    }

    /// No less than [`encode`](Self::encode) writes.
    pub fn encoded_bytes_max(&self) -> usize {
        self.values.len() + 8 * self.places.len()
    }

    /// Bytes of all values.
    pub fn bytes(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.places.iter().map(|place| (place.tag, self.value(*place)))
    }

    /// Encodes as `{uvarint tag ‖ uvarint length ‖ bytes}` in ascending order of tag.
    pub fn encode(&self, out: &mut Writer) {
        for (tag, value) in self.iter() {
            out.uvarint(u64::from(tag)).prefixed(value);
        }
    }

    /// Reads fields until the reader is empty. `value_bytes_max` bounds each value.
    pub fn decode(r: &mut Reader<'_>, value_bytes_max: usize) -> Result<Self> {
        let mut fields = Self { places: Vec::with_capacity(8), values: Vec::with_capacity(r.remaining()) };
        while !r.is_empty() {
            let tag = u16::try_from(r.uvarint()?).map_err(|_| Malformed::TooLong)?;
            if fields.places.last().is_some_and(|last| tag <= last.tag) {
                return Err(Malformed::NotCanonical);
            }
            if fields.places.len() == Self::COUNT_MAX {
                return Err(Malformed::TooLong);
            }
            let value = r.prefixed(value_bytes_max)?;
            fields.places.push(Place { tag, at: fields.values.len(), len: value.len() });
            fields.values.extend_from_slice(value);
        }
        Ok(fields)
    }

    /// Encodes alone, for values nested in a field.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(self.encoded_bytes_max());
        self.encode(&mut w);
        w.finish()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::decode(&mut Reader::new(bytes), bytes.len())
    }

    fn find(&self, tag: u16) -> std::result::Result<usize, usize> {
        self.places.binary_search_by_key(&tag, |place| place.tag)
    }

    fn value(&self, place: Place) -> &[u8] {
        self.values.get(place.at..place.at + place.len).unwrap_or_default()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.places.len() == other.places.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0u16..6, prop::option::of(prop::collection::vec(any::<u8>(), 0..5))), 0..40)) {
            let (mut fields, mut map) = (Fields::default(), BTreeMap::new());
            for (tag, value) in steps {
                match value {
                    Some(value) => {
                        fields.set(tag, &value);
                        map.insert(tag, value);
                    }
                    None => prop_assert_eq!(fields.remove(tag), map.remove(&tag)),
                }
                prop_assert!(fields.iter().eq(map.iter().map(|(t, v)| (*t, v.as_slice()))));
            }
            let again = Fields::from_bytes(&fields.to_bytes()).unwrap();
            prop_assert!(again == fields && fields.is_empty() == map.is_empty());
            fields.set(9, [1]);
            prop_assert!(again != fields);
        }
    }
}
