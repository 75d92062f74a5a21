//! Packs of blocks, the writing half: blocks gather until a pack is filled, then it is sealed and read back.

use proto::wire::ladder::Class;

use super::block::{ClosedBlock, Facts};
use super::footer::encode_footer;
use super::reference::Fresh;
use super::{BlockInfo, PackError, PackRef, SealedPack, open_run};
use crate::crypto::{Entropy, SEAL_BYTES};
use crate::ids::AccountId;

/// Closed blocks that wait to become a pack.
#[derive(Default)]
pub(super) struct Assembly {
    blocks: Vec<ClosedBlock>,
}

impl Assembly {
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Whether one more block still fits a pack of this class.
    pub(super) fn has_room(&self, block: &ClosedBlock, ceiling: Class) -> bool {
        let infos: Vec<BlockInfo> = self.blocks.iter().chain([block]).map(ClosedBlock::info).collect();
        length(&infos) <= ceiling.bytes()
    }

    pub(super) fn push(&mut self, block: ClosedBlock) {
        self.blocks.push(block);
    }

    pub(super) fn rows(&self) -> u64 {
        self.blocks.iter().map(|block| block.facts.rows).sum()
    }

    /// Seals what has gathered. `read` decodes a block's plaintext and takes what it finds into a hash, which must come
    /// out as that of what was pushed.
    pub(super) fn seal(
        self,
        account: &AccountId,
        floor: Class,
        entropy: &mut dyn Entropy,
        read: impl Fn(&[u8], &mut blake3::Hasher) -> Option<()>,
    ) -> Result<(SealedPack, Facts, usize), PackError> {
        let Self { blocks } = self;
        let sealed = sealed(account, &blocks, floor, entropy)?;
        self_check(account, &blocks, &sealed, read).ok_or(PackError::SelfCheck)?;
        let mut facts = Facts::default();
        for block in &blocks {
            facts.join(&block.facts);
        }
        Ok((sealed, facts, blocks.len()))
    }
}

impl ClosedBlock {
    fn info(&self) -> BlockInfo {
        let Facts { rows, first_id, first_time, .. } = self.facts;
        let sealed_len = u32::try_from(self.plaintext.len() + SEAL_BYTES).unwrap_or(u32::MAX);
        BlockInfo { sealed_len, rows, first_id, first_time }
    }
}

fn length(infos: &[BlockInfo]) -> usize {
    let blocks: usize = infos.iter().map(|info| info.sealed_len as usize).sum();
    SEAL_BYTES + encode_footer(infos).len() + blocks
}

fn sealed(
    account: &AccountId,
    blocks: &[ClosedBlock],
    floor: Class,
    entropy: &mut dyn Entropy,
) -> Result<SealedPack, PackError> {
    let infos: Vec<BlockInfo> = blocks.iter().map(ClosedBlock::info).collect();
    let class = Class::fitting(length(&infos), floor).ok_or(PackError::TooLong)?;
    let fresh = Fresh::draw(entropy);
    let place = |number: usize| {
        let number = u32::try_from(number).map_err(|_| PackError::TooLong)?;
        Ok(fresh.place(account, number, number as usize == blocks.len()))
    };
    let mut bytes = Vec::with_capacity(class.bytes());
    bytes.extend(fresh.key.seal_piece(&place(0)?, &encode_footer(&infos), entropy));
    let footer_len = u32::try_from(bytes.len()).map_err(|_| PackError::TooLong)?;
    for (at, block) in blocks.iter().enumerate() {
        bytes.extend(fresh.key.seal_piece(&place(at + 1)?, &block.plaintext, entropy));
    }
    bytes.extend(fresh.key.padding(&fresh.id, class.bytes() - bytes.len()));
    let hash = *blake3::hash(&bytes).as_bytes();
    Ok(SealedPack { pack: PackRef { id: fresh.id, class, hash, key: fresh.key, footer_len }, bytes })
}

fn self_check(
    account: &AccountId,
    blocks: &[ClosedBlock],
    sealed: &SealedPack,
    read: impl Fn(&[u8], &mut blake3::Hasher) -> Option<()>,
) -> Option<()> {
    let open = open_run(account, &sealed.pack, &sealed.bytes).ok()?;
    let alike = open.blocks.len() == blocks.len()
        && open.footer.blocks().iter().zip(blocks).all(|(info, block)| *info == block.info());
    if !alike {
        return None;
    }
    for (plaintext, block) in open.blocks.iter().zip(blocks) {
        let mut check = blake3::Hasher::new();
        read(plaintext, &mut check)?;
        if check.finalize() != block.facts.check.finalize() {
            return None;
        }
    }
    Some(())
}
