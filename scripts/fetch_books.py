#!/usr/bin/env python3
"""Fetches the two real books of the benchmark from Debian: policy.epub and pride-and-prejudice.txt.

    scripts/fetch_books.py FOLDER

The Debian Policy Manual is in the package debian-policy. The novel is in r-cran-janeaustenr, as a vector
of lines in an R database; it is decoded here, R is not needed. Books that are in FOLDER already are kept.
Needs apt-get and dpkg-deb (Debian or Ubuntu, with package lists: run "apt-get update" once).
"""

import gzip
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

POLICY = "policy.epub"
NOVEL = "pride-and-prejudice.txt"


class Trouble(Exception):
    """One sentence for the person, with what to do."""


def package_files(package, scratch):
    """Downloads a package and returns the folder that its files were unpacked to."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Trouble(f"{tool} is missing: this script needs Debian or Ubuntu")
    run(["apt-get", "download", package], scratch, f"cannot download {package}; run: apt-get update")
    archives = sorted(scratch.glob(f"{package}_*.deb"))
    if not archives:
        raise Trouble(f"apt-get download {package} left no .deb file")
    unpacked = scratch / package
    run(["dpkg-deb", "-x", str(archives[-1]), str(unpacked)], scratch, f"cannot unpack {archives[-1].name}")
    return unpacked


def run(command, folder, trouble):
    outcome = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if outcome.returncode != 0:
        last = (outcome.stderr.strip() or outcome.stdout.strip() or "no message").splitlines()[-1]
        raise Trouble(f"{trouble} ({last})")


def find(folder, name):
    found = sorted(folder.rglob(name))
    if not found:
        raise Trouble(f"the package has no {name}: its layout has changed")
    return found[0]


class Serialized:
    """R's serialization format (XDR), as far as vectors of strings and lists of integers need it."""

    def __init__(self, data):
        if data[:2] != b"X\n":
            raise Trouble("the R data is not in XDR form")
        self.data, self.at, self.symbols = data, 2, []
        version, _, _ = self.integer(), self.integer(), self.integer()
        if version >= 3:
            self.take(self.integer())

    def take(self, count):
        piece = self.data[self.at:self.at + count]
        if count < 0 or len(piece) != count:
            raise Trouble(f"the R data ends too soon, at byte {self.at}")
        self.at += count
        return piece

    def integer(self):
        return struct.unpack(">i", self.take(4))[0]

    def value(self):
        flags = self.integer()
        kind, attributes = flags & 0xFF, flags & 0x200
        if kind == 254:  # NULL
            return None
        if kind == 255:  # a symbol met before
            return self.symbols[(flags >> 8) - 1]
        if kind == 1:  # a new symbol
            self.symbols.append(self.value())
            return self.symbols[-1]
        if kind == 9:  # one string; a length of -1 is a missing value
            length = self.integer()
            return "" if length < 0 else self.take(length).decode("utf-8", "replace")
        if kind == 2:  # a pairlist, here of attributes
            if attributes:
                self.value()
            key = self.value() if flags & 0x400 else None
            head = self.value()
            tail = self.value() or {}
            return {key: head, **tail}
        if kind in (16, 19):  # strings; a list
            items = [self.value() for _ in range(self.integer())]
        elif kind in (10, 13):  # logicals; integers
            items = [self.integer() for _ in range(self.integer())]
        else:
            raise Trouble(f"the R data has a value of type {kind} at byte {self.at}: its layout has changed")
        names = (self.value() or {}).get("names") if attributes else None
        return dict(zip(names, items)) if names else items


def novel_lines(folder):
    index = Serialized(gzip.decompress(find(folder, "Rdata.rdx").read_bytes())).value()
    try:
        offset, length = index["variables"]["prideprejudice"]
    except (KeyError, TypeError, ValueError) as error:
        raise Trouble(f"the package has no prideprejudice: its layout has changed ({error!r})") from None
    packed = find(folder, "Rdata.rdb").read_bytes()[offset:offset + length]
    # Four bytes of size, then a zlib stream.
    return Serialized(zlib.decompress(packed[4:])).value()


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    target = Path(arguments[0])
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="narratord-books-") as scratch:
            if not (target / POLICY).exists():
                book = find(package_files("debian-policy", Path(scratch)), POLICY).read_bytes()
                keep(target / POLICY, book)
            if not (target / NOVEL).exists():
                lines = novel_lines(package_files("r-cran-janeaustenr", Path(scratch)))
                keep(target / NOVEL, ("\n".join(lines) + "\n").encode("utf-8"))
    except Trouble as trouble:
        sys.stderr.write(f"fetch_books: {trouble}\n")
        return 69
    except OSError as error:
        sys.stderr.write(f"fetch_books: {error.filename or target}: {error.strerror or error}\n")
        return 74
    except (zlib.error, EOFError) as error:
        sys.stderr.write(f"fetch_books: the R data cannot be unpacked ({error})\n")
        return 69
    for name in (POLICY, NOVEL):
        sys.stdout.write(f"{target / name}: {(target / name).stat().st_size} bytes\n")
    return 0


def keep(path, data):
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
