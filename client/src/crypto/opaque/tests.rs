//! The device's half against a service's half written here from RFC 9807's roles.

use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload, ServerLogin,
    ServerLoginParameters, ServerRegistration, ServerSetup,
};
use proto::wire::slot::Argon2Cost;

use super::*;
use crate::crypto::entropy::fixed::Fixed;

/// The service stretches with the identity: Argon2id is the device's work.
struct ServiceSuite;

impl CipherSuite for ServiceSuite {
    type OprfCs = opaque_ke::Ristretto255;
    type KeyExchange = opaque_ke::TripleDh<opaque_ke::Ristretto255, sha2_010::Sha512>;
    type Ksf = opaque_ke::ksf::Identity;
}

struct Service {
    setup: ServerSetup<ServiceSuite>,
    record: [u8; OPAQUE_RECORD_BYTES],
}

const ID: [u8; 32] = [9; 32];

fn name() -> AccountName {
    AccountName::new("ana").unwrap()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

fn terms<'a>(server_name: &'a str, name: &'a AccountName) -> Terms<'a> {
    Terms { server_name, name, cost: Cost::CHEAP_FOR_TESTS }
}

fn register(text: &str, entropy: &mut Fixed) -> (Service, ExportKey) {
    let setup = ServerSetup::<ServiceSuite>::new(&mut AsRng06(entropy));
    let (registration, request) = Registration::start(passphrase(text), entropy).unwrap();
    let request = RegistrationRequest::deserialize(&request).unwrap();
    let response = ServerRegistration::start(&setup, request, &ID).unwrap().message.serialize();
    let done = registration.finish(&response, &terms("vault", &name()), entropy).unwrap();
    (Service { setup, record: done.record }, done.export_key)
}

impl Service {
    /// Runs a login of `text`; the service expects the terms it was registered under.
    fn login(&self, text: &str, terms: &Terms<'_>, entropy: &mut Fixed) -> Result<ExportKey, OpaqueError> {
        let (login, ke1) = Login::start(passphrase(text), entropy)?;
        let record = ServerRegistration::finish(RegistrationUpload::deserialize(&self.record).unwrap());
        let request = CredentialRequest::deserialize(&ke1).unwrap();
        let context = opaque_context("vault", &Cost::CHEAP_FOR_TESTS.get());
        let identifiers = Identifiers { client: Some(b"ana"), server: Some(b"vault") };
        let parameters = || ServerLoginParameters { context: Some(&context), identifiers };
        let rng = &mut AsRng06(entropy);
        let started = ServerLogin::start(rng, &self.setup, Some(record), request, &ID, parameters()).unwrap();
        let done = login.finish(&started.message.serialize(), terms, entropy)?;
        let ke3 = CredentialFinalization::deserialize(&done.ke3).unwrap();
        started.state.finish(ke3, parameters()).map_err(|_| OpaqueError::WrongPassphrase)?;
        Ok(done.export_key)
    }
}

#[test]
fn the_passphrase_gives_the_registrations_key() {
    let mut entropy = Fixed::new("opaque");
    let (service, key) = register("lantern quiet copper", &mut entropy);
    let name = name();
    let again = service.login("lantern quiet copper", &terms("vault", &name), &mut entropy).unwrap();
    assert_eq!(key.bytes(), again.bytes());
    assert_eq!(key.bytes().len(), 64);
}

#[test]
fn text_is_normalised_before_it_is_used() {
    let mut entropy = Fixed::new("opaque");
    let (service, key) = register("café ﬁve stone", &mut entropy);
    let name = name();
    let again = service.login("cafe\u{301} five stone\n", &terms("vault", &name), &mut entropy).unwrap();
    assert_eq!(key.bytes(), again.bytes());
}

#[test]
fn registering_the_same_passphrase_again_gives_another_key() {
    let mut entropy = Fixed::new("opaque");
    let (_, first) = register("lantern quiet copper", &mut entropy);
    let (_, second) = register("lantern quiet copper", &mut entropy);
    assert_ne!(first.bytes(), second.bytes());
}

#[test]
fn anything_else_is_refused() {
    let mut entropy = Fixed::new("opaque");
    let (service, _) = register("lantern quiet copper", &mut entropy);
    let (ana, bob) = (name(), AccountName::new("bob").unwrap());
    let mut login = |text: &str, terms: &Terms<'_>| service.login(text, terms, &mut entropy).err();
    let wrong = Some(OpaqueError::WrongPassphrase);
    assert_eq!(login("lantern quiet silver", &terms("vault", &ana)), wrong);
    assert_eq!(login("lantern quiet copper", &terms("elsewhere", &ana)), wrong);
    assert_eq!(login("lantern quiet copper", &terms("vault", &bob)), wrong);
    let dearer = Bounds::FOR_TESTS.accept(Argon2Cost { memory_kib: 128, passes: 1, lanes: 1 }).unwrap();
    assert_eq!(login("lantern quiet copper", &Terms { cost: dearer, ..terms("vault", &ana) }), wrong);
    assert_eq!(login("lantern quiet copper", &terms("vault", &ana)), None);
}

#[test]
fn answers_of_another_form_are_refused() {
    let mut entropy = Fixed::new("opaque");
    let name = name();
    for answer in [&[][..], &[0; 64], &[0xff; 64], &[0; 320], &[0xff; 320], &[1; 319], &[1; 1000]] {
        let (login, _) = Login::start(passphrase("x"), &mut entropy).unwrap();
        let failed = login.finish(answer, &terms("vault", &name), &mut entropy).err();
        assert!(failed.is_some());
        let (registration, _) = Registration::start(passphrase("x"), &mut entropy).unwrap();
        assert_eq!(
            registration.finish(answer, &terms("vault", &name), &mut entropy).err(),
            Some(OpaqueError::Malformed)
        );
    }
}
