"""Runs narratord with the sim worker in pairs: with all guards, and without heartbeats and fsync.

  safety.py PROGRAM_FOLDER PAIRS

The program is the same both times. Heartbeats are left out by the worker's script. fsync and fdatasync are
made to do nothing by a seccomp filter that answers "done" in the kernel's place, which costs nothing itself.
The two of a pair run one after the other, and every other pair the other way round, so that a machine that
gets busier favours neither.

Two speeds of the worker: at once, where only the orchestrator and the disk are measured, and the speed of the
starter voice on a core of its own (160 times real time, 30 ms a sentence of five seconds).
"""

import ctypes
import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile

AT_ONCE = ("workers that answer at once", 3000, {})
LIKE_THE_STARTER = ("workers as fast as the starter voice", 800, {"seconds_per_char": 0.065, "step_ms": 3})

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
ANSWER_DONE, ALLOW = 0x00050000, 0x7FFF0000
SYNCS = {"x86_64": (74, 75), "aarch64": (82, 83)}[platform.machine()]


def sync_filter():
    """A seccomp program that answers fsync and fdatasync with success and lets all else through."""
    load, equal, back = 0x20, 0x15, 0x06
    steps = [
        (load, 0, 0, 0),
        (equal, 2, 0, SYNCS[0]),
        (equal, 1, 0, SYNCS[1]),
        (back, 0, 0, ALLOW),
        (back, 0, 0, ANSWER_DONE),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps), len(steps)


STEPS, COUNT = sync_filter()
BUFFER = ctypes.create_string_buffer(STEPS, len(STEPS))
# unsigned short, padded to the pointer.
PROGRAM = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", COUNT, ctypes.addressof(BUFFER)))
LIBC = ctypes.CDLL(None, use_errno=True)


def without_sync():
    if LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or LIBC.prctl(PR_SET_SECCOMP, MODE_FILTER, PROGRAM):
        raise OSError(ctypes.get_errno(), "no seccomp filter")


def once(programs, segments, script, guarded):
    """Segments a second from the first dispatch to the last durable take, and narratord's CPU seconds."""
    with tempfile.TemporaryDirectory(prefix="narratord-safety-", dir=".") as desk:
        desk = os.path.abspath(desk)
        book = os.path.join(desk, "book.txt")
        with open(book, "w", encoding="utf-8") as file:
            for n in range(segments):
                file.write(f"Paragraph {n} of a made-up book, which says nothing and is spoken at once.\n\n")
        environment = {
            **os.environ,
            "XDG_STATE_HOME": desk,
            "NARRATOR_WORKER": f"{programs}/narrator-sim-worker",
            "NARRATOR_SIM": json.dumps({**script, "beats": guarded}),
        }
        command = [f"{programs}/narratord", "run", book, "-o", f"{desk}/book.wav"]
        run = subprocess.Popen(
            [*command, "--workers", "2", "--check", "off", "--plain"],
            env=environment,
            stderr=subprocess.DEVNULL,
            preexec_fn=None if guarded else without_sync,
        )
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        if run.returncode != 0:
            sys.exit(f"safety: narratord ended with {run.returncode}")
        with open(f"{desk}/book.narration/logs/narratord.jsonl", encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
    first = next(event["elapsed_ms"] for event in events if event["event"] == "segment_dispatched")
    done = [event["elapsed_ms"] for event in events if event["event"] == "segment_done"]
    if len(done) != segments or any(event["event"] == "fault_seen" for event in events):
        sys.exit("safety: not an undisturbed run")
    return segments * 1000 / (max(done) - first), used.ru_utime + used.ru_stime


def main():
    programs, pairs = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    for name, segments, script in (AT_ONCE, LIKE_THE_STARTER):
        ratios, rates, used = [], {True: [], False: []}, {True: [], False: []}
        for pair in range(pairs):
            for guarded in (True, False) if pair % 2 else (False, True):
                rate, cpu = once(programs, segments, script, guarded)
                rates[guarded].append(rate)
                used[guarded].append(cpu)
            ratios.append(rates[True][-1] / rates[False][-1])
        print(f"{name}, two of them, {segments} segments, {pairs} pairs")
        for guarded, words in ((True, "all guards"), (False, "no heartbeats, no fsync")):
            print(
                f"  {words:<24} {statistics.median(rates[guarded]):7.1f} segments/s "
                f"({min(rates[guarded]):.1f} to {max(rates[guarded]):.1f}), "
                f"CPU of narratord {statistics.median(used[guarded]):.2f} s"
            )
        print(f"  ratio, median of pairs   {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


main()
