//! The list of all runs, in pages. A page is written anew only when a run on it comes or goes.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::HeadContent;
use crate::ids::{AccountId, PackId};
use crate::pack::{
    CATALOGUE_PAGE_BYTES_MAX, Damaged, PackRef, RunEntry, decode_run_entries, encode_run_entries, open_page,
};
use proto::wire::bytes::{Reader, Writer};

/// What one page's entries come to, so that page, seal and length prefix stay within a class of 64 KiB.
pub const PAGE_CONTENT_BYTES_MAX: usize = 60 << 10;

/// A page as a head names it, and the runs on it.
pub struct Page {
    pub pack: PackRef,
    pub runs: Vec<PackId>,
}

/// Every run by its pack, and the pages that list them.
#[derive(Default)]
pub struct Catalogue {
    pub runs: BTreeMap<PackId, RunEntry>,
    pub pages: Vec<Page>,
}

impl Catalogue {
    /// Takes in a page's bytes as a head names it. A run listed twice is damage.
    pub fn take_page(&mut self, account: &AccountId, pack: PackRef, bytes: &[u8]) -> Result<(), Damaged> {
        let content = open_page(account, &pack, bytes)?;
        let entries = decode_run_entries(&content)?;
        let mut runs = Vec::with_capacity(entries.len());
        for entry in entries {
            let id = entry.pack.id;
            runs.push(id);
            if self.runs.insert(id, entry).is_some() {
                return Err(Damaged);
            }
        }
        self.pages.push(Page { pack, runs });
        Ok(())
    }

    /// Encodes all of it for the device's own archive, keys included: it is sealed there.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut w = Writer::new();
        w.uvarint(self.pages.len() as u64);
        for page in &self.pages {
            page.pack.encode(&mut w);
            let entries: Vec<&RunEntry> = page.runs.iter().filter_map(|id| self.runs.get(id)).collect();
            w.prefixed(&encode_run_entries(entries.into_iter()));
        }
        Zeroizing::new(w.finish())
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut r = Reader::new(bytes);
        let mut out = Self::default();
        for _ in 0..r.count(proto::wire::limits::HEAD_PAGES_MAX)? {
            let pack = PackRef::decode(&mut r)?;
            let mut runs = Vec::new();
            for entry in decode_run_entries(r.prefixed(CATALOGUE_PAGE_BYTES_MAX)?)? {
                runs.push(entry.pack.id);
                out.runs.insert(entry.pack.id, entry);
            }
            out.pages.push(Page { pack, runs });
        }
        r.finish()?;
        Ok(out)
    }

    /// The packs of a head's catalogue pages: all its pages but the front page.
    pub fn pages_of(head: HeadContent, has_front_page: bool) -> (Option<PackRef>, Vec<PackRef>) {
        let mut pages = head.pages.into_iter();
        let front = if has_front_page { pages.next() } else { None };
        (front, pages.collect())
    }
}

/// Divides runs among pages: which pages stay as they are, and which lists of runs need a page of their own.
///
/// A page stays if all its runs stay. New runs, and those of pages that lost one, fill new pages in order of arrival.
pub fn page_layout(catalogue: &Catalogue, runs: &BTreeMap<PackId, RunEntry>) -> (Vec<usize>, Vec<Vec<PackId>>) {
    let whole = |page: &Page| !page.runs.is_empty() && page.runs.iter().all(|id| runs.contains_key(id));
    let mut kept: Vec<usize> = catalogue.pages.iter().enumerate().filter(|(_, p)| whole(p)).map(|(at, _)| at).collect();
    // The last page is the one with room: it is written anew rather than followed by a page for every fold.
    let half =
        |at: &usize| catalogue.pages.get(*at).is_some_and(|p| bytes_of(&p.runs, runs) < PAGE_CONTENT_BYTES_MAX / 2);
    kept.retain(|at| !half(at));
    let settled: BTreeSet<PackId> =
        kept.iter().filter_map(|at| catalogue.pages.get(*at)).flat_map(|p| p.runs.iter().copied()).collect();
    let mut loose: Vec<&RunEntry> = runs.values().filter(|run| !settled.contains(&run.pack.id)).collect();
    loose.sort_by_key(|run| (run.family as u8, std::cmp::Reverse(run.level), run.arrival, run.pack.id));
    let mut pages: Vec<Vec<PackId>> = Vec::new();
    let mut room = 0;
    for run in loose {
        let bytes = run.encode().len() + 4;
        if bytes > room {
            pages.push(Vec::new());
            room = PAGE_CONTENT_BYTES_MAX;
        }
        room -= bytes.min(room);
        if let Some(page) = pages.last_mut() {
            page.push(run.pack.id);
        }
    }
    (kept, pages)
}

fn bytes_of(ids: &[PackId], runs: &BTreeMap<PackId, RunEntry>) -> usize {
    ids.iter().filter_map(|id| runs.get(id)).map(|run| run.encode().len() + 4).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PackKey;
    use crate::crypto::fixed::Fixed;
    use crate::fields::Fields;
    use crate::pack::{ChatFilter, Family, seal_page};
    use proto::wire::ladder::Class;

    const ACCOUNT: AccountId = AccountId([1; 32]);

    fn run(n: u16, entropy: &mut Fixed) -> RunEntry {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        let key = PackKey::generate(entropy);
        let pack = PackRef { id: PackId(id), class: Class::PACK, hash: [2; 32], key, footer_len: 99 };
        let mut filter = ChatFilter::default();
        filter.add(&crate::ids::ChatId([7; 32]));
        RunEntry {
            pack,
            family: Family::Messages,
            level: 0,
            rows: 10,
            arrival: (u64::from(n) + 1, u64::from(n) + 1),
            time: (5, 6),
            last_day: 0,
            filter,
            blocks: 1,
            rest: Fields::default(),
        }
    }

    fn written(runs: BTreeMap<PackId, RunEntry>, before: &Catalogue, entropy: &mut Fixed) -> (Catalogue, usize) {
        let (kept, new) = page_layout(before, &runs);
        let mut after = Catalogue { runs, pages: Vec::new() };
        for at in &kept {
            let page = &before.pages[*at];
            let mut w = Writer::new();
            page.pack.encode(&mut w);
            let pack = PackRef::decode(&mut Reader::new(&w.finish())).unwrap();
            after.pages.push(Page { pack, runs: page.runs.clone() });
        }
        for runs in &new {
            let content = encode_run_entries(runs.iter().map(|id| &after.runs[id]).collect::<Vec<_>>().into_iter());
            let sealed = seal_page(&ACCOUNT, &content, entropy).unwrap();
            assert!(sealed.pack.class <= Class::PACK, "a page has at most 64 KiB");
            let mut again = Catalogue::default();
            let mut w = Writer::new();
            sealed.pack.encode(&mut w);
            let same = PackRef::decode(&mut Reader::new(&w.finish())).unwrap();
            again.take_page(&ACCOUNT, same, &sealed.bytes).unwrap();
            assert_eq!(again.pages[0].runs, *runs);
            after.pages.push(Page { pack: sealed.pack, runs: runs.clone() });
        }
        (after, new.len())
    }

    #[test]
    fn every_run_stands_on_one_page_and_few_pages_are_written() {
        let mut entropy = Fixed::new("catalogue");
        let runs: BTreeMap<_, _> = (0..700).map(|n| run(n, &mut entropy)).map(|r| (r.pack.id, r)).collect();
        let (first, pages) = written(runs, &Catalogue::default(), &mut entropy);
        assert!((3..=6).contains(&pages), "{pages} pages");
        let mut runs = Catalogue::decode(&first.encode()).unwrap().runs;
        let gone: Vec<PackId> = runs.keys().rev().take(3).copied().collect();
        for id in gone {
            runs.remove(&id);
        }
        let new = run(900, &mut entropy);
        runs.insert(new.pack.id, new);
        let expected: BTreeSet<PackId> = runs.keys().copied().collect();
        let (second, pages) = written(runs, &first, &mut entropy);
        assert_eq!(pages, 1, "only the page that changed");
        let mut seen = BTreeSet::new();
        assert!(second.pages.iter().flat_map(|p| &p.runs).all(|id| seen.insert(*id)), "no run stands twice");
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_page_that_lists_a_run_again_is_damage() {
        let mut entropy = Fixed::new("twice");
        let content = encode_run_entries([run(1, &mut entropy)].iter());
        let mut catalogue = Catalogue::default();
        let one = seal_page(&ACCOUNT, &content, &mut entropy).unwrap();
        let two = seal_page(&ACCOUNT, &content, &mut entropy).unwrap();
        assert_eq!(catalogue.take_page(&ACCOUNT, one.pack, &one.bytes), Ok(()));
        assert_eq!(catalogue.take_page(&ACCOUNT, two.pack, &two.bytes), Err(Damaged));
    }
}
