#!/usr/bin/env python3
"""Make the goldens of crates/narrator-torch/tests/data/qwen3 from the reference implementation.

Run it through `scripts/qwen3-goldens`, which forges the checkpoints (random numbers from a seed, so that
nothing large is committed) and gives their folder. Versions: qwen-tts 0.1.1, transformers 4.57.3,
torch 2.11.0, tokenizers 0.22.2, numpy, on a CPU in float32.

  goldens.py FORGED OUT      FORGED holds base/, custom_voice/ and voice_design/, tiny, seed 1

Per case a safetensors file with codes and hidden states of every frame, and a part of what is large: logits
of every 48th id, samples of the first two frames and then every 122nd, every prompt row.
"""
import json
import os
import sys
import wave

import numpy as np
import torch
from safetensors.torch import save_file

import reference_generate as reference
from lines import lines

CLIP_TEXT = "The clip that is being cloned."
TEXT = "The lighthouse keeper hadn't slept; at 9:45 he said: “It's coming.”"
CASES = {
    "custom_voice": ("custom_voice", dict(mode="custom_voice", text=TEXT, speaker="Ryan", frames=64)),
    "voice_design": ("voice_design", dict(mode="voice_design", text=TEXT, instruct="A calm, low voice.", frames=64)),
    "x_vector": ("base", dict(mode="x_vector", text=TEXT, frames=64)),
    "icl": ("base", dict(mode="icl", text=TEXT, clip_text=CLIP_TEXT, frames=64)),
    # A speaker of a dialect speaks it when the language is left open; and an instruction beside a name.
    "dialect": ("custom_voice", dict(mode="custom_voice", text="天色渐渐暗了下来。", language="Auto", speaker="eric",
                                     instruct="Slowly.", frames=3)),
    "auto": ("voice_design", dict(mode="voice_design", text="Grüß Gott, Ärger!", language="auto", instruct="Laut.", frames=3)),
}


def clip_samples(seconds=1.5, rate=24000):
    """A voiced-like clip: a gliding pitch with its harmonics, swelling, with a little noise."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 25 * np.sin(2 * np.pi * 0.7 * t)) / rate
    sound = sum(np.sin(k * phase) / k for k in range(1, 12)) * (0.3 + 0.2 * np.sin(2 * np.pi * 3 * t))
    sound = sound + 0.01 * np.random.default_rng(0).standard_normal(len(t))
    return np.round(0.2 * sound * 32768).astype("<i2")


def thin(saved):
    wav = saved.pop("wav")
    saved["wav_head"], saved["wav_thin"] = wav[: 2 * 1920].clone(), wav[::122].clone()
    saved["wav_length"] = torch.tensor([len(wav)])
    saved["talker_logits"] = saved["talker_logits"][:, ::48].contiguous()
    saved["codes"] = saved["codes"].to(torch.int16)
    if "ref_codes" in saved:
        saved["ref_codes"] = saved["ref_codes"].to(torch.int16)
    saved.pop("ref_wav", None)
    return saved


def fnv(ids):
    value = 0xCBF29CE484222325
    for i in ids:
        for byte in int(i).to_bytes(4, "little"):
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def main():
    forged, out = sys.argv[1:3]
    os.makedirs(out, exist_ok=True)
    clip_path = f"{out}/clip.wav"
    with wave.open(clip_path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        file.writeframes(clip_samples().tobytes())
    clip = reference.read_clip(clip_path)
    models = {}
    for name, (kind, case) in CASES.items():
        if kind not in models:
            models[kind] = reference.load(f"{forged}/{kind}")
        saved, _ = reference.run(models[kind], clip=clip, **case)
        margin = smallest_margin(saved)
        print(f"{name}: {len(saved['codes'])} frames, wav deviation {saved['wav'].std():.3f} peak {saved['wav'].abs().max():.3f}, "
              f"closest choice {margin:.4f}, distinct first codes {len(set(saved['codes'][:, 0].tolist()))}")
        save_file(thin(saved), f"{out}/{name}.safetensors")
    tokenizer = models["custom_voice"].processor.tokenizer
    with open(f"{out}/lines.tsv", "w", encoding="utf-8") as file:
        for line in lines():
            ids = tokenizer(line)["input_ids"]
            file.write(f"{fnv(ids) & 0xFFFFFFFF:08x}\t{json.dumps(line, ensure_ascii=False)}\n")
    # The whole text in its template too, where the edges are.
    print("tokenizer:", type(tokenizer).__name__, len(tokenizer))


def smallest_margin(saved):
    logits = saved["talker_logits"].clone()
    logits[:, 2048:2150] = -1e9
    logits[:, 2151:] = -1e9
    top = logits.topk(2, dim=-1).values
    return (top[:, 0] - top[:, 1]).min().item()


if __name__ == "__main__":
    main()
