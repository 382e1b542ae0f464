#!/usr/bin/env python3
"""The speed of stock qwen-tts over a checkpoint on a GPU, in the columns of `narrator-worker bench` that it
has: rows, seconds a frame of all rows, seconds of work for a second of audio, its inverse. Prompts are in
these times, as the package gives no way to part them; at 200 frames they are little."""
import argparse
import os
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from qwen_tts import Qwen3TTSModel

# About 60 tokens, as the other side's prompts are of 100 with the rest of the template.
TEXT = (
    "The storm had come up from the west before anybody in the harbour had noticed, and by the time the bell "
    "was rung the first of the boats was already turning back, its lamp swinging wildly over the black water, "
    "while the women stood along the wall and counted, without a word, the lights that were still to come."
)


def speak(model, rows, frames):
    torch.cuda.synchronize()
    begun = time.perf_counter()
    wavs, rate = model.generate_custom_voice(
        text=[TEXT] * rows, language=["English"] * rows, speaker=["Ryan"] * rows, max_new_tokens=frames + 1,
        non_streaming_mode=True)
    torch.cuda.synchronize()
    return time.perf_counter() - begun, sum(len(wav) for wav in wavs) / rate


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--rows", default="1,8,32,64,128")
    parser.add_argument("--frames", type=int, default=200)
    arguments = parser.parse_args()
    model = Qwen3TTSModel.from_pretrained(
        arguments.model, dtype=torch.bfloat16, device_map="cuda:0", attn_implementation="sdpa")
    # What is set up at first use is nobody's speed.
    speak(model, 1, 8)
    print("rows\tframe_s\trtf\taudio_x", flush=True)
    for rows in map(int, arguments.rows.split(",")):
        try:
            seconds, audio = speak(model, rows, arguments.frames)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            print(f"{rows}\tout of memory", flush=True)
            continue
        frame = seconds * rows / (audio * 12.5)
        print(f"{rows}\t{frame:.4f}\t{seconds / audio:.4f}\t{audio / seconds:.2f}", flush=True)


if __name__ == "__main__":
    main()
