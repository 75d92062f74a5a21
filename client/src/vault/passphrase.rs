//! Choosing a passphrase: judged here, then enrolled with OPAQUE.

use proto::v1;
use proto::wire::slot::Argon2Cost;

use super::gate::{Gate, opaque_failed, stretched};
use super::session::malformed;
use crate::crypto::opaque::{Bounds, Cost, Registered, Registration, Terms};
use crate::crypto::passphrase::Passphrase;
use crate::env::SharedEntropy;
use crate::error::{Error, Result};

/// A passphrase the service can be asked for, and the key it gives.
pub(super) struct Enrolled {
    pub registered: Registered,
    pub credential_id: [u8; 32],
    pub cost: Cost,
}

/// An enrolment begun.
pub(super) struct Enrolment {
    state: Registration,
    entropy: SharedEntropy,
    request: Vec<u8>,
}

/// Refuses a passphrase that would be guessed; `known` is what a guesser knows anyway.
pub(super) fn judge(passphrase: &Passphrase, known: &[&str]) -> Result<()> {
    passphrase.judge(known).map_err(|weak| Error::WeakPassphrase { reason: weak.to_string() })
}

/// Holds a cost that a server states to the bounds of this client.
pub(super) fn held(bounds: Bounds, stated: &[u8], server: &str) -> Result<Cost> {
    let offered = Argon2Cost::decode(stated).map_err(|_| malformed("a cost cannot be read"))?;
    bounds.accept(offered).map_err(|e| Error::Version { server: server.to_owned(), detail: e.to_string() })
}

impl Enrolment {
    pub fn start(passphrase: Passphrase, mut entropy: SharedEntropy) -> Result<Self> {
        let started = Registration::start(passphrase, &mut entropy);
        let (state, request) = started.map_err(|e| Error::Internal(e.to_string()))?;
        Ok(Self { state, entropy, request: request.to_vec() })
    }

    /// What the service evaluates.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Finishes with the service's answer, at a cost that was chosen or else the one the service offers.
    pub async fn finish(
        self,
        answer: v1::RegisterStartResponse,
        chosen: Option<Cost>,
        gate: &Gate,
    ) -> Result<Enrolled> {
        let v1::RegisterStartResponse { opaque_response, credential_id, argon2 } = answer;
        let credential_id = credential_id[..].try_into().map_err(|_| malformed("a credential id has no 32 bytes"))?;
        let cost = match chosen {
            Some(cost) => cost,
            None => held(gate.bounds, &argon2, &gate.server)?,
        };
        let (server_name, name) = (gate.server_name.clone(), gate.name.clone());
        let Self { state, mut entropy, request: _ } = self;
        let registered = stretched(move || {
            let terms = Terms { server_name: &server_name, name: &name, cost };
            state.finish(&opaque_response, &terms, &mut entropy)
        });
        Ok(Enrolled { registered: registered.await?.map_err(opaque_failed)?, credential_id, cost })
    }
}
