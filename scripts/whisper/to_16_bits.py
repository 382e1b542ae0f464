"""Turns a mono WAV file of 32-bit floats, as narrator-worker writes it, into one of 16-bit integers.

    to_16_bits.py IN.wav OUT.wav
"""

import struct
import sys
import wave

import numpy as np


def main(source, target):
    with open(source, "rb") as file:
        data = file.read()
    at, rate, samples = 12, None, None
    while at + 8 <= len(data):
        tag, length = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        body = data[at + 8 : at + 8 + length]
        if tag == b"fmt ":
            rate = struct.unpack_from("<I", body, 4)[0]
        elif tag == b"data":
            samples = np.frombuffer(body, "<f4")
        at += 8 + length + length % 2
    if rate is None or samples is None:
        raise SystemExit(f"{source}: not a WAV file")
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
