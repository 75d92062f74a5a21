//! What a vector's `call` means in the client's own terms. Nothing comes back where the client refuses.

use client::crypto::pairing::{Paired, Pairing, PairingCode, PairingSide};
use client::crypto::roster::{OpenRoster, Unlock, open_roster};
use client::crypto::slot::{AccountName, SlotPlace, make_recovery_slot, open_recovery_slot};
use client::crypto::{
    ArchiveKey, ChunkKey, DeviceKeys, Digest, EpochKey, Lifetime, PackKey, PackPlace, RecoveryKey, Root, account_of,
    open_body, seal_record, sign_bare,
};
use client::event::Kind;
use client::ids::{AccountId, ChunkId, DeviceId, FileId, PackId};
use proto::wire::header::{Header, Record, RecordKind};
use proto::wire::roster::accept_first;
use serde_json::{Value, json};

use crate::inputs::{Inputs, hex};

pub fn run(call: &str, with: &Inputs<'_>) -> Option<Value> {
    Some(match call {
        "recovery key" => recovery_key(&RecoveryKey::parse(with.text("typed")).ok()?),
        "recovery key drawn" => json!({ "text": *RecoveryKey::generate(&mut with.source("fresh")).text() }),
        "root" => root(with),
        "device" => device(&DeviceKeys::import(&with.array("seeds"))),
        "device sign-in" => device_sign_in(with),
        "recovery sign-in" => recovery_sign_in(with),
        "permit" => permit(with),
        "epoch commitment" => epoch_commitment(with),
        "chat id" => id(&lifetime(with).event_key().chat(with.text("source"), with.text("conversation")).0),
        "event id" => event_id(with),
        "version mark" => json!({ "mark": lifetime(with).event_key().version_mark(&with.bytes("values")) }),
        "file id" => id(&lifetime(with).file_key().file(&with.array("content_hash"), with.number("size")).0),
        "chunk id" => id(&lifetime(with).chunk_id_key().chunk(&with.bytes("content")).0),
        "row rank" => row_rank(with),
        "digest" => digest(with),
        "pack padding" => json!({ "padding": hex(&pack_key(with).padding(&pack(with), with.number("length"))) }),
        "chunk padding" => json!({ "padding": hex(&chunk_key(with).padding(&pack(with), with.number("length"))) }),
        "seal piece" => {
            sealed(&pack_key(with).seal_piece(&piece(with), &with.bytes("content"), &mut with.source("fresh")))
        }
        "open piece" => content(&pack_key(with).open_piece(&piece(with), &with.bytes("sealed")).ok()?),
        "seal chunk" => sealed(&chunk_key(with).seal(
            &account(with),
            &ChunkId(with.array("chunk")),
            &with.bytes("content"),
            &mut with.source("fresh"),
        )),
        "open chunk" => {
            content(&chunk_key(with).open(&account(with), &ChunkId(with.array("chunk")), &with.bytes("sealed")).ok()?)
        }
        "seal media" => seal_media(with),
        "open media" => open_media(with)?,
        "make recovery slot" => make_slot(with),
        "open recovery slot" => open_slot(with)?,
        "seal record" => seal(with),
        "sign bare" => {
            let device = DeviceKeys::import(&with.array("seeds"));
            json!({ "record": hex(&sign_bare(&device, header(&with.inner("header"))).encode()) })
        }
        "open record" => open(with)?,
        "open roster by root" => by(with, Unlock::Root(&Root::generate(&mut with.source("root"))))?,
        "open roster by device" => by(with, Unlock::Device(&DeviceKeys::import(&with.array("seeds"))))?,
        "pair" => pair(with),
        "open pairing message" => pairing_message(with)?,
        other => panic!("no call is named {other}"),
    })
}

fn id(bytes: &[u8]) -> Value {
    json!({ "id": hex(bytes) })
}

fn sealed(bytes: &[u8]) -> Value {
    json!({ "sealed": hex(bytes) })
}

fn content(bytes: &[u8]) -> Value {
    json!({ "content": hex(bytes) })
}

fn signature(bytes: &[u8; 64]) -> Value {
    json!({ "signature": hex(bytes) })
}

fn account(with: &Inputs<'_>) -> AccountId {
    AccountId(with.array("account"))
}

fn pack(with: &Inputs<'_>) -> PackId {
    PackId(with.array("pack"))
}

fn lifetime(with: &Inputs<'_>) -> Lifetime {
    Lifetime::generate(&mut with.source("lifetime"))
}

fn pack_key(with: &Inputs<'_>) -> PackKey {
    PackKey::generate(&mut with.source("key"))
}

fn chunk_key(with: &Inputs<'_>) -> ChunkKey {
    ChunkKey::generate(&mut with.source("key"))
}

fn epoch_key(with: &Inputs<'_>) -> EpochKey {
    EpochKey::generate(&mut with.source("epoch_key"))
}

fn piece(with: &Inputs<'_>) -> PackPlace {
    PackPlace { account: account(with), pack: pack(with), number: with.number("number"), last: with.flag("last") }
}

fn recovery_key(key: &RecoveryKey) -> Value {
    json!({
        "text": *key.text(),
        "verifying_key": hex(&key.signer().verifying_key()),
        "slot_name": hex(&key.slot_name()),
    })
}

fn root(with: &Inputs<'_>) -> Value {
    let key = Root::generate(&mut with.source("root")).signer().verifying_key();
    json!({ "verifying_key": hex(&key), "account": hex(&account_of(&key).0) })
}

fn device(keys: &DeviceKeys) -> Value {
    json!({
        "id": hex(&keys.id().0),
        "verifying_key": hex(&keys.public().verifying_key),
        "encapsulation_key": hex(&keys.public().kem_key[..]),
    })
}

fn device_sign_in(with: &Inputs<'_>) -> Value {
    let keys = DeviceKeys::import(&with.array("seeds"));
    signature(&keys.sign_in(with.text("server"), &account(with), &with.array("nonce")))
}

fn recovery_sign_in(with: &Inputs<'_>) -> Value {
    let signer = RecoveryKey::parse(with.text("typed")).expect("the vector's own key").signer();
    signature(&signer.sign_in(with.text("server"), &name(with.text("name")), &with.array("nonce")))
}

fn permit(with: &Inputs<'_>) -> Value {
    let signer = Root::generate(&mut with.source("root")).signer();
    let (version, bytes, last_day) = (with.number("roster_version"), with.number("bytes"), with.number("last_day"));
    signature(&signer.permit(&account(with), version, bytes, last_day).signature)
}

fn epoch_commitment(with: &Inputs<'_>) -> Value {
    json!({ "commitment": hex(&epoch_key(with).commitment(&account(with), with.number("epoch"))) })
}

fn event_id(with: &Inputs<'_>) -> Value {
    let class = Kind(with.number("kind")).id_class();
    let key = lifetime(with).event_key();
    id(&key.event(with.text("source"), with.text("conversation"), class, with.text("native")).0)
}

fn row_rank(with: &Inputs<'_>) -> Value {
    let key = lifetime(with).digest_key();
    json!({ "rank": hex(&key.row(with.text("source"), with.text("conversation"), &with.bytes("row"))) })
}

fn digest(with: &Inputs<'_>) -> Value {
    let key = lifetime(with).digest_key();
    let term = |row: &Vec<u8>| key.term(with.text("source"), with.text("conversation"), row);
    let mut digest = Digest::default();
    with.list("add").iter().for_each(|row| digest.add(&term(row)));
    with.list("remove").iter().for_each(|row| digest.remove(&term(row)));
    json!({ "hash": hex(&digest.hash()) })
}

fn seal_media(with: &Inputs<'_>) -> Value {
    let key = ArchiveKey::generate(&mut with.source("key"));
    let (file, number, last) = (FileId(with.array("file")), with.number("number"), with.flag("last"));
    let fresh = &mut with.source("fresh");
    sealed(&key.seal_block(&account(with), &file, number, last, &with.bytes("content"), fresh))
}

fn open_media(with: &Inputs<'_>) -> Option<Value> {
    let key = ArchiveKey::generate(&mut with.source("key"));
    let (file, number, last) = (FileId(with.array("file")), with.number("number"), with.flag("last"));
    Some(content(&key.open_block(&account(with), &file, number, last, &with.bytes("sealed")).ok()?))
}

fn name(text: &str) -> AccountName {
    AccountName::new(text).expect("the vector's own name")
}

fn make_slot(with: &Inputs<'_>) -> Value {
    let place = SlotPlace {
        account: account(with),
        name: name(with.text("name")),
        generation: with.number("generation"),
        root_generation: with.number("root_generation"),
    };
    let key = RecoveryKey::generate(&mut with.source("recovery"));
    let root = Root::generate(&mut with.source("root"));
    json!({ "slot": hex(&make_recovery_slot(&place, &key, &root, &mut with.source("fresh"))) })
}

fn open_slot(with: &Inputs<'_>) -> Option<Value> {
    let key = RecoveryKey::parse(with.text("typed")).expect("the vector's own key");
    let name = with.text_or_none("name").map(name);
    let slot = open_recovery_slot(&with.bytes("slot"), name.as_ref(), &key).ok()?;
    Some(json!({
        "account": hex(&slot.prefix.account.0),
        "generation": slot.prefix.generation,
        "root_generation": slot.prefix.root_generation,
        "roster_key": hex(&slot.root.signer().verifying_key()),
    }))
}

/// The device, lengths and hash are left for the client to fill in.
fn header(with: &Inputs<'_>) -> Header {
    assert_eq!(with.number::<u8>("kind"), RecordKind::Events as u8);
    Header {
        kind: RecordKind::Events,
        flags: with.number("flags"),
        incarnation: with.number("incarnation"),
        account: account(with),
        device: DeviceId([0; 32]),
        counter: with.number("counter"),
        previous: with.array("previous"),
        seen_size: with.number("seen_size"),
        seen_root: with.array("seen_root"),
        agreed: with.number("agreed"),
        roster_version: with.number("roster_version"),
        last_day: with.number("last_day"),
        clear_len: 0,
        body_len: 0,
        body_hash: [0; 32],
    }
}

fn seal(with: &Inputs<'_>) -> Value {
    let device = DeviceKeys::import(&with.array("seeds"));
    let header = header(&with.inner("header"));
    let (clear, inside) = (with.bytes("clear"), with.bytes("content"));
    let made = seal_record(&device, &epoch_key(with), header, &clear, &inside, &mut with.source("fresh"));
    let made = made.expect("a short body fits");
    json!({ "record": hex(&made.record.encode()), "body": hex(&made.body) })
}

fn open(with: &Inputs<'_>) -> Option<Value> {
    let record = Record::decode(&with.bytes("record")).ok()?;
    record.verify(&with.array("verifying_key")).ok()?;
    let open = open_body(&record, &with.bytes("body"), &epoch_key(with)).ok()?;
    Some(json!({ "clear": hex(&open.clear), "content": hex(&open.content) }))
}

fn by(with: &Inputs<'_>, unlock: Unlock<'_>) -> Option<Value> {
    let (record, body) = (Record::decode(&with.bytes("record")).ok()?, with.bytes("body"));
    accept_first(&record, &body).ok()?;
    Some(roster(&open_roster(&record, &body, unlock).ok()?))
}

/// The keyring is shown by what its keys make: a commitment, and the id of one chat.
fn roster(open: &OpenRoster) -> Value {
    let (stated, keyring) = (&open.clear.roster, &open.keyring);
    json!({
        "account": hex(&stated.account.0),
        "version": stated.version,
        "epoch": stated.epoch,
        "names": open.labels.iter().map(|(_, label)| label.name.as_str()).collect::<Vec<_>>(),
        "chat": hex(&keyring.lifetime().event_key().chat("telegram", "personal_chat:Zoë").0),
        "commitment": hex(&keyring.current().commitment(&stated.account, keyring.epoch())),
    })
}

/// Both sides of a pairing, each with the random bytes it draws.
fn paired(with: &Inputs<'_>) -> ([Paired; 2], [[u8; 33]; 2]) {
    let start = |side, fresh| {
        let code = PairingCode::parse(with.text("code")).expect("a code");
        Pairing::start(&code, with.text("server"), side, &mut with.source(fresh))
    };
    let (new, old) = (start(PairingSide::New, "fresh_new"), start(PairingSide::Old, "fresh_old"));
    let messages = [*new.message(), *old.message()];
    let finish = |pairing: Pairing, theirs: &[u8]| pairing.finish(theirs).unwrap_or_else(|_| panic!("a message"));
    ([finish(new, &messages[1]), finish(old, &messages[0])], messages)
}

fn pair(with: &Inputs<'_>) -> Value {
    let ([new, old], messages) = paired(with);
    assert!(new.confirms(&old.confirmation()) && old.confirms(&new.confirmation()));
    assert_eq!(new.check_words(), old.check_words());
    let words = new.check_words().map(|word| bip39::Language::English.find_word(word));
    json!({
        "new": hex(&messages[0]),
        "old": hex(&messages[1]),
        "confirms_new": hex(&new.confirmation()),
        "confirms_old": hex(&old.confirmation()),
        "check_words": words,
    })
}

fn pairing_message(with: &Inputs<'_>) -> Option<Value> {
    // The one that opens has what the sender had; the vector's sender is the one of the code as it was said.
    let ([new, old], _) = paired(with);
    let receiver = if with.text("side") == "new" { old } else { new };
    Some(content(&receiver.open(with.number("number"), &with.bytes("sealed")).ok()?))
}
