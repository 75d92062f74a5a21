//! What comes from elsewhere in this process while a device is in live exchange: events to keep, and the wish to have
//! the home.

use tokio::sync::{mpsc, oneshot};

use super::chores::Chores;
use crate::error::{Error, Result};
use crate::event::{Chat, Row};
use crate::ids::EventId;

/// Events that wait to be kept; whoever brings more waits until there is room.
const ORDERS_MAX: usize = 1024;

/// Gives events to a live exchange. Clones give to the same one.
#[derive(Clone)]
pub struct Recorder(mpsc::Sender<Order>);

/// Where a live exchange takes them from. It outlives single exchanges: what comes between two waits for the next.
pub struct Inbox {
    orders: mpsc::Receiver<Order>,
    next: Option<Order>,
    /// Stays until the exchange has ended, whatever fails meanwhile.
    release: bool,
    /// What the exchange before left to do.
    pub(super) chores: Chores,
}

pub(super) enum Order {
    Record(Box<Event>),
    /// Somebody else wants to write: the exchange ends as soon as it can.
    Release,
}

/// An event on its way into the archive.
pub(super) struct Event {
    pub chat: Chat,
    pub row: Row,
    /// Answered once it is durable.
    pub kept: oneshot::Sender<Result<EventId>>,
}

impl Inbox {
    pub fn new() -> (Recorder, Self) {
        let (sender, orders) = mpsc::channel(ORDERS_MAX);
        (Recorder(sender), Self { orders, next: None, release: false, chores: Chores::default() })
    }

    /// Waits until something is there; takes nothing out. Without anybody who could send it waits for ever.
    pub(super) async fn arrived(&mut self) {
        if self.release {
            return;
        }
        if self.next.is_none() {
            self.next = self.orders.recv().await;
        }
        if self.next.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes the events that are there now, at most `most`.
    pub(super) fn take(&mut self, most: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < most {
            match self.next.take().or_else(|| self.orders.try_recv().ok()) {
                Some(Order::Record(event)) => events.push(*event),
                Some(Order::Release) => {
                    self.release = true;
                    break;
                }
                None => break,
            }
        }
        events
    }

    /// Whether the home is wanted, as far as orders have been taken or are next.
    pub(super) fn is_wanted(&self) -> bool {
        self.release || matches!(self.next, Some(Order::Release))
    }

    /// The exchange has ended: the next one begins without the wish.
    pub(super) fn ended(&mut self) {
        self.release = false;
        self.next.take_if(|order| matches!(order, Order::Release));
    }
}

impl Recorder {
    /// Keeps an event and answers its id. It is durable when this returns; it is in the log, and with the account's
    /// other devices, as soon as the service can be reached.
    ///
    /// What waits while a request is under way goes into the next one.
    pub async fn record(&self, chat: Chat, row: Row) -> Result<EventId> {
        let (kept, answer) = oneshot::channel();
        let ended = || Error::Archive("the exchange ended before the event was kept".to_owned());
        self.0.send(Order::Record(Box::new(Event { chat, row, kept }))).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Asks the exchange to end where everything done is kept.
    pub async fn release(&self) {
        // Where no exchange is left there is nothing to end.
        let _ = self.0.send(Order::Release).await;
    }
}
