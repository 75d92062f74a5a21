//! What happened: an open number, so that kinds of newer versions pass through.

/// The kind of an event. Numbers are stored for ever; unknown ones are kept as they are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Kind(pub u16);

impl Kind {
    pub const MESSAGE: Self = Self(1);
    pub const SYSTEM: Self = Self(2);
    pub const CALL: Self = Self(3);
    pub const POLL: Self = Self(4);
    pub const PIN: Self = Self(5);
    pub const EDIT: Self = Self(16);
    pub const SOURCE_DELETE: Self = Self(17);
    pub const OWN_DELETE: Self = Self(18);
    pub const UNDELETE: Self = Self(19);
    pub const REACTION_ADD: Self = Self(20);
    pub const REACTION_REMOVE: Self = Self(21);
    pub const READ_MARK: Self = Self(22);
    pub const SAME_AS: Self = Self(23);
    pub const MEDIA_DELETE: Self = Self(24);
    pub const MEDIA_UNDELETE: Self = Self(25);
    pub const VIEW: Self = Self(32);
    pub const IMPORT: Self = Self(33);
    pub const SNAPSHOT: Self = Self(34);
    pub const SETTING: Self = Self(35);

    /// Kinds that stand in the chat by themselves.
    pub const STANDING: [Self; 5] = [Self::MESSAGE, Self::SYSTEM, Self::CALL, Self::POLL, Self::PIN];

    /// What enters the event id in the kind's place. Standing kinds share one class, because a reply or a later
    /// export knows a message's native id but not always what kind we made of it.
    pub fn id_class(self) -> u16 {
        if self.stands() { 0 } else { self.0 }
    }

    /// Whether rows of this kind delete what is theirs, or undo that: they stay in force whatever else is read.
    pub fn deletes(self) -> bool {
        matches!(self, Self::OWN_DELETE | Self::UNDELETE | Self::MEDIA_DELETE | Self::MEDIA_UNDELETE)
    }

    /// Whether rows of this kind are their own target.
    pub fn stands(self) -> bool {
        Self::STANDING.contains(&self)
    }
}
