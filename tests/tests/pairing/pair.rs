//! An account with a laptop, and what two devices do to pair.

use client::crypto::pairing::PairingCode;
use client::error::Result;
use client::vault::{Joined, Linking, Newcomer, Vault, Where, Work};
use tests::world::{PASSPHRASE, Place, World, by_passphrase, label};

pub struct Account {
    pub world: World,
    pub laptop: Vault,
    pub place: Place,
}

impl Account {
    pub async fn new() -> Self {
        let world = World::new();
        let place = Place::new();
        let (joined, _) = world.register("ana", "laptop").await;
        let laptop = place.install(joined);
        Self { world, laptop, place }
    }

    /// Lets a newcomer in with the passphrase.
    pub async fn admit(&mut self, newcomer: Newcomer) -> Result<client::ids::DeviceId> {
        let mut archive = self.laptop.archive().unwrap();
        self.laptop.admit(&mut archive, newcomer, &by_passphrase(PASSPHRASE)).await
    }
}

/// The code as it is said from one screen to the other.
pub fn said(linking: &Linking) -> PairingCode {
    code(&linking.code())
}

pub fn code(text: &str) -> PairingCode {
    PairingCode::parse(text).unwrap()
}

/// A code of the same number with another last word.
pub fn wrong(linking: &Linking) -> PairingCode {
    let text = linking.code();
    let other = ["zoo", "zero"].into_iter().find(|word| !text.ends_with(word)).unwrap();
    code(&format!("{}-{other}", text.rsplit_once('-').unwrap().0))
}

/// The phone's side from the code to the end.
pub async fn joins(at: Where, code: PairingCode, name: &str) -> Result<(Joined, [&'static str; 3])> {
    let work = Work::quiet();
    let joining = Vault::join(at, code, label(name), &work).await?;
    let words = joining.check_words();
    Ok((joining.finish(&work).await?, words))
}
