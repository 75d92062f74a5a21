//! Runs the client against the vectors of `write.py`, which computes them from `docs/format.md` alone.
//!
//! What this can detect: a derivation, layout or order that is not the documented one, and a flaw that is let through.
//! Each flaw is one change to a vector that holds, so a refusal cannot come from anything else.

mod calls;
mod inputs;

use std::collections::BTreeMap;
use std::path::Path;

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit};
use serde_json::{Map, Value};

use inputs::Inputs;

#[test]
fn what_must_hold_holds() {
    let vectors = read("holds");
    assert!(vectors.len() >= 40, "{} vectors", vectors.len());
    for (name, vector) in &vectors {
        let call = text(vector, "call");
        let gives = calls::run(call, &Inputs::new(object(vector, "with")));
        assert_eq!(gives.as_ref(), vector.get("gives"), "{name}: {call}");
    }
}

#[test]
fn what_must_be_refused_is_refused() {
    let (holds, vectors) = (read("holds"), read("refused"));
    assert!(vectors.len() >= 100, "{} vectors", vectors.len());
    for (name, vector) in &vectors {
        let sound = holds.get(text(vector, "of")).unwrap_or_else(|| panic!("{name} changes a vector that is there"));
        let mut with = object(sound, "with").clone();
        for (input, value) in object(vector, "changed") {
            let before = with.insert(input.clone(), value.clone());
            assert!(before.is_some_and(|b| b != *value), "{name} changes {input}");
        }
        let gives = calls::run(text(sound, "call"), &Inputs::new(&with));
        assert_eq!(gives, None, "{name}: {}", text(vector, "flaw"));
    }
}

#[test]
fn the_ciphertext_under_two_keys_is_one() {
    let name = "piece-that-opens-under-two-cipher-keys";
    let (holds, refused) = (read("holds"), read("refused"));
    let sound = Inputs::new(object(&holds[name], "with"));
    let second = Inputs::new(object(&refused[name], "changed"));
    let sealed = sound.bytes("sealed");
    let (seed, text) = (&sealed[..32], &sealed[64..]);
    let place = [&sound.bytes("pack")[..], &3u32.to_le_bytes(), &[0]].concat();
    let ad = [&[1, 2][..], &sound.bytes("account"), &place].concat();
    let plain = [sound.array::<32>("key"), second.array("key")].map(|key| {
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(b"chatkeep 2026 v1 seal\0").update(seed).update(&ad);
        let cipher = ChaCha20Poly1305::new(hasher.finalize().as_bytes().into());
        cipher.decrypt(&[0; 12].into(), text).expect("the cipher alone accepts it under either key")
    });
    assert_ne!(plain[0], plain[1]);
}

fn read(folder: &str) -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let vector = serde_json::from_slice(&std::fs::read(&path).unwrap());
        (name.clone(), vector.unwrap_or_else(|e| panic!("{name}: {e}")))
    });
    entries.collect()
}

fn text<'v>(vector: &'v Value, key: &str) -> &'v str {
    vector[key].as_str().unwrap_or_else(|| panic!("{key} is text"))
}

fn object<'v>(vector: &'v Value, key: &str) -> &'v Map<String, Value> {
    vector[key].as_object().unwrap_or_else(|| panic!("{key} is an object"))
}
