//! Ids that only clients know; those the service sees are `proto::wire::ids`.

use proto::id_type;
pub use proto::wire::ids::{AccountId, DeviceId, PackId};

id_type!(/// Keyed hash of source and conversation: what rows of one chat share.
    ChatId, 32);
id_type!(/// Keyed hash of source, conversation, kind's class and native key: every device of the account computes it alike.
    EventId, 32);
id_type!(/// Keyed hash of a whole attachment's content.
    FileId, 32);
id_type!(/// Keyed hash of a chunk's content.
    ChunkId, 32);
