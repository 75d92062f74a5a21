//! What the archive asks for from above: ids and digests under the account's keys, media sealed under the home's.

use std::sync::Arc;

use crate::archive::{Ids, MediaSealer, MergeRules, Parts};
use crate::crypto::{ArchiveKey, DigestKey, EventKey, FileKey, Lifetime, Term};
use crate::env::SharedEntropy;
use crate::event::Chat;
use crate::ids::{AccountId, ChatId, EventId, FileId};

/// Puts the archive's parts together.
pub(crate) fn parts(account: AccountId, lifetime: &Lifetime, key: &ArchiveKey, entropy: SharedEntropy) -> Parts {
    let ids = KeyedIds { event: lifetime.event_key(), file: lifetime.file_key(), digest: lifetime.digest_key() };
    // The sealer outlives the caller's borrow, so it has the key once more.
    let sealer = Sealer { account, key: ArchiveKey::import(&key.export()), entropy };
    Parts { ids: Arc::new(ids), rules: Arc::new(MergeRules), sealer: Arc::new(sealer) }
}

struct KeyedIds {
    event: EventKey,
    file: FileKey,
    digest: DigestKey,
}

impl Ids for KeyedIds {
    fn chat(&self, chat: &Chat) -> ChatId {
        self.event.chat(&chat.source, &chat.conversation)
    }

    fn event(&self, chat: &Chat, class: u16, native: &str) -> EventId {
        self.event.event(&chat.source, &chat.conversation, class, native)
    }

    fn file(&self, hash: &[u8; 32], bytes: u64) -> FileId {
        self.file.file(hash, bytes)
    }

    fn digest(&self, chat: &Chat, row: &[u8]) -> [u8; 32] {
        self.digest.row(&chat.source, &chat.conversation, row)
    }

    fn term(&self, chat: &Chat, row: &[u8]) -> Term {
        self.digest.term(&chat.source, &chat.conversation, row)
    }
}

struct Sealer {
    account: AccountId,
    key: ArchiveKey,
    entropy: SharedEntropy,
}

impl MediaSealer for Sealer {
    fn seal_block(&self, place: &[u8; 32], number: u32, last: bool, plain: &[u8]) -> Vec<u8> {
        self.key.seal_block(&self.account, &FileId(*place), number, last, plain, &mut self.entropy.clone())
    }

    fn open_block(&self, place: &[u8; 32], number: u32, last: bool, sealed: &[u8]) -> Option<Vec<u8>> {
        let open = self.key.open_block(&self.account, &FileId(*place), number, last, sealed);
        Some(open.ok()?.to_vec())
    }
}
