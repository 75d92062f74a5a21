//! Rows in memory, in plain sorted maps: the reference for the stores that keep them on disk, and the store of tests.

mod rows;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::roster::SlotKind;
use proto::wire::slot::AccountName;
use proto::wire::tree::Hash;

use super::run::Transactions;
use super::tables::{AccountRow, DeviceRow, GuessRow, LogRow, MirrorRow, PackRow, PermitRow, RosterRow, Tables};
use super::{Invite, MirrorObject, Once, Result, SlotBytes};

/// The store in memory. A transaction works on a copy that shares what it does not touch, and replaces the state whole.
#[derive(Default)]
pub struct Model {
    state: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    accounts: BTreeMap<AccountId, Arc<Account>>,
    names: BTreeMap<AccountName, AccountId>,
    guesses: BTreeMap<[u8; 32], GuessRow>,
    once: BTreeMap<(Once, [u8; 32]), (Vec<u8>, u64)>,
    invites: BTreeMap<[u8; 32], Invite>,
}

#[derive(Clone)]
struct Account {
    row: AccountRow,
    devices: BTreeMap<DeviceId, DeviceRow>,
    log: Vec<LogRow>,
    by_counter: BTreeMap<(DeviceId, u64), u64>,
    leaf_hashes: BTreeMap<u64, Bytes>,
    nodes: BTreeMap<(u32, u64), Hash>,
    rosters: BTreeMap<u64, RosterRow>,
    slots: BTreeMap<SlotKind, SlotBytes>,
    packs: BTreeMap<PackId, PackRow>,
    permits: BTreeMap<[u8; 64], PermitRow>,
    mirror: BTreeMap<MirrorObject, MirrorRow>,
}

impl Model {
    pub fn new() -> Self {
        Self::default()
    }

    fn snapshot(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Transactions for Model {
    async fn write<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut dyn Tables) -> Result<R> + Send + 'static,
    {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = state.clone();
        let result = work(&mut next)?;
        *state = next;
        Ok(result)
    }

    async fn read<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut dyn Tables) -> Result<R> + Send + 'static,
    {
        work(&mut self.snapshot())
    }
}
