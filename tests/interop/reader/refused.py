"""The one error of everything that does not hold."""


class Refused(Exception):
    """Bytes that are not what the format says, or that do not open. Its text names no secret."""


class Missing(Refused):
    """An object that is not in the bucket."""


class WrongKey(Refused):
    """A recovery key that opens nothing here."""
