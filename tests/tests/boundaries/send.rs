//! An embedder may move every call of the library to a task of its runtime, which steals work between threads. That is
//! seen when this file compiles; the calls are never made.

use client::archive::Archive;
use client::crypto::RecoveryKey;
use client::crypto::pairing::PairingCode;
use client::crypto::passphrase::Passphrase;
use client::crypto::roster::Label;
use client::crypto::slot::AccountName;
use client::env::Env;
use client::home::{Home, KeyStore};
use client::ids::DeviceId;
use client::sync::{BackupOptions, CheckLevel, Inbox, LiveOptions, RestoreOptions, Told};
use client::vault::{Joining, Kept, Linking, Newcomer, Secret, Vault, Where, Work};

fn sends<F: Future + Send>(call: F) {
    drop(call);
}

fn give<T>() -> T {
    unreachable!("never called")
}

fn entering() {
    sends(Vault::peek(give::<&Where>()));
    sends(Vault::register(
        give::<Where>(),
        give::<AccountName>(),
        give::<Passphrase>(),
        give::<Option<&RecoveryKey>>(),
        give::<Label>(),
        None,
        None,
    ));
    sends(Vault::join(give::<Where>(), give::<PairingCode>(), give::<Label>(), give::<&Work>()));
    sends(give::<Joining>().finish(give::<&Work>()));
    sends(Vault::login(give::<Where>(), give::<AccountName>(), give::<Secret>(), give::<Label>()));
    sends(Kept::restore(
        give::<&Home>(),
        give::<&dyn KeyStore>(),
        give::<Env>(),
        give::<&std::path::Path>(),
        give::<&RecoveryKey>(),
        give::<&RestoreOptions>(),
        give::<&Work>(),
    ));
}

fn everyday(vault: &mut Vault, archive: &mut Archive, work: &Work) {
    sends(vault.backup(archive, give::<&BackupOptions>(), work));
    sends(vault.sync(archive, work));
    sends(vault.watch(archive, give::<&mut Inbox>(), LiveOptions::default(), work, give::<Told<'_>>()));
    sends(vault.restore(archive, give::<&RestoreOptions>(), work));
    sends(vault.check(archive, give::<CheckLevel>(), work));
    sends(vault.usage());
}

fn secrets(vault: &mut Vault, archive: &mut Archive) {
    sends(vault.change_passphrase(archive, give::<Secret>(), give::<Passphrase>()));
    sends(vault.rotate_root(archive, give::<Secret>(), give::<Passphrase>(), true));
    sends(vault.revoke(archive, give::<&DeviceId>(), give::<Secret>()));
    sends(vault.check_passphrase(give::<Passphrase>()));
    sends(vault.check_recovery(give::<RecoveryKey>()));
    sends(vault.leave(archive));
    sends(vault.link());
    sends(give::<Linking>().meet(give::<&Work>()));
    sends(give::<Newcomer>().refuse());
    sends(vault.admit(archive, give::<Newcomer>(), give::<&Secret>()));
}

#[test]
fn every_call_of_the_library_can_be_sent_to_another_thread() {
    // They are named here so that none of them is dead code; that this compiles is the test.
    let _: (fn(), fn(&mut Vault, &mut Archive, &Work), fn(&mut Vault, &mut Archive)) = (entering, everyday, secrets);
    fn send<T: Send>() {}
    send::<Vault>();
    send::<Archive>();
    send::<Kept>();
}
