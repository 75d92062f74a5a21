//! A device in live exchange, in a task of its own, and a second connection that reads its archive.

use std::time::Duration;

use client::archive::{Anchor, Archive};
use client::error::{Error, Result};
use client::event::Chat;
use client::sync::{Inbox, LiveOptions, News, Recorder};
use client::vault::{Cancel, Vault, Work};
use tests::world::Place;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// What it told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    Level,
    Came(u64),
    Sent(u64),
    Away(&'static str),
}

pub struct Watching {
    pub place: Place,
    pub reader: Archive,
    pub recorder: Recorder,
    pub heard: UnboundedReceiver<Heard>,
    cancel: Cancel,
    task: JoinHandle<(Vault, Archive, Result<()>)>,
}

impl Watching {
    pub fn begin(place: Place, vault: Vault, archive: Archive) -> Self {
        // Attachments wait for nothing here, unless a test is about that.
        let options = LiveOptions { media_wait: Duration::ZERO, ..LiveOptions::default() };
        Self::begin_with(place, vault, archive, options)
    }

    pub fn begin_with(place: Place, mut vault: Vault, mut archive: Archive, options: LiveOptions) -> Self {
        let reader = vault.reader().unwrap();
        let (recorder, mut inbox) = Inbox::new();
        let (tell, heard) = unbounded_channel();
        let cancel = Cancel::default();
        let work = Work::new(|_| {}, cancel.clone());
        let task = tokio::spawn(async move {
            let mut told = |news: News<'_>| {
                let heard = match news {
                    News::Level(_) => Heard::Level,
                    News::Came(rows) => Heard::Came(rows),
                    News::Sent(rows) => Heard::Sent(rows),
                    News::Away { error, .. } => Heard::Away(error.code()),
                    _ => return,
                };
                let _ = tell.send(heard);
            };
            let ended = vault.watch(&mut archive, &mut inbox, options, &work, &mut told).await;
            (vault, archive, ended)
        });
        Self { place, reader, recorder, heard, cancel, task }
    }

    pub async fn until(&mut self, wanted: impl Fn(Heard) -> bool) {
        let heard = async { while !wanted(self.heard.recv().await.expect("the exchange goes on")) {} };
        timeout(PATIENCE, heard).await.expect("it is told in time");
    }

    pub async fn level(mut self) -> Self {
        self.until(|heard| heard == Heard::Level).await;
        self
    }

    /// Texts of a chat's messages as a reader finds them, in order.
    pub fn texts(&self, chat: &Chat) -> Vec<String> {
        let id = self.reader.chat_id(chat);
        let page = self.reader.page(&id, Anchor::End, 10_000, 0).unwrap();
        page.into_iter().map(|shown| shown.message.text.unwrap_or_default()).collect()
    }

    /// Waits until a chat has so many messages here.
    pub async fn has(&self, chat: &Chat, messages: usize) {
        let here = async {
            while self.texts(chat).len() < messages {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = timeout(PATIENCE, here).await;
        assert!(waited.is_ok(), "{} of {messages} messages", self.texts(chat).len());
    }

    /// Asks for the home, as another writer does.
    pub async fn released(self) -> (Place, Vault, Archive) {
        self.recorder.release().await;
        let (vault, archive, ended) = timeout(PATIENCE, self.task).await.expect("it ends").unwrap();
        ended.unwrap();
        (self.place, vault, archive)
    }

    /// Stops it, as an interrupt does.
    pub async fn stopped(self) -> (Place, Vault, Archive) {
        self.cancel.cancel();
        let (vault, archive, ended) = timeout(PATIENCE, self.task).await.expect("it ends").unwrap();
        assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
        (self.place, vault, archive)
    }

    /// Why it ended by itself.
    pub async fn failed(self) -> Error {
        let (_, _, ended) = timeout(PATIENCE, self.task).await.expect("it ends").unwrap();
        ended.unwrap_err()
    }
}
