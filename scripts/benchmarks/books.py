"""Runs narratord over books and watches the memory of every process that takes part.

  books.py NARRATORD BOOK...

Prints one line of a table for each book: what `docs/benchmarks.md` holds. Peak memory is VmHWM of
/proc/PID/status, looked at twice a second, the largest process of each name.
"""

import json
import os
import shutil
import subprocess
import sys
import time

WATCHED = ("narratord", "narrator-worker", "ffmpeg")


def peaks(seen):
    """Raises `seen` (name to bytes) by what runs now."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                status = dict(line.split(":", 1) for line in file if ":" in line)
        except OSError:
            continue  # it ended between the two looks
        name = status["Name"].strip()
        if name in WATCHED and "VmHWM" in status:
            seen[name] = max(seen.get(name, 0), int(status["VmHWM"].split()[0]) * 1024)


def narrate(program, book):
    stem = os.path.splitext(book)[0]
    shutil.rmtree(f"{stem}.narration", ignore_errors=True)
    if os.path.exists(f"{stem}.m4b"):
        os.remove(f"{stem}.m4b")
    start, memory = time.monotonic(), {}
    run = subprocess.Popen([program, "run", book, "-o", f"{stem}.m4b", "--plain"])
    while run.poll() is None:
        peaks(memory)
        time.sleep(0.5)
    wall = time.monotonic() - start
    if run.returncode != 0:
        sys.exit(f"books: {book}: narratord ended with {run.returncode}")
    with open(f"{stem}.narration/report.json", encoding="utf-8") as file:
        report = json.load(file)
    with open(f"{stem}.narration/logs/narratord.jsonl", encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    assembly = next(event["wall_s"] for event in events if event["event"] == "assembly_finished")
    stopped = next(event for event in events if event["event"] == "pool_stopped")
    return report, wall, stopped["elapsed_ms"] / 1000, assembly, idle(events, stopped), memory


def idle(events, stopped):
    """The part of their time, from ready to the end, in which workers had nothing to compute."""
    ready = [event["elapsed_ms"] for event in events if event["event"] == "worker_ready"]
    there = sum(stopped["elapsed_ms"] - since for since in ready)
    computed = sum(event["compute_ms"] for event in events if event["event"] == "segment_spoken")
    return 1 - computed / there


def main():
    program, *books = sys.argv[1:]
    rows = []
    for book in books:
        report, wall, speaking, assembly, waited, memory = narrate(program, book)
        tokens = report["tokens"]
        skipped = ", ".join(f"{count} {rule}" for rule, count in tokens["skipped"].items())
        cells = [
            os.path.basename(book),
            f"{tokens['total']:,}",
            f"{tokens['spoken']:,}",
            skipped or "none",
            f"{report['segments']:,}",
            f"{report['audio_s'] / 3600:.2f} h",
            f"{wall:.0f} s",
            f"{speaking:.0f} s",
            f"{assembly:.0f} s",
            f"{report['audio_s'] / wall:.0f}×",
            f"{waited:.1%}",
            " / ".join(f"{memory.get(name, 0) / 1e6:.0f}" for name in WATCHED) + " MB",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    print(
        "| book | words | spoken | skipped | segments | audio | wall | of which speaking | assembly "
        "| speed | workers idle | peak memory: narratord / worker / ffmpeg |"
    )
    print("|---" * 12 + "|")
    print("\n".join(rows))


main()
