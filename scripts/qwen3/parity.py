#!/usr/bin/env python3
"""Compare narrator-worker with the reference over checkpoint folders (run through scripts/parity).

In float32: prompt rows, hidden states, logits and samples within 1e-4, codes equal, reference codes at least
99 % equal, the speaker's cosine at least 0.99999. In bfloat16 the two add in other orders, so free-running
codes may part after the first near-tie: hidden states and logits are compared over the frames before that,
by a cosine of at least 0.999, and nothing after it counts. The reference then runs its codec in bfloat16
too and narrator-worker in float32, so of samples a cosine of 0.98 is asked.
"""
import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import load_file, save_file

import reference_generate as reference

TEXT = "The lighthouse keeper hadn't slept; at 9:45 he said: “It's coming.”"
CLIP_TEXT = "The clip that is being cloned."
MODES = {"base": ["x_vector", "icl"], "custom_voice": ["custom_voice"], "voice_design": ["voice_design"]}
INSTRUCT = "A calm, low voice."


def cosine(a, b):
    a, b = a.double().flatten(), b.double().flatten()
    return (a @ b / (a.norm() * b.norm()).clamp_min(1e-30)).item()


def compare(ours, theirs, bfloat16):
    """Prints a line for every tensor and says whether all are within tolerance."""
    passed = True

    def line(name, text, good):
        nonlocal passed
        passed &= good
        print(f"    {'ok  ' if good else 'FAIL'} {name:14} {text}")

    codes = (ours["codes"], theirs["codes"])
    same = min(len(codes[0]), len(codes[1]))
    equal = (codes[0][:same] == codes[1][:same]).all(dim=1)
    agreed = same if equal.all() else int((~equal).int().argmax())
    line("text_ids", f"{len(ours['text_ids'])} ids", torch.equal(ours["text_ids"], theirs["text_ids"]))
    line("codes", f"{agreed} of {len(codes[1])} frames equal from the start",
         bfloat16 or (agreed == len(codes[1]) == len(codes[0])))
    # The frame where codes part still came of equal input.
    counted = min(agreed + 1, same)
    for name in ["prompt_embeds", "talker_hidden", "talker_logits", "speaker", "wav"]:
        if name not in theirs:
            continue
        a, b = ours[name], theirs[name]
        if name.startswith("talker"):
            a, b = a[:counted], b[:counted]
        if name == "wav":
            if agreed == 0:
                continue
            a, b = a[: agreed * 1920], b[: agreed * 1920]
        if a.shape != b.shape:
            line(name, f"shapes {list(a.shape)} and {list(b.shape)}", False)
            continue
        worst, alike = (a - b).abs().max().item(), cosine(a, b)
        least = 0.98 if name == "wav" else 0.999
        good = alike >= least if bfloat16 else (alike >= 0.99999 if name == "speaker" else worst <= 1e-4)
        line(name, f"largest difference {worst:.2e}, cosine {alike:.7f}", good)
    if "ref_codes" in theirs:
        a, b = ours["ref_codes"], theirs["ref_codes"]
        share = (a == b).float().mean().item() if a.shape == b.shape else 0.0
        line("ref_codes", f"{share:.2%} equal", share >= 0.99)
    return passed


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("models", nargs="+")
    ap.add_argument("--text", default=TEXT)
    ap.add_argument("--frames", type=int, default=60)
    ap.add_argument("--dtype", default="float32")
    here = os.path.dirname(os.path.abspath(__file__))
    ap.add_argument("--clip", default=os.path.join(here, "../../crates/narrator-torch/tests/data/qwen3/clip.wav"))
    a = ap.parse_args([word for word in sys.argv[1:] if word != "--"])
    clip, passed = reference.read_clip(a.clip), True
    for model in a.models:
        with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        kind, small = config["tts_model_type"], config.get("tts_model_size") == "0b6"
        speaker = next(iter(config["talker_config"].get("spk_id") or {}), None)
        print(f"{model}: {kind}")
        with tempfile.TemporaryDirectory() as scratch:
            loaded = reference.load(model, a.dtype)
            seconds = {}
            for mode in MODES[kind]:
                instruct = None if mode == "custom_voice" and small else INSTRUCT
                saved, seconds[mode] = reference.run(
                    loaded, mode, a.text, "English", speaker, instruct, clip, CLIP_TEXT, a.frames)
                save_file(saved, f"{scratch}/{mode}.theirs")
            # Two copies of a large model would not fit everywhere.
            del loaded
            gc.collect()
            for mode in MODES[kind]:
                command = [os.environ["NARRATOR_WORKER"], "synth", "--model", model, "--mode", mode, "--text", a.text,
                           "--language", "English", "--greedy", "--frames", str(a.frames), "--dtype", a.dtype,
                           "--out", f"{scratch}/out.wav", "--dump", f"{scratch}/{mode}.ours"]
                if mode == "custom_voice":
                    command += ["--speaker", speaker]
                if mode == "voice_design" or (mode == "custom_voice" and not small):
                    command += ["--instruct", INSTRUCT]
                if mode in ("x_vector", "icl"):
                    command += ["--clip", a.clip]
                if mode == "icl":
                    command += ["--clip-text", CLIP_TEXT]
                start = time.time()
                subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
                print(f"  {mode}, {a.dtype}: reference {seconds[mode]:.1f} s, narrator-worker {time.time() - start:.1f} s with loading")
                passed &= compare(load_file(f"{scratch}/{mode}.ours"), load_file(f"{scratch}/{mode}.theirs"), a.dtype != "float32")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
