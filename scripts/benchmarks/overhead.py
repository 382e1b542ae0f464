"""Runs narratord with the sim worker, which answers at once, over a made-up book.

  overhead.py PROGRAM_FOLDER SEGMENTS

What is timed is everything between the first dispatch and the last durable take: leases, pipes, frames,
FLAC, fsync of takes, folders and journal, events. Three runs; the median counts.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile


def once(programs, segments):
    with tempfile.TemporaryDirectory(prefix="narratord-overhead-") as desk:
        book = os.path.join(desk, "book.txt")
        with open(book, "w", encoding="utf-8") as file:
            for n in range(segments):
                file.write(f"Paragraph {n} of a made-up book, which says nothing and is spoken at once.\n\n")
        settings = os.path.join(desk, "settings.toml")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(f'[workers]\ncount = 2\nprogram = "{programs}/narrator-sim-worker"\n')
        environment = {**os.environ, "XDG_STATE_HOME": desk}
        command = [f"{programs}/narratord", "run", book, "-o", f"{desk}/book.wav", "--config", settings, "--plain"]
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
        with open(f"{desk}/book.narration/logs/narratord.jsonl", encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
    first = next(event["elapsed_ms"] for event in events if event["event"] == "segment_dispatched")
    done = [event["elapsed_ms"] for event in events if event["event"] == "segment_done"]
    return len(done) * 1000 / (max(done) - first), len(done)


def main():
    programs, segments = sys.argv[1], int(sys.argv[2])
    rates = [once(programs, segments) for _ in range(3)]
    print(f"{rates[0][1]} segments, two workers: " + ", ".join(f"{rate:.0f}" for rate, _ in rates) + " a second")
    print(f"median {statistics.median(rate for rate, _ in rates):.0f} segments a second")


main()
