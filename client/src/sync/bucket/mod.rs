//! Restoring without any service: from a bucket's folder with a recovery key alone (`docs/format.md` §7).
//!
//! The result is a [`Kept`] archive: everything in it can be read, and no device of the account is set up. It reaches
//! as far as the newest head in the bucket; what was sent after that head was in the service's log only.

mod account;
mod folder;

use std::path::Path;

use self::account::InBucket;
use self::folder::{Folder, FolderPacks};
use super::catalogue::read_catalogue_left;
use super::head::OpenHead;
use super::media_down::{NO_PLACE, WAITS, fetch_media};
use super::packs::Packs as _;
use super::restore::{Media, Missing, RestoreOptions};
use super::snapshot::snapshots;
use super::take_in::take_in;
use super::through_head::{list_runs, take_front};
use super::timers::{hashes, same};
use crate::archive::Archive;
use crate::crypto::{Keyring, RecoveryKey};
use crate::env::{Env, Hands};
use crate::error::{Error, Result};
use crate::event::gone_day;
use crate::home::{Home, KeyStore};
use crate::ids::{AccountId, EventId};
use crate::pack::Family;
use crate::strata::FORMAT;
use crate::vault::{Identity, Kept, Work};

/// Something of the bucket that could not be read as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lost {
    /// Its name in the bucket, such as `ADDRESS/PACKID`.
    pub object: String,
    /// What it holds: `head`, `front page`, `page`, `run`, `chunk run`. Without the head nothing tells what the packs
    /// are.
    pub holds: &'static str,
    /// `missing`, `truncated`, `too long`, `unreadable` or `damaged`.
    pub reason: &'static str,
    /// Rows that were in it and are not restored; 0 where nobody can tell.
    pub rows: u64,
}

/// What a restore from a bucket did.
#[derive(Clone, Debug)]
pub struct FromBucket {
    /// The account's name; the bucket does not tell at which server.
    pub account: String,
    /// The server's time of the newest head, ms since 1970 UTC; none where the bucket holds no head: then it is
    /// among what is lost, unless the account never had a backup.
    pub head_at_ms: Option<u64>,
    pub snapshot: Option<EventId>,
    /// Messages in the archive, and attachments whose bytes are here.
    pub messages: u64,
    pub attachments: u64,
    pub read_bytes: u64,
    /// Attachments that could not be restored.
    pub missing: Vec<Missing>,
    pub lost: Vec<Lost>,
    /// Everything opened and the rows are still not those the head states.
    pub differs: bool,
}

impl FromBucket {
    /// Whether everything the head names is here and verified.
    pub fn is_whole(&self) -> bool {
        self.head_at_ms.is_some()
            && self.lost.is_empty()
            && !self.differs
            && self.missing.iter().all(|m| m.reason == WAITS)
    }
}

impl Kept {
    /// Restores an account from a bucket's folder. Into a home where nothing is set up; or into what was kept of the
    /// same account there, so that it goes on where it stopped. What is damaged is named, and all the rest restored.
    /// The caller holds the home's lock.
    pub async fn restore(
        home: &Home,
        keys: &dyn KeyStore,
        env: Env,
        bucket: &Path,
        key: &RecoveryKey,
        options: &RestoreOptions,
        work: &Work,
    ) -> Result<(Self, FromBucket)> {
        let folder = Folder::at(bucket);
        // Nobody else tells the time here; and it only says that what is not there went by its timer.
        let (hands, gone) = (env.hands, gone_day(env.now_ms()));
        let found = InBucket::open(&folder, key)?;
        let kept = match Self::open(home, keys, env.clone()) {
            Err(Error::NotSetUp) => Self::of(&found, home, keys, env)?,
            Ok(kept) if *kept.account() == found.account => kept,
            Ok(kept) => {
                let path = home.archive_dir().display().to_string();
                return Err(Error::ArchiveKept { account: kept.shown(), path });
            }
            Err(error) => {
                crate::vault::Vault::check_free(home, keys)?;
                return Err(error);
            }
        };
        let mut archive = kept.archive()?;
        let account = found.name.as_str().to_owned();
        let head_at_ms = found.head.as_ref().map(|(_, at)| *at);
        let mut filling = Filling {
            source: FolderPacks { folder: &folder, address: &found.account.address(), work },
            account: &found.account,
            keyring: &found.open.keyring,
            archive: &mut archive,
            hands,
            gone,
            work,
            lost: Vec::new(),
            differs: false,
        };
        match found.head {
            Some((head, _)) => filling.take_text(head).await?,
            // An account without a backup has none; where packs lie that only a head can name, it was taken away.
            None if folder.holds_packs(&found.account)? => filling.lose("head", "head", "missing", 0),
            None => {}
        }
        let mut missing = Vec::new();
        if options.media == Media::All {
            missing = filling.take_media().await?;
        }
        let Filling { lost, differs, .. } = filling;
        let counts = archive.counts()?;
        let out = FromBucket {
            account,
            head_at_ms,
            snapshot: snapshots(&archive)?.first().map(|s| s.id),
            messages: counts.messages,
            attachments: counts.attachments - counts.attachments_absent,
            read_bytes: work.carried().1,
            missing,
            lost,
            differs,
        };
        Ok((kept, out))
    }

    fn of(found: &InBucket, home: &Home, keys: &dyn KeyStore, env: Env) -> Result<Self> {
        let (server, server_name) = (String::new(), String::new());
        let identity = Identity { server, server_name, name: found.name.clone(), account: found.account };
        Self::create(home, keys, env, identity, found.open.keyring.lifetime().again())
    }
}

/// An archive being filled from a bucket.
struct Filling<'a> {
    source: FolderPacks<'a>,
    account: &'a AccountId,
    keyring: &'a Keyring,
    archive: &'a mut Archive,
    hands: Hands,
    /// The last of the days that are over.
    gone: u32,
    work: &'a Work,
    lost: Vec<Lost>,
    differs: bool,
}

impl Filling<'_> {
    /// Takes in all rows the head names, as far as they are to be had.
    async fn take_text(&mut self, head: OpenHead) -> Result<()> {
        let ids = self.keyring.lifetime().event_key();
        let stated = head.content.digests.clone();
        let readable = head.content.least_format <= FORMAT;
        if head.has_front_page()
            && let Some(page) = head.content.pages.first()
        {
            let why = match self.source.get(page.id, page.class).await {
                Err(no) => Some(no.reason()?),
                Ok(bytes) => match take_front(self.archive, self.account, &ids, page, &bytes)? {
                    true => None,
                    false => Some("damaged"),
                },
            };
            if let Some(why) = why {
                // Its rows stand in the runs too.
                self.lose(&page.id.hex(), "front page", why, 0);
            }
        }
        let (known, pages) = read_catalogue_left(&self.source, self.account, head).await?;
        for (page, why) in pages {
            self.lose(&page.hex(), "page", why, 0);
        }
        list_runs(self.archive, &known.catalogue, None)?;
        let taken = take_in(&self.source, self.account, &ids, self.archive, self.work, (true, self.gone)).await?;
        self.archive.settle()?;
        for (run, rows, why) in taken.lost {
            let is_text = known.catalogue.runs.get(&run).is_none_or(|entry| entry.family == Family::Messages);
            let (holds, rows) = if is_text { ("run", rows) } else { ("chunk run", 0) };
            self.lose(&run.hex(), holds, why, rows);
        }
        let whole = self.archive.runs()?.is_empty() && self.lost.iter().all(|lost| lost.holds == "front page");
        if whole {
            self.archive.commit(|c| c.clear_restored())?;
            // Rows of a newer format are kept and not understood: their digest is not ours to judge.
            self.differs = readable && !same(&stated, &hashes(self.archive.digests()?), self.gone);
        }
        Ok(())
    }

    /// Fetches every attachment of the messages. Answers those that are not to be had.
    async fn take_media(&mut self) -> Result<Vec<Missing>> {
        let chunk_key = self.keyring.lifetime().chunk_id_key();
        let fetched = fetch_media(&self.source, self.account, chunk_key, self.hands, self.archive, self.work).await?;
        // Long texts came as files.
        self.archive.settle()?;
        self.archive.index(|_| !self.work.is_cancelled())?;
        let mut missing = fetched.missing;
        if self.lost.iter().any(|lost| matches!(lost.holds, "page" | "chunk run")) {
            // Whether the vault ever had such a file nobody can tell any more.
            for one in missing.iter_mut().filter(|m| m.reason == WAITS) {
                one.reason = NO_PLACE.to_owned();
            }
        }
        Ok(missing)
    }

    fn lose(&mut self, pack: &str, holds: &'static str, reason: &'static str, rows: u64) {
        self.lost.push(Lost { object: format!("{}/{pack}", self.source.address), holds, reason, rows });
    }
}
