//! The catalogue as this device last read or wrote it.

use proto::wire::bytes::{Malformed, Reader, Writer};
use proto::wire::tree::Hash;
use zeroize::Zeroizing;

use super::flow::{Flow, broken};
use super::head::OpenHead;
use super::packs::{NoPack, Packs, ServicePacks};
use crate::archive::Note;
use crate::error::{Error, Result};
use crate::ids::ChatId;
use crate::pack::PackRef;
use crate::strata::Catalogue;

/// `Note::Catalogue`: which head it belongs to, all runs, and what the front page shows.
#[derive(Default)]
pub(super) struct Known {
    pub generation: u64,
    pub catalogue: Catalogue,
    pub front: Option<Front>,
}

/// The front page of a head.
pub(super) struct Front {
    pub pack: PackRef,
    /// Bytes of content folded since it was written.
    pub behind_bytes: u64,
    /// Chats it shows; empty where another device wrote it.
    pub chats: Vec<ChatId>,
}

const CHATS_MAX: usize = 64;

impl Known {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut w = Writer::new();
        w.u64(self.generation);
        match &self.front {
            None => {
                w.u8(0);
            }
            Some(front) => {
                w.u8(1);
                front.pack.encode(&mut w);
                w.u64(front.behind_bytes).uvarint(front.chats.len() as u64);
                for chat in &front.chats {
                    w.raw(&chat.0);
                }
            }
        }
        w.raw(&self.catalogue.encode());
        Zeroizing::new(w.finish())
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let generation = r.u64()?;
        let front = match r.u8()? {
            0 => None,
            1 => {
                let (pack, behind_bytes) = (PackRef::decode(&mut r)?, r.u64()?);
                let chats = (0..r.count(CHATS_MAX)?).map(|_| Ok(ChatId(r.array::<{ size_of::<Hash>() }>()?)));
                Some(Front { pack, behind_bytes, chats: chats.collect::<Result<_, Malformed>>()? })
            }
            _ => return Err(Malformed::NotCanonical),
        };
        let catalogue = Catalogue::decode(r.rest()).map_err(|_| Malformed::NotCanonical)?;
        Ok(Self { generation, catalogue, front })
    }
}

impl Flow<'_> {
    /// The catalogue of the newest head; read from the service unless this device has it.
    pub async fn catalogue(&mut self) -> Result<Known> {
        let generation = self.follower.state().head.as_ref().map_or(0, |h| h.generation);
        if let Some(known) = self.kept_catalogue()?.filter(|known| known.generation == generation) {
            return Ok(known);
        }
        let Some(head) = self.head()? else { return Ok(Known::default()) };
        let source = ServicePacks { session: &self.vault.session, work: &self.work };
        let known = read_catalogue(&source, &self.account(), head).await?;
        self.archive.commit(|c| c.set_note(Note::Catalogue, Some(&known.encode())))?;
        Ok(known)
    }

    /// The catalogue as kept, of whatever head.
    pub fn kept_catalogue(&self) -> Result<Option<Known>> {
        let Some(note) = self.archive.note(Note::Catalogue)?.map(Zeroizing::new) else { return Ok(None) };
        Known::decode(&note).map(Some).map_err(|_| broken("its catalogue cannot be read"))
    }
}

/// Reads every page of a head's catalogue.
pub(super) async fn read_catalogue(
    source: &dyn Packs,
    account: &crate::ids::AccountId,
    head: OpenHead,
) -> Result<Known> {
    let (generation, has_front) = (head.clear.generation, head.has_front_page());
    let (front, pages) = Catalogue::pages_of(head.content, has_front);
    let mut catalogue = Catalogue::default();
    for page in pages {
        let id = page.id;
        let bytes = match source.get(id, page.class).await {
            Ok(bytes) => bytes,
            Err(NoPack::Error(error)) => return Err(error),
            Err(NoPack::Missing | NoPack::Short) => return Err(damaged_page(&id.hex())),
        };
        catalogue.take_page(account, page, &bytes).map_err(|_| damaged_page(&id.hex()))?;
    }
    // What another device's front page shows is not looked at: at the next fold it counts as changed.
    let front = front.map(|pack| Front { pack, behind_bytes: 0, chats: Vec::new() });
    Ok(Known { generation, catalogue, front })
}

fn damaged_page(pack: &str) -> Error {
    Error::Damaged { objects: 1, details: vec![format!("{pack}: a page of the catalogue")] }
}
