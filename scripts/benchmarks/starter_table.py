"""Reads the lines of both programs of `scripts/bench starter` and prints them side by side."""

import json
import sys

GOAL = 0.8


def best(runs):
    return min(runs, key=lambda run: run["reading_s"] + run["speaking_s"])


def pace(run, *parts):
    return run["audio_s"] / sum(run[part] for part in parts)


runs = [json.loads(line) for line in sys.stdin if line.strip()]
package = best([run for run in runs if run.get("package")])
port = best([run for run in runs if not run.get("package")])
print(f"{'':24}{'package':>10}{'port':>10}{'ratio':>8}")
print(f"{'audio, s':24}{package['audio_s']:>10.1f}{port['audio_s']:>10.1f}")
print(f"{'load, s':24}{package['load_s']:>10.2f}{port['load_s']:>10.2f}")
for name, parts in (
    ("reading, x real time", ["reading_s"]),
    ("speaking, x real time", ["speaking_s"]),
    ("both, x real time", ["reading_s", "speaking_s"]),
):
    theirs, ours = pace(package, *parts), pace(port, *parts)
    print(f"{name:24}{theirs:>10.0f}{ours:>10.0f}{ours / theirs:>8.2f}")
if ours / theirs < GOAL:
    sys.exit(f"bench: the port has {ours / theirs:.2f} of the package's speed, less than {GOAL}")
