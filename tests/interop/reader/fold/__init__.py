"""From rows to messages (format 3.8): the same messages for every order of the rows."""
from collections import defaultdict

from ..row import Chat, Tag, IMPORT
from .chat import fold_chat
from .message import I64_MIN, fold_targets, has_ids

__all__ = ["Chat", "messages", "titles"]


def messages(rows):
    """The messages of all chats from joined rows: by chat, then time, place and id."""
    chats = defaultdict(list)
    for placed in rows:
        chats[placed.chat].append(placed)
    for chat in sorted(chats, key=lambda c: (c.conversation, c.source)):
        made = fold_targets(chat, chats[chat]) if has_ids(chat.source) else fold_chat(chat, chats[chat])
        yield from sorted(made, key=lambda m: (m.time, m.place, m.id))


def titles(rows):
    """A chat's title: the one its import rows saw last, of equals the greater text."""
    known = {}
    for placed in rows:
        title = placed.row.text(Tag.TITLE) if placed.row.kind == IMPORT else None
        if title is not None:
            since = placed.row.number(Tag.AS_OF)
            found = (I64_MIN if since is None else since, title)
            known[placed.chat] = max(known.get(placed.chat, found), found)
    return {chat: title for chat, (_, title) in known.items()}
