//! Making an account: its keys, its slots, and the first ROSTER with this device.

use proto::v1;
use proto::wire::header::Leaf;
use proto::wire::roster::accept_first;
use proto::wire::slot::AccountName;
use proto::wire::tree::{EMPTY, Frontier};

use super::advance::{repeated, to_wire, unmade};
use super::gate::Gate;
use super::install::Joined;
use super::passphrase::{Enrolled, Enrolment, judge};
use super::session::malformed;
use super::slots::{SlotCopy, Slots};
use super::{Identity, Ring, Session, Vault, Where};
use crate::crypto::opaque::Cost;
use crate::crypto::passphrase::Passphrase;
use crate::crypto::roster::{Label, LogPlace, Plan};
use crate::crypto::slot::SlotPlace;
use crate::crypto::{DeviceKeys, Entropy, Keyring, RecoveryKey, Root, SealedRecord, account_of};
use crate::error::{Error, Result};
use crate::ids::AccountId;
use crate::log::LogState;

/// The incarnation every log begins with.
const FIRST_INCARNATION: u32 = 1;

impl Vault {
    /// Creates the account. Nothing is written on this machine.
    ///
    /// `recovery` is a new key of the caller's, who keeps it where it is not lost before asking for this: after
    /// [`Error::AnswerLost`] the account may exist and be opened by it. `cost` is what the passphrase is stretched at; without it,
    /// what the server offers.
    pub async fn register(
        at: Where,
        name: AccountName,
        passphrase: Passphrase,
        recovery: Option<&RecoveryKey>,
        label: Label,
        invite: Option<[u8; 16]>,
        cost: Option<Cost>,
    ) -> Result<Joined> {
        judge(&passphrase, &[name.as_str(), at.connector.server(), &label.name])?;
        let gate = Gate::connect(&at, name).await?;
        let invite: Vec<u8> = invite.map(Vec::from).unwrap_or_default();
        let enrolled = enrol(&gate, passphrase, &invite, cost).await?;
        let mut entropy = at.env.entropy.clone();
        let device = DeviceKeys::generate(&mut entropy);
        let new = NewAccount::make(&gate.name, &enrolled, recovery, &device, label, &mut entropy)?;
        let request = v1::RegisterFinishRequest {
            name: gate.name.as_str().to_owned(),
            invite: invite.into(),
            roster: Some(to_wire(&new.first)),
            slots: new.slots.to_wire(),
        };
        let answer = repeated(|| {
            let (remote, request) = (gate.remote.clone(), request.clone());
            async move { remote.register_finish(request).await }
        });
        let answer = answer.await.map_err(|r| gate.unanswered(r))?;
        if answer.index != 0 {
            return Err(malformed("the first roster was placed where it cannot be"));
        }
        new.joined(at, gate, device, answer.server_time_ms)
    }
}

async fn enrol(gate: &Gate, passphrase: Passphrase, invite: &[u8], cost: Option<Cost>) -> Result<Enrolled> {
    let enrolment = Enrolment::start(passphrase, gate.env.entropy.clone())?;
    let request = v1::RegisterStartRequest {
        name: gate.name.as_str().to_owned(),
        opaque_request: enrolment.request().to_vec().into(),
        invite: invite.to_vec().into(),
        token: Default::default(),
    };
    let answer = gate.remote.register_start(request).await.map_err(|r| gate.error(r))?;
    enrolment.finish(answer, cost, gate).await
}

/// An account that is about to exist.
struct NewAccount {
    account: AccountId,
    first: SealedRecord,
    slots: Slots,
    known_key: [u8; 32],
}

impl NewAccount {
    fn make(
        name: &AccountName,
        enrolled: &Enrolled,
        recovery: Option<&RecoveryKey>,
        device: &DeviceKeys,
        label: Label,
        entropy: &mut dyn Entropy,
    ) -> Result<Self> {
        let (root, keyring) = (Root::generate(entropy), Keyring::generate(entropy));
        let known_key = root.signer().verifying_key();
        let account = account_of(&known_key);
        let at = SlotPlace { account, name: name.clone(), generation: 1, root_generation: 1 };
        let mut slots = vec![SlotCopy::passphrase(&at, enrolled, &root, entropy)];
        slots.extend(recovery.map(|key| SlotCopy::recovery(&at, key, &root, entropy)));
        let mut plan = Plan {
            account,
            version: 1,
            root_generation: 1,
            ended: false,
            slots: slots.iter().map(|s| s.listed(1)).collect(),
            active: Vec::new(),
            gone: Vec::new(),
            rest: Default::default(),
        };
        plan.join(device.public().clone(), label);
        let draft = plan.draft(&root, &keyring, entropy).map_err(unmade)?;
        let internal = |what: &str| Error::Internal(format!("the first roster would be refused: {what}"));
        let joiner = device.join(draft.content()).map_err(|_| internal("it lacks this device"))?;
        let place = LogPlace { incarnation: FIRST_INCARNATION, seen_size: 0, seen_root: EMPTY, agreed: 0 };
        let first = draft.sign(&place, &root, &keyring, None, Some(joiner), entropy).map_err(unmade)?;
        accept_first(&first.record, &first.body).map_err(|e| internal(&e.to_string()))?;
        Ok(Self { account, first, slots: Slots::new(slots), known_key })
    }

    fn joined(self, at: Where, gate: Gate, device: DeviceKeys, server_time: u64) -> Result<Joined> {
        let Self { account, first, slots, known_key } = self;
        let SealedRecord { record, body } = first;
        let leaf = Leaf { record: record.clone(), server_time };
        let ring = Ring::new(record, body, 0, vec![known_key], &device)
            .map_err(|_| Error::Internal("the first roster does not open here".to_owned()))?;
        let mut frontier = Frontier::default();
        frontier.append(leaf.hash());
        let log = LogState {
            incarnation: FIRST_INCARNATION,
            frontier,
            server_time,
            roster: ring.roster().clone(),
            devices: std::collections::BTreeMap::new(),
            head: None,
        };
        let Gate { server, server_name, name, .. } = gate;
        let session = Session::new(at, Identity { server, server_name, name, account }, device);
        Ok(Joined { session, ring, log, slots: Some(slots), history: false })
    }
}
