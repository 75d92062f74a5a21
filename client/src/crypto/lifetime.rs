//! The lifetime secret and the keys of ids, digests and cuts (`docs/format.md` §2).
//!
//! It survives the revocation of devices, so everything made with it is stored only sealed: none of these ids is ever
//! an object's name, a log line or a metric.

use std::fmt::Write as _;

use proto::wire::bytes::{Reader, Result as WireResult, Writer};

use super::Entropy;
use super::derive::{derive, keyed, keyed_long, purpose};
use super::secret::{Secret, key_type};
use crate::ids::{ChatId, ChunkId, EventId, FileId};

key_type!(/// Made with the account, never changed.
    Lifetime);
key_type!(/// Makes chat and event ids.
    EventKey);
key_type!(/// Makes file ids.
    FileKey);
key_type!(/// Makes chunk ids.
    ChunkIdKey);
key_type!(/// Makes the digests that devices compare, and decides between rows of one key.
    DigestKey);
key_type!(/// Makes the table by which files are cut, so that lengths of chunks tell nothing about a known file.
    CutKey);

impl Lifetime {
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self(Secret::random(entropy))
    }

    pub fn event_key(&self) -> EventKey {
        EventKey(derive(purpose::EVENT_ID_KEY, &[self.0.bytes()]))
    }

    pub fn file_key(&self) -> FileKey {
        FileKey(derive(purpose::FILE_ID_KEY, &[self.0.bytes()]))
    }

    pub fn chunk_id_key(&self) -> ChunkIdKey {
        ChunkIdKey(derive(purpose::CHUNK_ID_KEY, &[self.0.bytes()]))
    }

    pub fn digest_key(&self) -> DigestKey {
        DigestKey(derive(purpose::DIGEST_KEY, &[self.0.bytes()]))
    }

    pub fn cut_key(&self) -> CutKey {
        CutKey(derive(purpose::CUT_TABLE_KEY, &[self.0.bytes()]))
    }

    /// The same once more, for another owner.
    pub(crate) fn again(&self) -> Self {
        Self(Secret::copied(self.0.bytes()))
    }

    /// Writes the secret where it is about to be sealed: a kept archive.
    pub(crate) fn write(&self, out: &mut Writer) {
        out.raw(self.0.bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> WireResult<Self> {
        Ok(Self(Secret::copied(&r.array()?)))
    }
}

impl EventKey {
    pub fn chat(&self, source: &str, conversation: &str) -> ChatId {
        ChatId(keyed(&self.0, &[&[0], &chat_bytes(source, conversation)]))
    }

    /// `class` is 0 for kinds that stand in the chat, else the kind (`Kind::id_class`).
    pub fn event(&self, source: &str, conversation: &str, class: u16, native: &str) -> EventId {
        let rest = Writer::new().u16(class).prefixed(native.as_bytes()).finish();
        EventId(keyed(&self.0, &[&[1], &chat_bytes(source, conversation), &rest]))
    }

    /// What the native key of a version row ends with: 32 hex characters of its values' keyed hash.
    pub fn version_mark(&self, values: &[u8]) -> String {
        let hash = keyed(&self.0, &[&[2], values]);
        hash.iter().take(16).fold(String::with_capacity(32), |mut out, byte| {
            write!(out, "{byte:02x}").expect("writing to a string does not fail");
            out
        })
    }
}

impl FileKey {
    /// Names a file by its content's plain BLAKE3 and its size.
    pub fn file(&self, content_hash: &[u8; 32], size: u64) -> FileId {
        FileId(keyed(&self.0, &[content_hash, &size.to_le_bytes()]))
    }
}

impl ChunkIdKey {
    pub fn chunk(&self, content: &[u8]) -> ChunkId {
        ChunkId(keyed(&self.0, &[content]))
    }
}

impl DigestKey {
    /// Decides between two rows of one key: the smaller stays.
    pub fn row(&self, source: &str, conversation: &str, row: &[u8]) -> [u8; 32] {
        keyed(&self.0, &[&chat_bytes(source, conversation), row])
    }

    pub(super) fn lanes(&self, source: &str, conversation: &str, row: &[u8], out: &mut [u8]) {
        keyed_long(&self.0, &[&chat_bytes(source, conversation), row], out);
    }
}

impl CutKey {
    /// The gear table: 256 words of the key's output over `gear`.
    pub(crate) fn gear(&self) -> Box<[u64; 256]> {
        let mut bytes = vec![0; 256 * 8];
        keyed_long(&self.0, &[b"gear"], &mut bytes);
        let mut table = Box::new([0; 256]);
        for (word, bytes) in table.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        table
    }
}

fn chat_bytes(source: &str, conversation: &str) -> Vec<u8> {
    Writer::new().prefixed(source.as_bytes()).prefixed(conversation.as_bytes()).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;

    fn lifetime() -> Lifetime {
        Lifetime::generate(&mut Fixed::new("lifetime"))
    }

    #[test]
    fn ids_keep_apart_what_differs() {
        let key = lifetime().event_key();
        let ids = [
            key.event("whatsapp", "ana", 0, "1"),
            key.event("whatsappa", "na", 0, "1"),
            key.event("whatsapp", "ana", 16, "1"),
            key.event("whatsapp", "ana", 0, "2"),
            key.event("whatsapp", "ana1", 0, ""),
            EventId(key.chat("whatsapp", "ana").0),
        ];
        for (i, a) in ids.iter().enumerate() {
            assert!(ids.iter().skip(i + 1).all(|b| a != b));
        }
        assert_eq!(ids[0], lifetime().event_key().event("whatsapp", "ana", 0, "1"));
        let other = Lifetime::generate(&mut Fixed::new("other")).event_key();
        assert_ne!(ids[0], other.event("whatsapp", "ana", 0, "1"));
    }

    #[test]
    fn the_gear_table_has_no_repeated_word() {
        let mut words = lifetime().cut_key().gear().to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 256);
    }
}
