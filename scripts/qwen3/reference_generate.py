#!/usr/bin/env python3
"""Run the reference implementation (PyPI qwen-tts 0.1.1) greedily over a checkpoint folder and save
everything that narratord can be held to: the same tensors, names, shapes and kinds as
`narrator-worker synth --dump` writes.

  pip install qwen-tts==0.1.1 transformers==4.57.3 torch==2.11.0 torchaudio==2.11.0
  reference_generate.py DIR --mode custom_voice --text "..." --out golden.safetensors [--frames 60]

float32: prompt_embeds [L, H], talker_logits [T, V] (of the first code, before any processing),
talker_hidden [T, H], wav [samples], and for clones ref_wav [samples] and speaker [H];
int64: text_ids [n], codes [T, 16], and for in-context clones ref_codes [R, 16].
The text is fed whole, as narratord does. Clips must be 24 kHz mono: resamplers differ.
"""
import argparse
import os
import time
import wave

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import torch
from safetensors.torch import save_file

MODES = ["custom_voice", "voice_design", "x_vector", "icl"]


def read_clip(path):
    with wave.open(path) as clip:
        if (clip.getnchannels(), clip.getsampwidth(), clip.getframerate()) != (1, 2, 24000):
            raise SystemExit(f"{path}: give 16-bit mono at 24 kHz")
        return np.frombuffer(clip.readframes(clip.getnframes()), "<i2").astype(np.float32) / 32768


def load(directory, dtype="float32"):
    from qwen_tts import Qwen3TTSModel
    torch.use_deterministic_algorithms(True, warn_only=True)
    return Qwen3TTSModel.from_pretrained(directory, dtype=getattr(torch, dtype), device_map="cpu", attn_implementation="sdpa")


def run(m, mode, text, language="English", speaker="Ryan", instruct=None, clip=None, clip_text=None, frames=60):
    """One utterance; returns the tensors and the seconds it took."""
    talker, saved, logits = m.model.talker, {}, []
    generate, talker_generate = m.model.generate, talker.generate

    def keep_result(*args, **kw):
        saved["text_ids"] = kw["input_ids"][0].flatten()
        codes, hidden = generate(*args, **kw)
        saved["codes"], saved["talker_hidden"] = codes[0], hidden[0].float()
        return codes, hidden

    def keep_prompt(*args, **kw):
        saved["prompt_embeds"] = kw["inputs_embeds"][0].float()
        return talker_generate(*args, **kw)

    hook = talker.codec_head.register_forward_hook(lambda _m, _i, out: logits.append(out[0, -1].float()))
    m.model.generate, talker.generate = keep_result, keep_prompt
    common = dict(do_sample=False, subtalker_dosample=False, repetition_penalty=1.05, max_new_tokens=frames + 1,
                  non_streaming_mode=True)
    start = time.time()
    try:
        if mode == "custom_voice":
            wavs, _ = m.generate_custom_voice(text=text, language=language, speaker=speaker, instruct=instruct, **common)
        elif mode == "voice_design":
            wavs, _ = m.generate_voice_design(text=text, language=language, instruct=instruct, **common)
        else:
            prompt = m.create_voice_clone_prompt(
                ref_audio=(clip, 24000), ref_text=clip_text if mode == "icl" else None, x_vector_only_mode=mode == "x_vector")
            saved["ref_wav"], saved["speaker"] = torch.from_numpy(clip), prompt[0].ref_spk_embedding.float()
            if prompt[0].ref_code is not None:
                saved["ref_codes"] = prompt[0].ref_code
            wavs, _ = m.generate_voice_clone(text=text, language=language, voice_clone_prompt=prompt, **common)
    finally:
        hook.remove()
        m.model.generate, talker.generate = generate, talker_generate
    seconds = time.time() - start
    saved["talker_logits"] = torch.stack(logits[: len(saved["codes"])])
    saved["wav"] = torch.from_numpy(np.asarray(wavs[0], dtype=np.float32))
    return {name: tensor.detach().cpu().contiguous() for name, tensor in saved.items()}, seconds


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("model")
    ap.add_argument("--mode", choices=MODES, default="custom_voice")
    ap.add_argument("--text", required=True)
    ap.add_argument("--language", default="English")
    ap.add_argument("--speaker", default="Ryan")
    ap.add_argument("--instruct")
    ap.add_argument("--clip", help="16-bit mono WAV at 24 kHz, for x_vector and icl")
    ap.add_argument("--clip-text")
    ap.add_argument("--frames", type=int, default=60)
    ap.add_argument("--dtype", default="float32")
    ap.add_argument("--out", required=True)
    a = ap.parse_args()
    m = load(a.model, a.dtype)
    clip = read_clip(a.clip) if a.clip else None
    saved, seconds = run(m, a.mode, a.text, a.language, a.speaker, a.instruct, clip, a.clip_text, a.frames)
    save_file(saved, a.out)
    frames = len(saved["codes"])
    print(f"{a.mode}: {frames} frames in {seconds:.1f} s ({seconds / max(frames, 1):.3f} s a frame), "
          f"{len(saved['wav'])} samples, first codes {saved['codes'][0].tolist()[:6]}")


if __name__ == "__main__":
    main()
