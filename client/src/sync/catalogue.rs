//! The catalogue as this device last read or wrote it.

use proto::wire::bytes::{Malformed, Reader, Writer};
use proto::wire::tree::Hash;
use zeroize::Zeroizing;

use super::flow::{Flow, broken};
use super::head::OpenHead;
use super::packs::{Packs, ServicePacks};
use crate::archive::Note;
use crate::error::{Error, Result};
use crate::ids::{AccountId, ChatId, PackId};
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
pub(super) async fn read_catalogue(source: &dyn Packs, account: &AccountId, head: OpenHead) -> Result<Known> {
    let (known, lost) = read_catalogue_left(source, account, head).await?;
    if lost.is_empty() { Ok(known) } else { Err(pages_lost(&lost)) }
}

/// A page that is not to be had, and why.
pub(super) type LostPage = (PackId, &'static str);

pub(super) fn pages_lost(pages: &[LostPage]) -> Error {
    let details = pages.iter().map(|(page, why)| format!("{}: a page of the catalogue, {why}", page.hex())).collect();
    Error::Damaged { objects: pages.len() as u64, details }
}

/// Reads what is left of a head's catalogue, and names the pages that are not.
pub(super) async fn read_catalogue_left(
    source: &dyn Packs,
    account: &AccountId,
    head: OpenHead,
) -> Result<(Known, Vec<LostPage>)> {
    let (generation, has_front) = (head.clear.generation, head.has_front_page());
    let (front, pages) = Catalogue::pages_of(head.content, has_front);
    let (mut catalogue, mut lost) = (Catalogue::default(), Vec::new());
    for page in pages {
        let id = page.id;
        match source.get(id, page.class).await {
            Ok(bytes) => {
                if catalogue.take_page(account, page, &bytes).is_err() {
                    lost.push((id, "damaged"));
                }
            }
            Err(no) => lost.push((id, no.reason()?)),
        }
    }
    // What another device's front page shows is not looked at: at the next fold it counts as changed.
    let front = front.map(|pack| Front { pack, behind_bytes: 0, chats: Vec::new() });
    Ok((Known { generation, catalogue, front }, lost))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use async_trait::async_trait;
    use proto::wire::head::{HeadClear, NO_PACK};
    use proto::wire::ladder::Class;

    use super::*;
    use crate::crypto::PackKey;
    use crate::crypto::fixed::Fixed;
    use crate::fields::Fields;
    use crate::pack::{ChatFilter, Family, RunEntry, encode_run_entries, seal_page};
    use crate::strata::{Counts, FORMAT, HeadContent};
    use crate::sync::packs::{NoPack, Part};

    const ACCOUNT: AccountId = AccountId([1; 32]);

    struct Shelf(BTreeMap<PackId, Vec<u8>>);

    #[async_trait]
    impl Packs for Shelf {
        async fn read(&self, id: PackId, _: Part) -> Result<Vec<u8>, NoPack> {
            self.0.get(&id).cloned().ok_or(NoPack::Missing)
        }
    }

    fn run(n: u8, entropy: &mut Fixed) -> RunEntry {
        let key = PackKey::generate(entropy);
        RunEntry {
            pack: PackRef { id: PackId([n; 16]), class: Class::PACK, hash: [2; 32], key, footer_len: 99 },
            family: Family::Messages,
            level: 0,
            rows: 10,
            arrival: (u64::from(n), u64::from(n)),
            time: (5, 6),
            last_day: 0,
            filter: ChatFilter::default(),
            blocks: 1,
            rest: Fields::default(),
        }
    }

    #[test]
    fn what_other_pages_list_is_found_without_those_that_are_lost() {
        let mut entropy = Fixed::new("pages");
        let (mut shelf, mut pages) = (Shelf(BTreeMap::new()), Vec::new());
        for n in 1..=4 {
            let content = encode_run_entries([run(n, &mut entropy)].iter());
            let sealed = seal_page(&ACCOUNT, &content, &mut entropy).unwrap();
            shelf.0.insert(sealed.pack.id, sealed.bytes);
            pages.push(sealed.pack);
        }
        let ids: Vec<PackId> = pages.iter().map(|page| page.id).collect();
        shelf.0.remove(&ids[1]);
        shelf.0.get_mut(&ids[2]).unwrap()[100] ^= 1;
        let clear = HeadClear {
            generation: 7,
            parent: [1; 32],
            covered_size: 9,
            covered_root: [0; 32],
            front_size: 0,
            erase: Vec::new(),
            adds: Vec::new(),
            drops: Vec::new(),
            pages: [NO_PACK].into_iter().chain(ids.iter().copied()).collect(),
        };
        let content = HeadContent {
            pages,
            authors: Vec::new(),
            digests: Vec::new(),
            counts: Counts::default(),
            least_format: FORMAT,
            front_last_day: 0,
            purged: Vec::new(),
            rest: Fields::default(),
        };
        let read = read_catalogue_left(&shelf, &ACCOUNT, OpenHead { clear, content });
        let (known, lost) = futures::executor::block_on(read).unwrap();
        assert_eq!(known.catalogue.runs.keys().copied().collect::<Vec<_>>(), [PackId([1; 16]), PackId([4; 16])]);
        assert_eq!(lost, [(ids[1], "missing"), (ids[2], "damaged")]);
        assert_eq!(pages_lost(&lost).exit(), 30);
    }
}
