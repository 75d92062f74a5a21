//! The service's half of OPAQUE (RFC 9807: ristretto255, SHA-512). The only module that imports `opaque-ke`.
//!
//! The service's suite stretches with the identity function: Argon2id runs on the device, between two messages the
//! service never sees. Bytes cross this module's border, types do not.

use opaque_ke::{
    CipherSuite, CredentialFinalization, CredentialRequest, Identifiers, RegistrationRequest, RegistrationUpload,
    ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup,
};
use proto::wire::limits::OPAQUE_RECORD_BYTES;
use rand_core_06::{CryptoRng, RngCore};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::env::Entropy;

pub const SETUP_BYTES: usize = 128;
pub const REGISTRATION_REQUEST_BYTES: usize = 32;
pub const REGISTRATION_RESPONSE_BYTES: usize = 64;
pub const KE1_BYTES: usize = 96;
pub const KE2_BYTES: usize = 320;
pub const KE3_BYTES: usize = 64;

struct Suite;

impl CipherSuite for Suite {
    type OprfCs = opaque_ke::Ristretto255;
    type KeyExchange = opaque_ke::TripleDh<opaque_ke::Ristretto255, sha2_010::Sha512>;
    type Ksf = opaque_ke::ksf::Identity;
}

/// Why a message was refused.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    #[error("a message is not of OPAQUE's form")]
    Malformed,
    #[error("the passphrase was not proved")]
    NotProved,
}

/// OPRF seed and the service's key pair. Losing it locks every passphrase out; with the records it allows guessing.
pub struct Setup(ServerSetup<Suite>);

/// What both sides must agree on besides the passphrase.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub context: &'a [u8],
    pub client: &'a [u8],
    pub server: &'a [u8],
}

/// The answer to KE1, and what must be kept until KE3.
pub struct Started {
    pub ke2: [u8; KE2_BYTES],
    pub state: Zeroizing<Vec<u8>>,
}

impl Setup {
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(ServerSetup::new(&mut Rng(entropy)))
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        if bytes.len() != SETUP_BYTES {
            return Err(Refused::Malformed);
        }
        ServerSetup::deserialize(bytes).map(Self).map_err(|_| Refused::Malformed)
    }

    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut array = self.0.serialize();
        let bytes = Zeroizing::new(array.to_vec());
        array.as_mut_slice().zeroize();
        bytes
    }

    /// Evaluates the OPRF for a registration under a credential id.
    pub fn register(
        &self,
        credential_id: &[u8; 32],
        request: &[u8],
    ) -> Result<[u8; REGISTRATION_RESPONSE_BYTES], Refused> {
        if request.len() != REGISTRATION_REQUEST_BYTES {
            return Err(Refused::Malformed);
        }
        let request = RegistrationRequest::deserialize(request).map_err(|_| Refused::Malformed)?;
        let started = ServerRegistration::start(&self.0, request, credential_id).map_err(|_| Refused::Malformed)?;
        started.message.serialize().as_slice().try_into().map_err(|_| Refused::Malformed)
    }

    /// Answers KE1. Without a record the answer looks and costs alike, and no KE3 fits it.
    pub fn login_start(
        &self,
        entropy: &dyn Entropy,
        record: Option<&[u8; OPAQUE_RECORD_BYTES]>,
        credential_id: &[u8; 32],
        ke1: &[u8],
        terms: Terms<'_>,
    ) -> Result<Started, Refused> {
        if ke1.len() != KE1_BYTES {
            return Err(Refused::Malformed);
        }
        let request = CredentialRequest::deserialize(ke1).map_err(|_| Refused::Malformed)?;
        let record = record.map(|r| record_from(r)).transpose()?;
        let started =
            ServerLogin::start(&mut Rng(entropy), &self.0, record, request, credential_id, terms.parameters())
                .map_err(|_| Refused::Malformed)?;
        let ke2 = started.message.serialize().as_slice().try_into().map_err(|_| Refused::Malformed)?;
        Ok(Started { ke2, state: Zeroizing::new(started.state.serialize().to_vec()) })
    }
}

/// Checks KE3 against what [`Setup::login_start`] left.
pub fn login_finish(state: &[u8], ke3: &[u8], terms: Terms<'_>) -> Result<(), Refused> {
    if ke3.len() != KE3_BYTES {
        return Err(Refused::Malformed);
    }
    let state = ServerLogin::<Suite>::deserialize(state).map_err(|_| Refused::Malformed)?;
    let message = CredentialFinalization::deserialize(ke3).map_err(|_| Refused::NotProved)?;
    state.finish(message, terms.parameters()).map(drop).map_err(|_| Refused::NotProved)
}

/// Whether bytes are a registration record this suite can later log in with.
pub fn is_record(bytes: &[u8; OPAQUE_RECORD_BYTES]) -> bool {
    record_from(bytes).is_ok()
}

fn record_from(bytes: &[u8; OPAQUE_RECORD_BYTES]) -> Result<ServerRegistration<Suite>, Refused> {
    let upload = RegistrationUpload::deserialize(bytes).map_err(|_| Refused::Malformed)?;
    Ok(ServerRegistration::finish(upload))
}

impl<'a> Terms<'a> {
    fn parameters(self) -> ServerLoginParameters<'a, 'a> {
        ServerLoginParameters {
            context: Some(self.context),
            identifiers: Identifiers { client: Some(self.client), server: Some(self.server) },
        }
    }
}

/// Our randomness in the form `opaque-ke` asks for.
struct Rng<'a>(&'a dyn Entropy);

impl CryptoRng for Rng<'_> {}

impl RngCore for Rng<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(crate::env::random(self.0))
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(crate::env::random(self.0))
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core_06::Error> {
        self.0.fill(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemEntropy;
    use opaque_ke::{
        ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
        CredentialResponse, RegistrationResponse,
    };

    const TERMS: Terms<'static> = Terms { context: b"context", client: b"ana", server: b"vault" };
    const ID: [u8; 32] = [7; 32];

    fn identifiers() -> Identifiers<'static> {
        Identifiers { client: Some(TERMS.client), server: Some(TERMS.server) }
    }

    fn registered(setup: &Setup, passphrase: &[u8]) -> [u8; OPAQUE_RECORD_BYTES] {
        let mut rng = Rng(&SystemEntropy);
        let start = ClientRegistration::<Suite>::start(&mut rng, passphrase).unwrap();
        let response = setup.register(&ID, &start.message.serialize()).unwrap();
        let parameters = ClientRegistrationFinishParameters::new(identifiers(), None);
        let response = RegistrationResponse::deserialize(&response).unwrap();
        let finish = start.state.finish(&mut rng, passphrase, response, parameters).unwrap();
        finish.message.serialize().as_slice().try_into().unwrap()
    }

    /// Runs a login; tells whether each side believed the other.
    fn login(setup: &Setup, record: Option<&[u8; OPAQUE_RECORD_BYTES]>, passphrase: &[u8], context: &[u8]) -> bool {
        let mut rng = Rng(&SystemEntropy);
        let start = ClientLogin::<Suite>::start(&mut rng, passphrase).unwrap();
        let answer = setup.login_start(&SystemEntropy, record, &ID, &start.message.serialize(), TERMS).unwrap();
        let parameters = ClientLoginFinishParameters::new(Some(context), identifiers(), None);
        let ke2 = CredentialResponse::deserialize(&answer.ke2).unwrap();
        let Ok(finish) = start.state.finish(&mut rng, passphrase, ke2, parameters) else { return false };
        login_finish(&answer.state, &finish.message.serialize(), TERMS).is_ok()
    }

    #[test]
    fn the_passphrase_opens_and_nothing_else_does() {
        let setup = Setup::decode(&Setup::generate(&SystemEntropy).encode()).unwrap();
        let record = registered(&setup, b"lantern quiet copper");
        assert!(is_record(&record));
        assert!(login(&setup, Some(&record), b"lantern quiet copper", TERMS.context));
        assert!(!login(&setup, Some(&record), b"lantern quiet silver", TERMS.context));
        assert!(!login(&setup, Some(&record), b"lantern quiet copper", b"another server"));
        assert!(!login(&setup, None, b"lantern quiet copper", TERMS.context));
        assert!(!login(&Setup::generate(&SystemEntropy), Some(&record), b"lantern quiet copper", TERMS.context));
    }

    #[test]
    fn strangers_bytes_are_refused() {
        let setup = Setup::generate(&SystemEntropy);
        let record = registered(&setup, b"x");
        for bytes in [&[][..], &[0; 31], &[0xff; 32], &[0; 32], &[0xff; 96], &[0; 96], &[1; 500]] {
            assert!(setup.register(&ID, bytes).is_err());
            assert!(setup.login_start(&SystemEntropy, Some(&record), &ID, bytes, TERMS).is_err());
            assert!(login_finish(bytes, &[0; KE3_BYTES], TERMS).is_err());
            assert!(Setup::decode(bytes).is_err());
        }
        let ke1 = ClientLogin::<Suite>::start(&mut Rng(&SystemEntropy), b"x").unwrap().message.serialize();
        let kept = setup.login_start(&SystemEntropy, Some(&record), &ID, &ke1, TERMS).unwrap();
        assert_eq!(login_finish(&kept.state, &[0; KE3_BYTES], TERMS), Err(Refused::NotProved));
        assert_eq!(login_finish(&kept.state, &[], TERMS), Err(Refused::Malformed));
    }
}
