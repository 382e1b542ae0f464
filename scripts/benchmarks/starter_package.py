"""Times the package hibari-tts on a text, as the example `pace` times the port.

    starter_package.py TEXT_FILE ROUNDS
"""

import json
import sys
import time

import numpy as np
from hibari import Hibari


def timed_round(voice, lines):
    reading = speaking = samples = 0
    for number, line in enumerate(lines):
        begun = time.perf_counter()
        sentences = [voice.ids(phonemes) for phonemes in voice.phonemize(line)]
        read = time.perf_counter()
        noise = np.random.default_rng(number)
        samples += sum(len(voice.from_ids(ids, 1.0, noise)) for ids in sentences)
        reading += read - begun
        speaking += time.perf_counter() - read
    return {"reading_s": reading, "speaking_s": speaking, "audio_s": samples / voice.sample_rate}


def main(text, rounds):
    begun = time.perf_counter()
    voice = Hibari(threads=1)
    voice("Ready.")
    load = time.perf_counter() - begun
    with open(text, encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if line.strip()]
    best = min((timed_round(voice, lines) for _ in range(rounds)), key=lambda one: one["reading_s"] + one["speaking_s"])
    print(json.dumps({"package": True, "load_s": load, **best}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
