//! Live exchange: a device that stays connected hears at once what others write, and sends at once what it writes.
//!
//! Text goes before media: attachments are uploaded while nothing else happens, and give way at the next pack; few of them
//! wait some minutes for company. Everything can be ended at any moment. Where the service cannot be reached, what is
//! written here is kept and sent later.

mod backoff;
mod chores;
mod hints;
mod inbox;
mod keep;

use std::time::Duration;

use futures::FutureExt as _;
use proto::v1::refusal::Reason;
use tokio::time::{Instant, sleep, sleep_until, timeout};

pub use inbox::{Inbox, Recorder};

use self::backoff::Backoff;
use self::chores::Chores;
use self::hints::Hints;
use super::backup::Synced;
use super::flow::Flow;
use crate::archive::Archive;
use crate::crypto::draw;
use crate::error::{Error, Result};
use crate::vault::{CallError, Vault, Work};

/// How a device stays in exchange.
#[derive(Clone, Copy, Debug)]
pub struct LiveOptions {
    /// How often the whole is compared with the service, though nothing was heard of.
    pub interval: Duration,
    /// How long few attachments wait for others to go with, so that one photo is not padded like ten.
    pub media_wait: Duration,
    /// Whether this device makes one of many small packs. Not for one that lives by its battery or pays for bytes.
    pub gathers: bool,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self { interval: Duration::from_secs(15 * 60), media_wait: Duration::from_secs(10 * 60), gathers: true }
    }
}

/// What a live exchange tells.
#[non_exhaustive]
pub enum News<'a> {
    /// Both sides have everything of each other; from here on changes are exchanged as they happen.
    Level(&'a Synced),
    /// Rows of other devices are being kept: `archive` shows them already, every other reader once [`Came`](Self::Came)
    /// is told. Whoever hears this keeps the exchange waiting. Not told where they come in bulk.
    Coming { rows: u64, archive: &'a Archive },
    /// Rows of other devices are here, and can be read. They become durable with what this device writes next, within
    /// [`DURABLE`] at the latest: until then the log alone has them for good.
    Came(u64),
    /// Rows of this device are in the log.
    Sent(u64),
    /// The service cannot be reached or does not serve now; it is tried again after this time.
    Away { error: &'a Error, wait: Duration },
}

/// Hears what a live exchange tells.
pub type Told<'a> = &'a mut (dyn FnMut(News<'_>) + Send);

/// Why one connected stretch of an exchange ended well.
#[derive(PartialEq, Eq)]
enum Ended {
    /// To be begun again at once.
    Again,
    /// Another writer wants the home.
    Released,
}

/// Nothing happened for so long: time for what is less urgent. Twice as long at the most, so that devices that hear of
/// the same event do not fold at once.
const IDLE: Duration = Duration::from_secs(2);
/// The search index and chats without ids follow after this, and what others wrote becomes durable.
const SETTLE: Duration = Duration::from_millis(200);
/// They follow, though more comes all the time, after this.
const DURABLE: Duration = Duration::from_secs(1);
/// How long a run of work goes on beside events that wait; it doubles each time it had to be broken off, so that it
/// comes to its end all the same.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// An upload that gives way ends at its next pack; it, or a fold, is broken off after this.
const REST_PATIENCE: Duration = Duration::from_secs(10);
/// The least time from one contact to the next.
const AGAIN: Duration = Duration::from_secs(1);
const CANCEL_STEP: Duration = Duration::from_millis(100);

impl Vault {
    /// Exchanges with the vault as things happen, until the work is stopped, or [`Recorder::release`] asks for the home.
    pub async fn watch(
        &mut self,
        archive: &mut Archive,
        inbox: &mut Inbox,
        options: LiveOptions,
        work: &Work,
        told: Told<'_>,
    ) -> Result<()> {
        let mut state = State { patience: PATIENCE, chores: std::mem::take(&mut inbox.chores) };
        let ended = self.watch_on(archive, inbox, options, work, &mut state, told).await;
        inbox.ended();
        inbox.chores = state.chores;
        ended
    }

    async fn watch_on(
        &mut self,
        archive: &mut Archive,
        inbox: &mut Inbox,
        options: LiveOptions,
        work: &Work,
        state: &mut State,
        told: Told<'_>,
    ) -> Result<()> {
        // What fails is told and tried again here, where events are kept meanwhile.
        let work = &work.clone().max_wait(Duration::ZERO);
        let mut backoff = Backoff::default();
        loop {
            let begun = after(Duration::ZERO);
            match connected(self, archive, inbox, options, work, state, told).await {
                Ok(Ended::Released) => return Ok(()),
                // A service that ends every stream at once is not to be stormed.
                Ok(Ended::Again) if after(Duration::ZERO) - begun < AGAIN => {
                    if stay_away(archive, inbox, work, AGAIN).await? {
                        return Ok(());
                    }
                }
                Ok(Ended::Again) => {}
                Err(error) if error.is_retryable() => {
                    backoff.failed(after(Duration::ZERO) - begun);
                    let wait = backoff.wait(&self.session.env) + error.retry_after().unwrap_or_default();
                    told(News::Away { error: &error, wait });
                    if stay_away(archive, inbox, work, wait).await? {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// What lasts from one connection to the next.
struct State {
    /// See [`PATIENCE`].
    patience: Duration,
    chores: Chores,
}

/// A moment to come, by the clock of the runtime, which simulations set.
fn after(wait: Duration) -> Instant {
    sleep(wait).deadline()
}

/// Keeps what comes while nothing can be sent; answers whether the home is wanted.
async fn stay_away(archive: &mut Archive, inbox: &mut Inbox, work: &Work, wait: Duration) -> Result<bool> {
    let until = after(wait);
    loop {
        tokio::select! {
            biased;
            () = inbox.arrived() => {
                keep::keep(archive, inbox.take(usize::MAX));
                if inbox.is_wanted() {
                    return Ok(true);
                }
            }
            () = stopped(work) => return Err(Error::Cancelled),
            () = sleep_until(until) => return Ok(false),
        }
    }
}

async fn stopped(work: &Work) {
    while !work.is_cancelled() {
        sleep(CANCEL_STEP).await;
    }
}

/// From a contact to the next: catches up, then follows the stream of hints.
async fn connected(
    vault: &mut Vault,
    archive: &mut Archive,
    inbox: &mut Inbox,
    options: LiveOptions,
    work: &Work,
    state: &mut State,
    told: Told<'_>,
) -> Result<Ended> {
    let State { patience, chores } = state;
    let level = {
        let mut exchange = std::pin::pin!(vault.catch_up(archive, work));
        let urgent = async {
            inbox.arrived().await;
            sleep(if inbox.is_wanted() { PATIENCE } else { *patience }).await;
        };
        tokio::select! {
            biased;
            done = &mut exchange => Some(done?),
            () = urgent => None,
            () = stopped(work) => timeout(REST_PATIENCE, exchange).await.unwrap_or(Err(Error::Cancelled)).map(Some)?,
        }
    };
    let Some(level) = level else {
        *patience = PATIENCE_MAX.min(*patience * 2);
        keep::keep(archive, inbox.take(usize::MAX));
        return Ok(if inbox.is_wanted() { Ended::Released } else { Ended::Again });
    };
    *patience = PATIENCE;
    told(News::Level(&level));
    let mut live = Live::begin(Flow::begin(vault, archive, work)?, chores, options).await?;
    live.follow(inbox, told).await
}

/// A device that follows the stream of hints.
struct Live<'a> {
    flow: Flow<'a>,
    hints: Hints,
    chores: &'a mut Chores,
    options: LiveOptions,
    /// When to compare with the service again.
    contact_at: Instant,
    /// When to bring the index up to date, and when to do the rest; none where nothing has happened since.
    settle_at: Option<Instant>,
    settle_by: Option<Instant>,
    rest_at: Option<Instant>,
}

impl<'a> Live<'a> {
    async fn begin(mut flow: Flow<'a>, chores: &'a mut Chores, options: LiveOptions) -> Result<Self> {
        flow.note_digest()?;
        flow.draw_ticket()?;
        flow.keep_token()?;
        let hints = flow.watch().await?;
        flow.soon = true;
        let contact_at = after(options.interval);
        let mut live =
            Self { flow, hints, chores, options, contact_at, settle_at: None, settle_by: None, rest_at: None };
        live.happened();
        Ok(live)
    }

    async fn follow(&mut self, inbox: &mut Inbox, told: Told<'_>) -> Result<Ended> {
        let never = self.contact_at;
        loop {
            // In this order, and not in a random one: simulations repeat what a seed has decided.
            tokio::select! {
                biased;
                () = inbox.arrived() => {
                    let sent = self.flow.take_orders(inbox, &mut self.hints).await?;
                    self.happened();
                    if sent > 0 {
                        told(News::Sent(sent));
                    }
                    if inbox.is_wanted() {
                        return Ok(Ended::Released);
                    }
                    // One who writes without end hears the others all the same.
                    if self.hints.arrived().now_or_never().is_some() && !self.hear(told).await? {
                        return Ok(Ended::Again);
                    }
                }
                () = self.hints.arrived() => if !self.hear(told).await? {
                    return Ok(Ended::Again);
                },
                () = stopped(&self.flow.work) => return Err(Error::Cancelled),
                () = sleep_until(self.settle_at.unwrap_or(never)), if self.settle_at.is_some() => {
                    (self.settle_at, self.settle_by) = (None, None);
                    self.flow.archive.settle()?;
                    self.flow.archive.sync()?;
                }
                () = sleep_until(self.rest_at.unwrap_or(never)), if self.rest_at.is_some() => {
                    self.rest_at = None;
                    if !self.rest(inbox).await? {
                        return Ok(Ended::Again);
                    }
                }
                () = sleep_until(self.contact_at) => return Ok(Ended::Again),
            }
        }
    }

    /// Takes in what has arrived; answers false where the stream has ended because another roster is current: signing in
    /// tells whether this device is still listed.
    async fn hear(&mut self, told: Told<'_>) -> Result<bool> {
        let came = match self.hints.take().await {
            Err(refused) if refused.reason == Reason::TokenExpired => return Ok(false),
            Err(refused) => return Err(CallError::from(refused).into_error(&self.flow.vault.session.identity)),
            Ok(hint) => {
                let mut shown = |archive: &Archive, rows| told(News::Coming { rows, archive });
                self.flow.take_hint(hint, Some(&mut shown)).await?
            }
        };
        self.happened();
        if came > 0 {
            told(News::Came(came));
        }
        Ok(true)
    }

    /// Puts off what is less urgent.
    fn happened(&mut self) {
        let part = u32::from(u16::from_le_bytes(draw(&mut self.flow.entropy())));
        let by = *self.settle_by.get_or_insert_with(|| after(DURABLE));
        self.settle_at = Some(by.min(after(SETTLE)));
        self.rest_at = Some(after(IDLE + IDLE * part / u32::from(u16::MAX)));
    }

    /// Attachments, then a fold if the log's tail is long. Gives way to anything that comes; answers false where it had
    /// to be broken off, so that the state of the log must be read again.
    async fn rest(&mut self, inbox: &mut Inbox) -> Result<bool> {
        let whole = self.flow.work.clone();
        if self.media_is_due()? {
            let (work, stop) = whole.stoppable();
            self.flow.work = work;
            let urgent = urgent(inbox, &mut self.hints, &whole);
            let done = beside(self.flow.push_media(), urgent, || stop.cancel()).await;
            self.flow.work = whole.clone();
            match done {
                None => return Ok(false),
                Some(Err(Error::Cancelled)) => return Ok(true),
                Some(done) => drop(done?),
            }
            self.chores.media_went();
        }
        let now = after(Duration::ZERO);
        let gathers = self.options.gathers && self.chores.gather_due(now);
        let urgent = urgent(inbox, &mut self.hints, &whole);
        let flow = &mut self.flow;
        let tidy = async move {
            flow.purge().await?;
            flow.fold(false).await?;
            if gathers { flow.gather().await.map(drop) } else { Ok(()) }
        };
        match beside(tidy, urgent, || {}).await {
            None => return Ok(false),
            Some(done) => done?,
        }
        if gathers {
            self.chores.gathered(now);
        }
        Ok(true)
    }

    /// Whether attachments go out now; otherwise the rest comes again when they do.
    fn media_is_due(&mut self) -> Result<bool> {
        let counts = self.flow.archive.counts()?;
        if counts.waiting == 0 {
            self.chores.media_went();
            return Ok(false);
        }
        let now = after(Duration::ZERO);
        let due = self.chores.media_due(counts.waiting_bytes, self.options.media_wait, now);
        // What is too long for its row is read by others as soon as it is there, like any text.
        if due <= now || self.flow.archive.long_text_waits()? {
            return Ok(true);
        }
        self.rest_at = Some(due);
        Ok(false)
    }
}

/// Waits for anything that shall not wait.
async fn urgent(inbox: &mut Inbox, hints: &mut Hints, work: &Work) {
    tokio::select! {
        biased;
        () = inbox.arrived() => {}
        () = hints.arrived() => {}
        () = stopped(work) => {}
    }
}

/// Does a piece of work; once something urgent is there it is asked to stop and, if it goes on too long, broken off.
async fn beside<T>(work: impl Future<Output = T>, urgent: impl Future<Output = ()>, stop: impl FnOnce()) -> Option<T> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return Some(done),
        () = urgent => stop(),
    }
    timeout(REST_PATIENCE, work).await.ok()
}
