"""What a check holds to be so, and how many times it was wrong."""
import sys

failed = []


def hold(what, got, wanted):
    """Tells what was seen, and remembers it where it is not what was wanted."""
    short = lambda value: text if len(text := str(value)) <= 400 else text[:400] + " ..."
    print(f"{'ok  ' if got == wanted else 'FAIL'} {what}: {short(got)}" + ("" if got == wanted else f", wanted {short(wanted)}"))
    if got != wanted:
        failed.append(what)


def end(name):
    print(f"{len(failed)} differ" if failed else f"{name}: as they should be")
    sys.exit(1 if failed else 0)
