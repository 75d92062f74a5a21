//! The sealed part of a HEAD: what opens the catalogue, and what devices compare.

use proto::wire::bytes::{Malformed, Reader, Result, Writer};
use proto::wire::limits::{BODY_BYTES_MAX, HEAD_PAGES_MAX};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::fields::Fields;
use crate::ids::DeviceId;
use crate::pack::PackRef;

/// The least format a client must know to fold what it finds; written by this version.
pub const FORMAT: u32 = 1;

/// A device's newest record at the covered size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Author {
    pub device: DeviceId,
    pub counter: u64,
    pub digest: [u8; 32],
}

/// How much the covered history is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Counts {
    pub attachments: u64,
    pub bytes: u64,
    pub chats: u64,
    pub messages: u64,
    /// Attachments no pack holds yet.
    pub waiting: u64,
}

/// What a head seals. Pages stand in the order of the clear part.
pub struct HeadContent {
    /// The front page first where there is one, then the catalogue's pages.
    pub pages: Vec<PackRef>,
    /// By device id, ascending.
    pub authors: Vec<Author>,
    /// `H("digest", D)` by last day, ascending; 0 stands for none.
    pub digests: Vec<(u32, [u8; 32])>,
    pub counts: Counts,
    pub least_format: u32,
    /// Earliest last day among the front page's rows; 0 none.
    pub front_last_day: u32,
    /// Log entries, as first and how many, whose own deletions this head has purged.
    pub purged: Vec<(u64, u64)>,
    /// Fields this version does not know.
    pub rest: Fields,
}

mod tag {
    pub const PAGES: u16 = 1;
    pub const AUTHORS: u16 = 2;
    pub const DIGESTS: u16 = 3;
    pub const COUNTS: u16 = 4;
    pub const LEAST_FORMAT: u16 = 5;
    pub const FRONT_LAST_DAY: u16 = 6;
    pub const PURGED: u16 = 7;
}

const AUTHORS_MAX: usize = 4096;
/// Deletions that one head purges lie in so many stretches of the log at most.
pub const PURGED_MAX: usize = 512;
/// Last days are rounded to days and reach a few years ahead.
const DIGESTS_MAX: usize = 4096;

impl HeadContent {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut f = self.rest.clone();
        f.set(tag::PAGES, list(&self.pages, |w, page| page.encode(w)));
        f.set(
            tag::AUTHORS,
            list(&self.authors, |w, a| {
                w.raw(&a.device.0).u64(a.counter).raw(&a.digest);
            }),
        );
        f.set(
            tag::DIGESTS,
            list(&self.digests, |w, (day, digest)| {
                w.u32(*day).raw(digest);
            }),
        );
        f.set(tag::COUNTS, serde_json::to_vec(&self.counts).unwrap_or_default());
        f.set_number(tag::LEAST_FORMAT, self.least_format.into());
        if self.front_last_day != 0 {
            f.set_number(tag::FRONT_LAST_DAY, self.front_last_day.into());
        }
        if !self.purged.is_empty() {
            f.set(
                tag::PURGED,
                list(&self.purged, |w, (first, count)| {
                    w.u64(*first).u64(*count);
                }),
            );
        }
        let bytes = Zeroizing::new(f.to_bytes());
        drop(f.remove(tag::PAGES).map(Zeroizing::new));
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut f = Fields::decode(&mut Reader::new(bytes), BODY_BYTES_MAX)?;
        let pages = Zeroizing::new(f.remove(tag::PAGES).ok_or(Malformed::Short)?);
        let pages = items(&pages, HEAD_PAGES_MAX, PackRef::decode)?;
        let authors = f.remove(tag::AUTHORS).unwrap_or_else(|| vec![0]);
        let authors = items(&authors, AUTHORS_MAX, |r| {
            Ok(Author { device: DeviceId(r.array()?), counter: r.u64()?, digest: r.array()? })
        })?;
        let digests = f.remove(tag::DIGESTS).unwrap_or_else(|| vec![0]);
        let digests = items(&digests, DIGESTS_MAX, |r| Ok((r.u32()?, r.array()?)))?;
        let purged = f.remove(tag::PURGED).unwrap_or_else(|| vec![0]);
        let purged = items(&purged, PURGED_MAX, |r| Ok((r.u64()?, r.u64()?)))?;
        let apart = |a: &(u64, u64), b: &(u64, u64)| a.0.saturating_add(a.1) < b.0;
        if !purged.is_sorted_by(apart) {
            return Err(Malformed::NotCanonical);
        }
        if !authors.is_sorted_by(|a, b| a.device < b.device) || !digests.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(Malformed::NotCanonical);
        }
        let counts = f.remove(tag::COUNTS).unwrap_or_default();
        let counts = serde_json::from_slice(&counts).map_err(|_| Malformed::NotCanonical)?;
        let mut number = |tag| match f.get(tag) {
            None => Ok(0),
            Some(_) => {
                let n = f.number(tag).and_then(|n| u32::try_from(n).ok()).ok_or(Malformed::NotCanonical);
                f.remove(tag);
                n
            }
        };
        let (least_format, front_last_day) = (number(tag::LEAST_FORMAT)?, number(tag::FRONT_LAST_DAY)?);
        Ok(Self { pages, authors, digests, counts, least_format, front_last_day, purged, rest: f })
    }
}

fn list<T>(items: &[T], write: impl Fn(&mut Writer, &T)) -> Vec<u8> {
    let mut w = Writer::new();
    w.uvarint(items.len() as u64);
    for item in items {
        let mut one = Writer::new();
        write(&mut one, item);
        w.prefixed(&Zeroizing::new(one.finish()));
    }
    w.finish()
}

fn items<T>(bytes: &[u8], max: usize, read: impl Fn(&mut Reader<'_>) -> Result<T>) -> Result<Vec<T>> {
    let mut r = Reader::new(bytes);
    let count = r.count(max)?;
    let mut out = Vec::new();
    for _ in 0..count {
        let mut one = Reader::new(r.prefixed(bytes.len())?);
        out.push(read(&mut one)?);
        one.finish()?;
    }
    r.finish()?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PackKey;
    use crate::crypto::fixed::Fixed;
    use crate::ids::PackId;
    use proto::wire::ladder::Class;

    fn content() -> HeadContent {
        let mut entropy = Fixed::new("head");
        let mut page = |n: u8, footer_len| PackRef {
            id: PackId([n; 16]),
            class: Class::PAGE,
            hash: [n; 32],
            key: PackKey::generate(&mut entropy),
            footer_len,
        };
        let mut rest = Fields::default();
        rest.set(900, b"from a newer client".to_vec());
        HeadContent {
            pages: vec![page(1, 120), page(2, 0)],
            authors: (1..4).map(|n| Author { device: DeviceId([n; 32]), counter: n.into(), digest: [9; 32] }).collect(),
            digests: vec![(0, [5; 32]), (20_000, [6; 32])],
            counts: Counts { attachments: 3, bytes: 5_000_000_000, chats: 2, messages: 48_210, waiting: 1 },
            least_format: FORMAT,
            front_last_day: 20_001,
            purged: vec![(5, 2), (90, 1)],
            rest,
        }
    }

    #[test]
    fn what_is_written_is_read_and_fields_not_known_stay() {
        let bytes = content().encode();
        let read = HeadContent::decode(&bytes).unwrap();
        assert_eq!(*read.encode(), *bytes);
        assert_eq!(read.counts, content().counts);
        assert_eq!((read.authors, read.digests), (content().authors, content().digests));
        assert_eq!((read.front_last_day, read.pages.len()), (20_001, 2));
        assert_eq!(read.purged, content().purged);
        assert_eq!(read.rest.get(900), Some(&b"from a newer client"[..]));
    }

    #[test]
    fn authors_and_digests_come_in_order_and_once() {
        let mut head = content();
        head.authors.swap(0, 1);
        assert_eq!(HeadContent::decode(&head.encode()).err(), Some(Malformed::NotCanonical));
        let mut head = content();
        head.digests.push((20_000, [7; 32]));
        assert_eq!(HeadContent::decode(&head.encode()).err(), Some(Malformed::NotCanonical));
    }

    #[test]
    fn no_bytes_cut_short_are_read() {
        let bytes = content().encode();
        let whole = |n: usize| HeadContent::decode(bytes.get(..n).unwrap_or_default()).is_ok();
        // A cut between two fields leaves a shorter map; counts and pages must be there.
        assert!(!whole(0) && !whole(40) && !whole(bytes.len() - 1));
    }
}
