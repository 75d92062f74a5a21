//! The clear part of a HEAD record (`docs/format.md` §4.5).

use super::bytes::{Malformed, Reader, Result, Writer};
use super::ids::PackId;
use super::ladder::Class;
use super::limits::{HEAD_ERASE_MAX, HEAD_PACKS_MAX, HEAD_PAGES_MAX};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeadClear {
    pub generation: u64,
    /// Record digest of the parent head; zeros for generation 1.
    pub parent: [u8; 32],
    pub covered_size: u64,
    pub covered_root: [u8; 32],
    /// Log size the front page covers.
    pub front_size: u64,
    /// Indexes of bodies to erase, ascending.
    pub erase: Vec<u64>,
    pub adds: Vec<Add>,
    pub drops: Vec<Drop>,
    /// Page packs, front page first; zeros there when there is no front page.
    pub pages: Vec<PackId>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Add {
    pub pack: PackId,
    pub class: Class,
    pub last_day: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drop {
    pub pack: PackId,
    pub reason: DropReason,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DropReason {
    Merged = 1,
    Replaced = 2,
    Purged = 3,
    LastDay = 4,
    Unused = 5,
}

/// Stands for "no front page".
pub const NO_PACK: PackId = PackId([0; 16]);

impl HeadClear {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u64(self.generation).raw(&self.parent).u64(self.covered_size).raw(&self.covered_root).u64(self.front_size);
        w.u8(self.erase.len() as u8);
        for index in &self.erase {
            w.u64(*index);
        }
        w.u16(self.adds.len() as u16);
        for add in &self.adds {
            w.raw(&add.pack.0).u8(add.class.number()).u32(add.last_day);
        }
        w.u16(self.drops.len() as u16);
        for drop in &self.drops {
            w.raw(&drop.pack.0).u8(drop.reason as u8);
        }
        w.u16(self.pages.len() as u16);
        for page in &self.pages {
            w.raw(&page.0);
        }
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let bounded = |n: u16, max: usize| if n as usize > max { Err(Malformed::TooLong) } else { Ok(n) };
        let generation = r.u64()?;
        let (parent, covered_size, covered_root, front_size) = (r.array()?, r.u64()?, r.array()?, r.u64()?);
        let n = bounded(r.u8()?.into(), HEAD_ERASE_MAX)?;
        let erase = (0..n).map(|_| r.u64()).collect::<Result<Vec<_>>>()?;
        let n = bounded(r.u16()?, HEAD_PACKS_MAX)?;
        let adds = (0..n).map(|_| Add::decode(&mut r)).collect::<Result<Vec<_>>>()?;
        let n = bounded(r.u16()?, HEAD_PACKS_MAX)?;
        let drops = (0..n).map(|_| Drop::decode(&mut r)).collect::<Result<Vec<_>>>()?;
        let n = bounded(r.u16()?, HEAD_PAGES_MAX)?;
        let pages = (0..n).map(|_| Ok(PackId(r.array()?))).collect::<Result<Vec<_>>>()?;
        r.finish()?;
        let ascending = erase.is_sorted_by(|a, b| a < b)
            && adds.is_sorted_by(|a, b| a.pack < b.pack)
            && drops.is_sorted_by(|a, b| a.pack < b.pack);
        // Only the first place may say that there is no page.
        let no_hole = pages.iter().skip(1).all(|page| *page != NO_PACK);
        let first = generation == 1;
        if !ascending || pages.is_empty() || !no_hole || generation == 0 || front_size > covered_size {
            return Err(Malformed::NotCanonical);
        }
        if first != (parent == [0; 32]) {
            return Err(Malformed::NotCanonical);
        }
        Ok(Self { generation, parent, covered_size, covered_root, front_size, erase, adds, drops, pages })
    }

    /// Every pack this head says must be live: its pages.
    pub fn named(&self) -> impl Iterator<Item = PackId> + '_ {
        self.pages.iter().copied().filter(|p| *p != NO_PACK)
    }
}

impl Add {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (pack, class) = (PackId(r.array()?), r.u8()?);
        Ok(Self { pack, class: Class::new(class).ok_or(Malformed::Unknown)?, last_day: r.u32()? })
    }
}

impl Drop {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let pack = PackId(r.array()?);
        let reason = match r.u8()? {
            1 => DropReason::Merged,
            2 => DropReason::Replaced,
            3 => DropReason::Purged,
            4 => DropReason::LastDay,
            5 => DropReason::Unused,
            _ => return Err(Malformed::Unknown),
        };
        Ok(Self { pack, reason })
    }
}
