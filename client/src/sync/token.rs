//! The service's token from one process to the next: it lies in the sealed archive, beside keys that could get another.

use proto::wire::bytes::{Reader, Writer};

use super::flow::Flow;
use crate::archive::{Archive, Note};
use crate::error::Result;
use crate::remote::Token;
use crate::vault::Vault;

/// Longer ones are not kept.
const BYTES_MAX: usize = 4096;

/// Takes up a kept token. One the service takes no more is replaced at the first call.
pub(super) fn take_up(vault: &mut Vault, archive: &Archive) -> Result<()> {
    if let Some(token) = archive.note(Note::Token)?.as_deref().and_then(decode) {
        vault.session.offer(token);
    }
    Ok(())
}

impl Flow<'_> {
    /// Keeps the token, where it is a new one.
    pub fn keep_token(&mut self) -> Result<()> {
        let Some(token) = self.vault.session.held().filter(|token| token.bytes.len() <= BYTES_MAX) else {
            return Ok(());
        };
        let note = encode(&token);
        if self.archive.note(Note::Token)?.as_deref() != Some(&note) {
            self.archive.commit(|c| c.set_note(Note::Token, Some(&note)))?;
        }
        Ok(())
    }
}

fn encode(token: &Token) -> Vec<u8> {
    Writer::new().u64(token.until_ms.cast_unsigned()).raw(&token.bytes).finish()
}

fn decode(note: &[u8]) -> Option<Token> {
    let mut r = Reader::new(note);
    let until_ms = r.u64().ok()?.cast_signed();
    let bytes = note.get(8..).filter(|bytes| !bytes.is_empty() && bytes.len() <= BYTES_MAX)?;
    Some(Token { bytes: bytes.to_vec().into(), until_ms })
}
