//! The device's half of OPAQUE (RFC 9807: ristretto255, SHA-512, Argon2id). The only module that imports `opaque-ke`.
//!
//! The service never receives the passphrase nor anything it could be guessed from without the OPRF seed. Bytes cross
//! this module's border, the library's types do not.

mod stretch;

use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, Identifiers, RegistrationResponse,
};
use proto::wire::limits::OPAQUE_RECORD_BYTES;
use proto::wire::signin::opaque_context;
use proto::wire::slot::AccountName;
use rand_core_06::{CryptoRng, RngCore};
use thiserror::Error;
use zeroize::Zeroize;

pub use stretch::{Bounds, Cost, CostRefused};

use super::Entropy;
use super::entropy::draw;
use super::passphrase::Passphrase;
use super::secret::Secret;

pub const REGISTRATION_REQUEST_BYTES: usize = 32;
pub const REGISTRATION_RESPONSE_BYTES: usize = 64;
pub const KE1_BYTES: usize = 96;
pub const KE2_BYTES: usize = 320;
pub const KE3_BYTES: usize = 64;

/// Opens the passphrase's slot. A registration gives a new one each time, even for the same passphrase.
pub struct ExportKey(Secret<64>);

impl ExportKey {
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Takes the key over and wipes where it stood.
    fn take(output: &mut [u8]) -> Result<Self, OpaqueError> {
        let bytes: &[u8; 64] = (&*output).try_into().map_err(|_| OpaqueError::Malformed)?;
        let key = Self(Secret::copied(bytes));
        output.zeroize();
        Ok(key)
    }

    #[cfg(test)]
    pub(super) fn for_tests(bytes: [u8; 64]) -> Self {
        Self(Secret::copied(&bytes))
    }
}

/// Between whom the passphrase is proved, and at which cost it is stretched.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub server_name: &'a str,
    pub name: &'a AccountName,
    pub cost: Cost,
}

#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpaqueError {
    #[error("the passphrase does not open this account")]
    WrongPassphrase,
    #[error("the service's answer is not of OPAQUE's form")]
    Malformed,
    #[error("there is not enough memory to stretch the passphrase")]
    OutOfMemory,
}

/// A registration begun.
pub struct Registration {
    state: ClientRegistration<Suite>,
    passphrase: Passphrase,
}

/// A registration's result: what the service stores, and the key for the slot.
pub struct Registered {
    pub record: [u8; OPAQUE_RECORD_BYTES],
    pub export_key: ExportKey,
}

impl Registration {
    pub fn start(
        passphrase: Passphrase,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, [u8; REGISTRATION_REQUEST_BYTES]), OpaqueError> {
        let started = ClientRegistration::start(&mut AsRng06(entropy), passphrase.bytes())?;
        let request = exactly(&started.message.serialize())?;
        Ok((Self { state: started.state, passphrase }, request))
    }

    pub fn finish(
        self,
        response: &[u8],
        terms: &Terms<'_>,
        entropy: &mut dyn Entropy,
    ) -> Result<Registered, OpaqueError> {
        if response.len() != REGISTRATION_RESPONSE_BYTES {
            return Err(OpaqueError::Malformed);
        }
        let response = RegistrationResponse::deserialize(response)?;
        let parameters = ClientRegistrationFinishParameters::new(terms.identifiers(), Some(&terms.cost));
        let passphrase = self.passphrase.bytes();
        let mut finished = self.state.finish(&mut AsRng06(entropy), passphrase, response, parameters)?;
        let record = exactly(&finished.message.serialize())?;
        Ok(Registered { record, export_key: ExportKey::take(&mut finished.export_key)? })
    }
}

/// A login begun.
pub struct Login {
    state: ClientLogin<Suite>,
    passphrase: Passphrase,
}

/// A login's result: what proves the passphrase to the service, and the key for the slot.
pub struct LoggedIn {
    pub ke3: [u8; KE3_BYTES],
    pub export_key: ExportKey,
}

impl Login {
    pub fn start(passphrase: Passphrase, entropy: &mut dyn Entropy) -> Result<(Self, [u8; KE1_BYTES]), OpaqueError> {
        let started = ClientLogin::start(&mut AsRng06(entropy), passphrase.bytes())?;
        let ke1 = exactly(&started.message.serialize())?;
        Ok((Self { state: started.state, passphrase }, ke1))
    }

    pub fn finish(self, ke2: &[u8], terms: &Terms<'_>, entropy: &mut dyn Entropy) -> Result<LoggedIn, OpaqueError> {
        if ke2.len() != KE2_BYTES {
            return Err(OpaqueError::Malformed);
        }
        let ke2 = CredentialResponse::deserialize(ke2)?;
        let context = opaque_context(terms.server_name, &terms.cost.get());
        let parameters = ClientLoginFinishParameters::new(Some(&context), terms.identifiers(), Some(&terms.cost));
        let mut finished = self.state.finish(&mut AsRng06(entropy), self.passphrase.bytes(), ke2, parameters)?;
        // Tokens identify a session here; the key exchange's own session key has no use.
        finished.session_key.as_mut_slice().zeroize();
        let ke3 = exactly(&finished.message.serialize())?;
        Ok(LoggedIn { ke3, export_key: ExportKey::take(&mut finished.export_key)? })
    }
}

struct Suite;

impl CipherSuite for Suite {
    type OprfCs = opaque_ke::Ristretto255;
    type KeyExchange = opaque_ke::TripleDh<opaque_ke::Ristretto255, sha2_010::Sha512>;
    type Ksf = Cost;
}

impl<'a> Terms<'a> {
    fn identifiers(&self) -> Identifiers<'a> {
        Identifiers { client: Some(self.name.as_str().as_bytes()), server: Some(self.server_name.as_bytes()) }
    }
}

impl From<opaque_ke::errors::ProtocolError> for OpaqueError {
    fn from(e: opaque_ke::errors::ProtocolError) -> Self {
        use opaque_ke::errors::{InternalError, ProtocolError};
        match e {
            ProtocolError::InvalidLoginError => Self::WrongPassphrase,
            ProtocolError::LibraryError(InternalError::KsfError) => Self::OutOfMemory,
            _ => Self::Malformed,
        }
    }
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], OpaqueError> {
    bytes.try_into().map_err(|_| OpaqueError::Malformed)
}

/// Our randomness in the form `opaque-ke` asks for.
struct AsRng06<'a>(&'a mut dyn Entropy);

impl CryptoRng for AsRng06<'_> {}

impl RngCore for AsRng06<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(draw(self.0))
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(draw(self.0))
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
mod tests;
