//! What a catalogue says of a run (`docs/format.md` §5.3).

use proto::wire::bytes::{Malformed, Reader, Result, Writer};
use proto::wire::ladder::Class;
use proto::wire::limits::BODY_BYTES_MAX;
use zeroize::Zeroizing;

use super::reference::FOOTER_BYTES_MAX;
use super::{ChatFilter, PackRef};
use crate::crypto::PackKey;
use crate::fields::Fields;
use crate::ids::PackId;

/// What a run's blocks hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    Messages = 1,
    Chunks = 2,
}

/// A run: its pack, and enough about its rows to know whether it must be read. Deleting it everywhere shreds the run.
pub struct RunEntry {
    pub pack: PackRef,
    pub family: Family,
    pub level: u8,
    pub rows: u64,
    /// First and last arrival, numbered as in rows: 0 not known, else 1 + the record's index.
    pub arrival: (u64, u64),
    pub time: (i64, i64),
    /// Days since 1970 after which the run is gone; 0 never.
    pub last_day: u32,
    pub filter: ChatFilter,
    pub blocks: u32,
    /// Fields this version does not know.
    pub rest: Fields,
}

mod tag {
    pub const PACK: u16 = 1;
    pub const CLASS: u16 = 2;
    pub const HASH: u16 = 3;
    pub const KEY: u16 = 4;
    pub const FAMILY: u16 = 5;
    pub const LEVEL: u16 = 6;
    pub const ROWS: u16 = 7;
    pub const ARRIVAL: u16 = 8;
    pub const TIME: u16 = 9;
    pub const LAST_DAY: u16 = 10;
    pub const FILTER: u16 = 11;
    pub const FOOTER: u16 = 12;
    pub const BLOCKS: u16 = 13;
}

const ENTRY_BYTES_MAX: usize = 8 << 10;
/// A page or a body's section holds fewer: an entry has more than a hundred bytes.
const ENTRIES_MAX: usize = BODY_BYTES_MAX / 64;

impl RunEntry {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut f = self.rest.clone();
        f.set(tag::PACK, self.pack.id.0).set(tag::HASH, self.pack.hash).set(tag::KEY, key_bytes(&self.pack.key));
        let mut number = |tag, value: u64| {
            if value != 0 {
                f.set_number(tag, i64::try_from(value).unwrap_or(i64::MAX));
            }
        };
        number(tag::CLASS, self.pack.class.number().into());
        number(tag::FAMILY, self.family as u64);
        number(tag::LEVEL, self.level.into());
        number(tag::ROWS, self.rows);
        number(tag::LAST_DAY, self.last_day.into());
        number(tag::FOOTER, self.pack.footer_len.into());
        number(tag::BLOCKS, self.blocks.into());
        if self.arrival != (0, 0) {
            f.set(tag::ARRIVAL, Writer::new().uvarint(self.arrival.0).uvarint(self.arrival.1).finish());
        }
        if self.time != (0, 0) {
            f.set(tag::TIME, Writer::new().svarint(self.time.0).svarint(self.time.1).finish());
        }
        if !self.filter.is_empty() {
            f.set(tag::FILTER, *self.filter.bytes());
        }
        let bytes = Zeroizing::new(f.to_bytes());
        wipe(&mut f);
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        let mut f = Fields::from_bytes(bytes)?;
        let key = Zeroizing::new(f.remove(tag::KEY).ok_or(Malformed::Short)?);
        let key = whole(&key, PackKey::read)?;
        let id = whole(&f.remove(tag::PACK).ok_or(Malformed::Short)?, |r| Ok(PackId(r.array()?)))?;
        let hash = whole(&f.remove(tag::HASH).ok_or(Malformed::Short)?, |r| r.array())?;
        let class = Class::new(small(&mut f, tag::CLASS)?).ok_or(Malformed::Unknown)?;
        let family = match small::<u8>(&mut f, tag::FAMILY)? {
            1 => Family::Messages,
            2 => Family::Chunks,
            _ => return Err(Malformed::Unknown),
        };
        let (level, rows) = (small(&mut f, tag::LEVEL)?, small(&mut f, tag::ROWS)?);
        let (last_day, blocks) = (small(&mut f, tag::LAST_DAY)?, small(&mut f, tag::BLOCKS)?);
        let footer_len = small(&mut f, tag::FOOTER)?;
        if footer_len > FOOTER_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        let arrival = pair(&mut f, tag::ARRIVAL, |r| Ok((r.uvarint()?, r.uvarint()?)))?;
        let time = pair(&mut f, tag::TIME, |r| Ok((r.svarint()?, r.svarint()?)))?;
        let filter = f.remove(tag::FILTER).map(|b| ChatFilter::decode(&b)).transpose()?.unwrap_or_default();
        if arrival.0 > arrival.1 || time.0 > time.1 {
            return Err(Malformed::NotCanonical);
        }
        let pack = PackRef { id, class, hash, key, footer_len };
        Ok(Self { pack, family, level, rows, arrival, time, last_day, filter, blocks, rest: f })
    }
}

/// Encodes a list of runs: a catalogue page's content, or a section of an EVENTS body.
pub fn encode_run_entries<'a>(entries: impl ExactSizeIterator<Item = &'a RunEntry>) -> Zeroizing<Vec<u8>> {
    let mut w = Writer::new();
    w.uvarint(entries.len() as u64);
    for entry in entries {
        w.prefixed(&entry.encode());
    }
    Zeroizing::new(w.finish())
}

pub fn decode_run_entries(bytes: &[u8]) -> Result<Vec<RunEntry>> {
    let mut r = Reader::new(bytes);
    let count = r.count(ENTRIES_MAX)?;
    let entries = (0..count).map(|_| RunEntry::decode(r.prefixed(ENTRY_BYTES_MAX)?)).collect::<Result<Vec<_>>>()?;
    r.finish()?;
    Ok(entries)
}

fn key_bytes(key: &PackKey) -> Vec<u8> {
    let mut w = Writer::new();
    key.write(&mut w);
    w.finish()
}

fn wipe(fields: &mut Fields) {
    drop(fields.remove(tag::KEY).map(Zeroizing::new));
}

fn whole<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T>) -> Result<T> {
    let mut r = Reader::new(bytes);
    let value = read(&mut r)?;
    r.finish()?;
    Ok(value)
}

/// Takes a number that is absent when 0.
fn small<T: TryFrom<i64> + Default>(fields: &mut Fields, tag: u16) -> Result<T> {
    match fields.remove(tag) {
        None => Ok(T::default()),
        Some(bytes) => T::try_from(whole(&bytes, |r| r.svarint())?).map_err(|_| Malformed::TooLong),
    }
}

fn pair<T: Default>(fields: &mut Fields, tag: u16, read: impl FnOnce(&mut Reader<'_>) -> Result<T>) -> Result<T> {
    fields.remove(tag).map_or_else(|| Ok(T::default()), |bytes| whole(&bytes, read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fixed::Fixed;
    use crate::ids::ChatId;
    use crate::pack::reference::Fresh;
    use proptest::prelude::*;

    fn entry(rows: u32, level: u8, arrival: u64, time: i64) -> RunEntry {
        let fresh = Fresh::draw(&mut Fixed::new("entry"));
        let mut filter = ChatFilter::default();
        filter.add(&ChatId([level; 32]));
        let mut rest = Fields::default();
        rest.set(900, b"newer".to_vec());
        RunEntry {
            pack: PackRef { id: fresh.id, class: Class::PACK, hash: [3; 32], key: fresh.key, footer_len: 200 },
            family: Family::Messages,
            level,
            rows: rows.into(),
            arrival: (arrival, arrival.saturating_add(5)),
            time: (time, time.saturating_add(9)),
            last_day: 0,
            filter,
            blocks: 3,
            rest,
        }
    }

    proptest! {
        #[test]
        fn entries_come_back_with_fields_of_newer_versions(rows: u32, level: u8, arrival: u64, time: i64) {
            let one = entry(rows, level, arrival, time);
            let bytes = encode_run_entries([&one, &one].into_iter());
            let again = decode_run_entries(&bytes).unwrap();
            prop_assert_eq!(&*encode_run_entries(again.iter()), &*bytes);
            prop_assert_eq!(again[1].rest.get(900), Some(&b"newer"[..]));
            prop_assert!(again[0].pack.key.same(&one.pack.key));
            prop_assert_eq!((again[0].arrival, again[0].time, again[0].rows), (one.arrival, one.time, one.rows));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_run_entries(&bytes);
            let _ = RunEntry::decode(&bytes);
        }
    }

    #[test]
    fn flawed_entries_are_refused() {
        let good = entry(1, 2, 3, 4).encode();
        let with = |tag: u16, value: &[u8]| {
            let mut fields = Fields::from_bytes(&good).unwrap();
            fields.set(tag, value);
            RunEntry::decode(&fields.to_bytes()).is_ok()
        };
        assert!(with(901, b"more"));
        assert!(!with(tag::CLASS, &[2 * 24]) && !with(tag::CLASS, &[2 * 7]), "no such class");
        assert!(!with(tag::FAMILY, &[2 * 3]));
        assert!(!with(tag::KEY, &[1; 31]) && !with(tag::HASH, &[1; 33]) && !with(tag::FILTER, &[0; 127]));
        assert!(!with(tag::ARRIVAL, &[5, 4]) && !with(tag::ARRIVAL, &[5]) && !with(tag::ROWS, &[1]), "less than 0");
        assert!(!with(tag::TIME, &[2 * 3, 2 * 2]));
        assert!(!with(tag::ROWS, &[0x80, 0x00]), "a longer varint than needed");
        let without = |tag: u16| {
            let mut fields = Fields::from_bytes(&good).unwrap();
            fields.remove(tag);
            RunEntry::decode(&fields.to_bytes()).is_ok()
        };
        assert!(!without(tag::KEY) && !without(tag::PACK) && !without(tag::HASH) && !without(tag::CLASS));
        assert!(without(tag::LAST_DAY));
    }
}
