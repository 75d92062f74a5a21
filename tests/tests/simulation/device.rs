//! A device that does its work whatever the network does: what fails for now is done again.

use std::sync::Arc;
use std::time::Duration;

use client::archive::Archive;
use client::crypto::opaque::Bounds;
use client::env::{Env, Hands, SharedEntropy};
use client::error::Result;
use client::sync::{BackupOptions, Inbox, LiveOptions, RestoreOptions};
use client::vault::{Joined, Vault, Where, Work};
use tests::history;
use tests::history::{import, message};
use tests::world::Place;

use crate::network::{Trace, Wire};
use crate::seeded::{Stream, Virtual};

pub struct Device {
    place: Place,
    chance: Stream,
    vault: Option<Vault>,
    archive: Option<Archive>,
    /// How often something had to be done again.
    pub again: u64,
}

/// How a device reaches the service.
pub fn at(seed: u64, device: &'static str, trace: &Trace) -> Where {
    let env = Env {
        clock: Arc::new(Virtual::new()),
        entropy: SharedEntropy::new(Stream::of(seed, device)),
        hands: Hands::Own,
    };
    let connector = Arc::new(Wire { device, trace: trace.clone() });
    Where { connector, env, bounds: Bounds::FOR_TESTS }
}

/// Waits for what may go away by itself; anything else is a failure of the run.
pub async fn insist<T>(again: &mut u64, mut act: impl AsyncFnMut() -> Result<T>) -> T {
    for _ in 0..100 {
        match act().await {
            Ok(done) => return done,
            Err(error) if error.is_retryable() => *again += 1,
            Err(error) => panic!("{error} ({error:?})"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("it did not come through in a hundred tries");
}

impl Device {
    pub fn new(seed: u64, name: &str) -> Self {
        let chance = Stream::of(seed, &format!("{name} decides"));
        Self { place: Place::new(), chance, vault: None, archive: None, again: 0 }
    }

    pub fn set_up(&mut self, joined: Joined) {
        let vault = self.place.install(joined);
        self.archive = Some(vault.archive().unwrap());
        self.vault = Some(vault);
    }

    pub fn archive(&self) -> &Archive {
        self.archive.as_ref().unwrap()
    }

    /// Some messages of a chat, sometimes with photos, and a backup of them. Answers how many messages.
    pub async fn write(&mut self, chat: usize, from: u64) -> u64 {
        let messages = 1 + self.chance.below(25);
        let photo = [0, 3_000, 40_000][self.chance.below(3) as usize];
        import(self.archive.as_mut().unwrap(), chat, from, from + messages, photo);
        self.rest().await;
        self.backup().await;
        messages
    }

    /// Stays in exchange for a while and writes as an app does. Answers how many messages.
    pub async fn chat(&mut self, chat: usize, from: u64) -> u64 {
        let rests: Vec<_> = (0..self.chance.below(12)).map(|_| self.chance.below(1_500)).collect();
        let last = Duration::from_millis(self.chance.below(20_000));
        let (recorder, mut inbox) = Inbox::new();
        let writes = async {
            for (n, rest) in (from..).zip(&rests) {
                // Some without a rest: they travel together.
                tokio::time::sleep(Duration::from_millis(rest.saturating_sub(300))).await;
                let row = message(n, &format!("message {n} of chat {chat}"));
                recorder.record(history::chat(chat), row).await.unwrap();
            }
            tokio::time::sleep(last).await;
            recorder.release().await;
        };
        let (vault, archive) = (self.vault.as_mut().unwrap(), self.archive.as_mut().unwrap());
        let (work, mut told) = (work(), |_: client::sync::News<'_>| {});
        let mut watches = std::pin::pin!(vault.watch(archive, &mut inbox, LiveOptions::default(), &work, &mut told));
        let ended = tokio::select! {
            biased;
            ended = &mut watches => ended,
            () = writes => watches.await,
        };
        ended.unwrap();
        rests.len() as u64
    }

    pub async fn backup(&mut self) {
        let (vault, archive) = (self.vault.as_mut().unwrap(), self.archive.as_mut().unwrap());
        let again = &mut self.again;
        let done = insist(again, async || vault.backup(archive, &BackupOptions::default(), &work()).await).await;
        assert!(!done.disagreed, "{done:?}");
    }

    pub async fn sync(&mut self) {
        let (vault, archive) = (self.vault.as_mut().unwrap(), self.archive.as_mut().unwrap());
        let done = insist(&mut self.again, async || vault.sync(archive, &work()).await).await;
        assert!(!done.disagreed);
    }

    /// Fetches everything the vault has.
    pub async fn restore(&mut self) {
        let (vault, archive) = (self.vault.as_mut().unwrap(), self.archive.as_mut().unwrap());
        let done = insist(&mut self.again, async || vault.restore(archive, &RestoreOptions::default(), &work()).await);
        let done = done.await;
        assert!(done.is_whole(), "{done:?}");
    }

    pub async fn rest(&self) {
        tokio::time::sleep(Duration::from_millis(self.chance.below(4_000))).await;
    }
}

fn work() -> Work {
    Work::quiet().max_wait(Duration::from_secs(20))
}
