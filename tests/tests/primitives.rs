//! Holds the primitives to Project Wycheproof's vectors: the very crates and versions the client links, called with
//! the same strictness. A crate that is changed or replaced must still refuse what these files refuse.

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use ed25519_dalek::{Signature, VerifyingKey};
use wycheproof::TestResult;
use wycheproof::{aead, eddsa, hkdf as kdf, xdh};

#[test]
fn chacha20_poly1305_seals_and_refuses_as_it_must() {
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).unwrap();
    let (mut opened, mut refused) = (0, 0);
    for group in set.test_groups {
        for test in group.tests {
            // Nonces of other lengths cannot even be written down with this type; sealing here uses twelve zero bytes.
            let Ok(nonce) = <[u8; 12]>::try_from(&test.nonce[..]) else {
                assert_eq!(test.result, TestResult::Invalid, "case {}", test.tc_id);
                continue;
            };
            let cipher = ChaCha20Poly1305::new_from_slice(&test.key).unwrap();
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let open = cipher.decrypt(&nonce.into(), Payload { msg: &sealed, aad: &test.aad });
            if test.result == TestResult::Invalid {
                assert!(open.is_err(), "case {}: {}", test.tc_id, test.comment);
                refused += 1;
                continue;
            }
            assert_eq!(open.as_deref(), Ok(&test.pt[..]), "case {}", test.tc_id);
            let again = cipher.encrypt(&nonce.into(), Payload { msg: &test.pt, aad: &test.aad });
            assert_eq!(again, Ok(sealed), "case {}", test.tc_id);
            opened += 1;
        }
    }
    assert!(opened > 200 && refused > 30, "{opened} opened, {refused} refused");
}

#[test]
fn ed25519_verifies_strictly() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut held, mut refused) = (0, 0);
    for group in set.test_groups {
        let key = VerifyingKey::from_bytes(group.key.pk[..].try_into().unwrap()).unwrap();
        for test in group.tests {
            let holds = Signature::from_slice(&test.sig)
                .is_ok_and(|signature| key.verify_strict(&test.msg, &signature).is_ok());
            assert_eq!(holds, test.result == TestResult::Valid, "case {}: {}", test.tc_id, test.comment);
            if holds { held += 1 } else { refused += 1 }
        }
    }
    assert!(held > 50 && refused > 30, "{held} held, {refused} refused");
}

#[test]
fn x25519_agrees_on_every_case() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let mut agreed = 0;
    for group in set.test_groups {
        for test in group.tests {
            let secret = <[u8; 32]>::try_from(&test.private_key[..]).unwrap();
            let Ok(public) = <[u8; 32]>::try_from(&test.public_key[..]) else {
                assert_eq!(test.result, TestResult::Invalid, "case {}", test.tc_id);
                continue;
            };
            assert_ne!(test.result, TestResult::Invalid, "case {}", test.tc_id);
            let shared = x25519_dalek::x25519(secret, public);
            assert_eq!(shared[..], test.shared_secret[..], "case {}: {}", test.tc_id, test.comment);
            agreed += 1;
        }
    }
    assert!(agreed > 400, "{agreed} agreed");
}

#[test]
fn hkdf_sha256_expands_and_stops_at_its_limit() {
    let set = kdf::TestSet::load(kdf::TestName::HkdfSha256).unwrap();
    let (mut expanded, mut refused) = (0, 0);
    for group in set.test_groups {
        for test in group.tests {
            let mut out = vec![0; test.size];
            let done = hkdf::Hkdf::<sha2::Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut out);
            assert_eq!(done.is_err(), test.result == TestResult::Invalid, "case {}: {}", test.tc_id, test.comment);
            if done.is_ok() {
                assert_eq!(out, test.okm[..], "case {}", test.tc_id);
                expanded += 1;
            } else {
                refused += 1;
            }
        }
    }
    assert!(expanded > 50 && refused > 0, "{expanded} expanded, {refused} refused");
}
