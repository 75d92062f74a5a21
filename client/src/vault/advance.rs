//! Putting a new ROSTER on top of the newest: prove the secret, make it, append it, and again when it was too late.

use std::time::Duration;

use bytes::Bytes;
use proto::v1;
use proto::v1::refusal::Reason;
use proto::wire::header::Leaf;
use proto::wire::roster::{Joiner, Roster, accept_next};

use super::gate::{Gate, Proved};
use super::session::malformed;
use super::slots::SlotCopy;
use super::verify::{Shown, Verified};
use super::{CallError, Secret};
use crate::crypto::roster::{Draft, LogPlace, Plan, RosterError};
use crate::crypto::{DeviceKeys, Entropy, Keyring, Root, RosterSigner, SealedRecord};
use crate::error::{Error, Result};
use crate::log::LogState;
use crate::remote::Refused;

/// How often a secret is proved anew because somebody else's ROSTER came first.
pub(super) const PLANS_MAX: u32 = 3;
/// How long to leave an account alone whose devices keep changing.
const CHANGING_WAIT: Duration = Duration::from_secs(5);
/// How often the same bytes are sent when no answer comes.
const SENDS_MAX: u32 = 4;
const SEND_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// A ROSTER ready to be appended.
pub(super) struct Made {
    pub sealed: SealedRecord,
    /// The slots that are new in it.
    pub slots: Vec<SlotCopy>,
    pub known_keys: Vec<[u8; 32]>,
    /// What it was made on.
    before: Roster,
    log: Shown,
}

/// What goes into a ROSTER besides its plan.
pub(super) struct Change<'a> {
    pub root: &'a Root,
    pub keyring: &'a Keyring,
    /// The root before, when it rotates.
    pub old: Option<&'a RosterSigner>,
    pub joining: Option<&'a DeviceKeys>,
    pub slots: Vec<SlotCopy>,
    pub known_keys: Vec<[u8; 32]>,
}

/// A ROSTER that the log has.
pub(super) struct Advanced {
    pub made: Made,
    pub index: u64,
    pub server_time: u64,
}

/// A ROSTER whose content is fixed; a device that joins from elsewhere signs it there.
pub(super) struct Drafted<'a> {
    draft: Draft,
    before: Roster,
    log: Shown,
    change: Change<'a>,
}

impl Made {
    /// Drafts, signs, and holds the result to the rules everybody will hold it to.
    pub fn new(plan: Plan, before: Roster, log: Shown, change: Change<'_>, entropy: &mut dyn Entropy) -> Result<Self> {
        let drafted = Drafted::new(plan, before, log, change, entropy)?;
        let joiner = drafted.change.joining.map(|device| join(device, &drafted.draft)).transpose()?;
        drafted.sign(joiner, entropy)
    }

    /// As [`new`](Self::new), where the root stays and nobody joins: what changes is in the plan and the slots.
    pub fn on(
        verified: Verified,
        root: &Root,
        plan: Plan,
        slots: Vec<SlotCopy>,
        entropy: &mut dyn Entropy,
    ) -> Result<Self> {
        let before = verified.roster().clone();
        let keyring = &verified.open.keyring;
        let known_keys = verified.known_keys;
        let change = Change { root, keyring, old: None, joining: None, slots, known_keys };
        Self::new(plan, before, verified.log, change, entropy)
    }
}

impl<'a> Drafted<'a> {
    pub fn new(plan: Plan, before: Roster, log: Shown, change: Change<'a>, entropy: &mut dyn Entropy) -> Result<Self> {
        let draft = plan.draft(change.root, change.keyring, entropy).map_err(unmade)?;
        Ok(Self { draft, before, log, change })
    }

    /// What a joining device signs.
    pub fn content(&self) -> &[u8] {
        self.draft.content()
    }

    /// Signs, and holds the result to the rules everybody will hold it to.
    pub fn sign(self, joiner: Option<Joiner>, entropy: &mut dyn Entropy) -> Result<Made> {
        let Self { draft, before, log, change } = self;
        let Change { root, keyring, old, joining: _, slots, known_keys } = change;
        let at = LogPlace {
            incarnation: log.incarnation,
            seen_size: log.frontier.size(),
            seen_root: log.frontier.root(),
            agreed: 0,
        };
        let sealed = draft.sign(&at, root, keyring, old, joiner, entropy).map_err(unmade)?;
        accept_next(&before, &sealed.record, &sealed.body)
            .map_err(|e| Error::Internal(format!("a roster made here would be refused: {e}")))?;
        Ok(Made { sealed, slots, known_keys, before, log })
    }
}

fn join(device: &DeviceKeys, draft: &Draft) -> Result<Joiner> {
    device.join(draft.content()).map_err(|_| Error::Internal("this device is not in the roster it joins by".to_owned()))
}

pub(super) fn unmade(error: RosterError) -> Error {
    match error {
        RosterError::TooManyDevices => Error::DevicesFull,
        other => Error::Internal(other.to_string()),
    }
}

impl Advanced {
    /// The log as verified at the sign-in, with this ROSTER when it follows directly.
    pub fn log_state(&self) -> LogState {
        let Made { sealed, before, log, .. } = &self.made;
        let mut state = LogState {
            incarnation: log.incarnation,
            frontier: log.frontier.clone(),
            server_time: log.server_time,
            roster: before.clone(),
            devices: std::collections::BTreeMap::new(),
            head: None,
        };
        if self.index == log.frontier.size()
            && let Ok(next) = accept_next(before, &sealed.record, &sealed.body)
        {
            let leaf = Leaf { record: sealed.record.clone(), server_time: self.server_time };
            state.frontier.append(leaf.hash());
            state.server_time = self.server_time.max(log.server_time);
            state.roster = next.roster;
        }
        state
    }
}

impl Gate {
    /// Proves the secret and appends the ROSTER that `make` makes of what was proved; begins again when the roster has
    /// moved meanwhile.
    pub async fn advance(
        &self,
        secret: &Secret,
        mut make: impl FnMut(Proved) -> Result<Made> + Send,
    ) -> Result<Advanced> {
        let mut too_late: Option<u64> = None;
        for _ in 0..PLANS_MAX {
            let proved = self.prove(secret).await?;
            let version = proved.verified.roster().version;
            overtaken(&mut too_late, version)?;
            let made = make(proved)?;
            match self.append(&made).await {
                Ok((index, server_time)) => return Ok(Advanced { made, index, server_time }),
                Err(CallError::Refused(refused)) if refused.reason == Reason::RosterMoved => too_late = Some(version),
                Err(CallError::Refused(refused)) => return Err(self.unanswered(refused)),
                Err(CallError::Error(error)) => return Err(error),
            }
        }
        Err(self.changing())
    }

    /// The account's devices keep changing it.
    pub fn changing(&self) -> Error {
        Error::Overloaded { server: self.server.clone(), wait: CHANGING_WAIT }
    }

    pub async fn append(&self, made: &Made) -> Result<(u64, u64), CallError> {
        let request = v1::AppendRequest {
            records: vec![to_wire(&made.sealed)],
            slots: made.slots.iter().map(SlotCopy::to_wire).collect(),
        };
        let answer = repeated(|| {
            let (remote, request) = (self.remote.clone(), request.clone());
            async move { remote.append(None, request).await }
        });
        match answer.await?.placed.as_slice() {
            [placed] if placed.index >= made.log.frontier.size() => Ok((placed.index, placed.server_time_ms)),
            _ => Err(malformed("a roster was placed where it cannot be").into()),
        }
    }
}

/// What was refused as overtaken cannot be the newest a moment later.
pub(super) fn overtaken(too_late: &mut Option<u64>, version: u64) -> Result<()> {
    if too_late.take().is_some_and(|old| version <= old) { Err(Error::Rollback) } else { Ok(()) }
}

/// Makes a call that may be repeated byte by byte, and repeats it while no answer comes.
pub(super) async fn repeated<T, F>(call: impl Fn() -> F) -> Result<T, Refused>
where
    F: Future<Output = Result<T, Refused>>,
{
    let mut sends = 1;
    loop {
        match call().await {
            Err(refused) if refused.is_lost() && sends < SENDS_MAX => {
                tokio::time::sleep(SEND_AGAIN_AFTER * sends).await;
                sends += 1;
            }
            other => return other,
        }
    }
}

pub(super) fn to_wire(sealed: &SealedRecord) -> v1::Record {
    v1::Record { record: Bytes::copy_from_slice(&sealed.record.encode()), body: Bytes::copy_from_slice(&sealed.body) }
}
