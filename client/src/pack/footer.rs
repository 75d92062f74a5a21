//! Packs of blocks, the reading half: footer first, then blocks by number, or the whole (`docs/format.md` §5.1).

use std::ops::Range;

use proto::wire::bytes::{Malformed, Reader, Result as WireResult, Writer};

use super::{Damaged, PackRef};
use crate::crypto::SEAL_BYTES;
use crate::crypto::Wiped;
use crate::ids::AccountId;

/// What a footer says of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockInfo {
    pub sealed_len: u32,
    pub rows: u64,
    /// Chat id of the first row; id of the first entry in a chunk run.
    pub first_id: [u8; 32],
    pub first_time: i64,
}

/// A pack's blocks, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Footer {
    blocks: Vec<BlockInfo>,
    sealed_len: u32,
}

/// A whole pack of blocks, opened.
pub struct OpenRun {
    pub footer: Footer,
    /// The blocks' plaintexts.
    pub blocks: Vec<Wiped>,
}

const BLOCKS_MAX: usize = 1 << 14;
/// A sealed block: at most 64 KiB of unpacked rows, at worst a little longer packed.
const SEALED_BLOCK_BYTES_MAX: u32 = 128 << 10;

/// Opens a footer: the first `footer_len` bytes of the pack.
pub fn open_footer(account: &AccountId, pack: &PackRef, sealed: &[u8]) -> Result<Footer, Damaged> {
    if sealed.len() != pack.footer_len as usize {
        return Err(Damaged);
    }
    // Its last flag says whether blocks follow, which nobody knows before it is open.
    let open = |last| pack.key.open_piece(&pack.place(account, 0, last), sealed);
    let (content, alone) = open(false).map(|c| (c, false)).or_else(|_| open(true).map(|c| (c, true)))?;
    let blocks = Footer::decode(&content)?;
    let footer = Footer { blocks, sealed_len: pack.footer_len };
    let fits = footer.end().is_some_and(|end| end <= pack.class.bytes());
    if fits && footer.blocks.is_empty() == alone { Ok(footer) } else { Err(Damaged) }
}

/// Opens block `number` (from 1), given its bytes.
pub fn open_block(
    account: &AccountId,
    pack: &PackRef,
    footer: &Footer,
    number: usize,
    sealed: &[u8],
) -> Result<Wiped, Damaged> {
    let info = number.checked_sub(1).and_then(|at| footer.blocks.get(at)).ok_or(Damaged)?;
    if sealed.len() != info.sealed_len as usize {
        return Err(Damaged);
    }
    let last = number == footer.blocks.len();
    let number = u32::try_from(number).map_err(|_| Damaged)?;
    Ok(pack.key.open_piece(&pack.place(account, number, last), sealed)?)
}

/// Opens a whole pack of blocks: its hash, footer, every block and the padding are checked.
pub fn open_run(account: &AccountId, pack: &PackRef, bytes: &[u8]) -> Result<OpenRun, Damaged> {
    pack.check(bytes)?;
    let mut r = Reader::new(bytes);
    let footer = open_footer(account, pack, r.take(pack.footer_len as usize)?)?;
    let mut blocks = Vec::with_capacity(footer.blocks.len());
    for (at, info) in footer.blocks.iter().enumerate() {
        let sealed = r.take(info.sealed_len as usize)?;
        blocks.push(open_block(account, pack, &footer, at + 1, sealed)?);
    }
    let padding = r.rest();
    if padding != pack.key.padding(&pack.id, padding.len()) {
        return Err(Damaged);
    }
    Ok(OpenRun { footer, blocks })
}

/// Opens what is left of a pack of blocks: a block holds by its own seal, so those that open are as they were written
/// whatever lies beside them. None in the place of each that does not; damaged where no footer tells where they lie.
pub fn open_sound_blocks(account: &AccountId, pack: &PackRef, bytes: &[u8]) -> Result<Vec<Option<Wiped>>, Damaged> {
    let mut r = Reader::new(bytes);
    let footer = open_footer(account, pack, r.take(pack.footer_len as usize)?)?;
    let mut blocks = Vec::with_capacity(footer.blocks.len());
    for (at, info) in footer.blocks.iter().enumerate() {
        let sealed = r.take(info.sealed_len as usize).ok();
        blocks.push(sealed.and_then(|sealed| open_block(account, pack, &footer, at + 1, sealed).ok()));
    }
    Ok(blocks)
}

impl Footer {
    pub fn blocks(&self) -> &[BlockInfo] {
        &self.blocks
    }

    /// Where block `number` (from 1) lies in the pack.
    pub fn range(&self, number: usize) -> Option<Range<usize>> {
        let (before, rest) = self.blocks.split_at_checked(number.checked_sub(1)?)?;
        let length = rest.first()?.sealed_len as usize;
        let start = self.sealed_len as usize + before.iter().map(|b| b.sealed_len as usize).sum::<usize>();
        Some(start..start + length)
    }

    fn end(&self) -> Option<usize> {
        self.blocks.iter().try_fold(self.sealed_len as usize, |sum, b| sum.checked_add(b.sealed_len as usize))
    }

    fn decode(content: &[u8]) -> WireResult<Vec<BlockInfo>> {
        let mut r = Reader::new(content);
        let count = r.count(BLOCKS_MAX)?;
        let blocks = (0..count).map(|_| BlockInfo::read(&mut r)).collect::<WireResult<Vec<_>>>()?;
        r.finish()?;
        let ascending = blocks.is_sorted_by(|a, b| a.first_id <= b.first_id);
        if ascending { Ok(blocks) } else { Err(Malformed::NotCanonical) }
    }
}

impl BlockInfo {
    fn read(r: &mut Reader<'_>) -> WireResult<Self> {
        let sealed_len = u32::try_from(r.uvarint()?).map_err(|_| Malformed::TooLong)?;
        if !(SEAL_BYTES as u32..=SEALED_BLOCK_BYTES_MAX).contains(&sealed_len) {
            return Err(Malformed::TooLong);
        }
        Ok(Self { sealed_len, rows: r.uvarint()?, first_id: r.array()?, first_time: r.svarint()? })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.uvarint(self.sealed_len.into()).uvarint(self.rows).raw(&self.first_id).svarint(self.first_time);
    }
}

/// Encodes a footer's content.
pub(super) fn encode_footer(blocks: &[BlockInfo]) -> Vec<u8> {
    let mut w = Writer::new();
    w.uvarint(blocks.len() as u64);
    for block in blocks {
        block.write(&mut w);
    }
    w.finish()
}
