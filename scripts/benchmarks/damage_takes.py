"""Damages good takes on purpose, and counts what the gate finds; counts its false alarms on good ones.

  damage_takes.py TOOLS ROOT FOLDER GOOD DAMAGED JOB...

TOOLS is the folder of the built programs, ROOT the one of the repository. GOOD takes, spread over the jobs of the
starter voice, are judged as they are, as `--check fast` does it: tiny.en hears all, base what that leaves in doubt,
once more with a search before a take is refused for its words. From DAMAGED of them takes with one fault each are
made and judged likewise. Words are cut where the voice itself says that they are, so what is cut is gone. Prints the
false alarms one by one, and a table by fault. Everything is chosen by a fixed seed. FOLDER keeps what was made and
heard: a second run with it only judges again.
"""

import array
import json
import os
import random
import re
import subprocess
import sys
import wave

MODELS = ["whisper-tiny.en", "whisper-base"]
FAULTS = ["word cut", "sentence cut", "tail cut", "word replaced", "static", "silence", "other text"]
SLIGHT = set(
    "about been before could does ever every from have hers here into just more most much must only other over "
    "said shall should some such than that their them then there these they this those upon very were what when "
    "where which while whom will with would your".split()
)
AT_ONCE = 200
BEAMS = 5


def read(path):
    with wave.open(path) as file:
        return file.getframerate(), array.array("h", file.readframes(file.getnframes()))


def write(path, rate, samples, text):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    with open(path[:-4] + ".txt", "w", encoding="utf-8") as file:
        file.write(text)


def lines_of(command, lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    out = subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in out.stdout.splitlines()]


class Bench:
    def __init__(self, tools, root, folder):
        self.tools, self.root, self.folder = tools, root, folder

    def hear(self, name, model, paths, beams=1):
        """What a model hears in files, from the folder where it has been heard before."""
        searched = f"-{beams}" if beams > 1 else ""
        known, kept = {}, os.path.join(self.folder, f"{name}-{model}{searched}.jsonl")
        if os.path.exists(kept):
            with open(kept, encoding="utf-8") as file:
                known = {heard["file"]: heard for heard in map(json.loads, file)}
        missing = [path for path in paths if path not in known]
        with open(kept, "a", encoding="utf-8") as file:
            for at in range(0, len(missing), AT_ONCE):
                worker = os.path.join(self.tools, "narrator-worker")
                command = [worker, "transcribe", "--model", f"{self.root}/.deps/models/{model}"]
                command += ["--texts", "--json", "--language", "en", "--batch", "64"]
                command += ["--priors", "guessable" if model == MODELS[0] else "unsure"]
                command += ["--beams", str(beams), *missing[at : at + AT_ONCE]]
                out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                file.write(out)
                known.update((heard["file"], heard) for heard in map(json.loads, out.splitlines()))
        return [known[path] for path in paths]

    def judge(self, lines):
        return [it["verdict"] for it in lines_of([os.path.join(self.tools, "examples", "judge")], lines)]

    def verdicts(self, name, takes):
        """Of takes (path, text): verdicts, and how many a second opinion and a search were asked for."""
        first = self.hear(name, MODELS[0], [path for path, _ in takes])
        lines = [{"text": text, "wav": path, "hearings": [heard]} for (path, text), heard in zip(takes, first)]
        answers = self.judge(lines)

        def again(chosen, beams):
            second = self.hear(name, MODELS[1], [takes[at][0] for at in chosen], beams)
            asked = [dict(lines[at], hearings=[first[at], heard], last=True) for at, heard in zip(chosen, second)]
            for at, answer in zip(chosen, self.judge(asked)):
                answers[at] = answer

        doubted = [at for at, verdict in enumerate(answers) if verdict["decision"] == "second-opinion"]
        again(doubted, 1)
        # Before it says no for the words alone, the second recogniser searches.
        searched = [at for at in doubted if answers[at]["decision"] == "retry" and is_of_words(answers[at])]
        again(searched, BEAMS)
        return answers, len(doubted), len(searched)


def is_of_words(verdict):
    return all(complaint["fault"] != "signal" for complaint in verdict["complaints"])


def letters(text):
    return re.sub(r"[^a-z]", "", text.lower())


class Take:
    """A good take with its words and when the voice says them; no words where the two do not pair up."""

    def __init__(self, path, text, spoken):
        self.path, self.text = path, text
        words = [it.span() for it in re.finditer(r"[^\s—–-]+", text) if letters(it.group())]
        self.words = []
        if len(words) == len(spoken["words"]):
            self.words = [(*span, start, end) for span, (_, start, end) in zip(words, spoken["words"])]

    def said(self, at):
        return letters(self.text[self.words[at][0] : self.words[at][1]])

    def content_words(self):
        """Words that carry meaning and are said once."""
        said = [self.said(at) for at in range(len(self.words))]
        return [at for at, word in enumerate(said) if len(word) >= 4 and word not in SLIGHT and said.count(word) == 1]

    def gaps(self, pattern):
        """Words whose text up to the next word has the pattern in it."""
        between = [self.text[one[1] - 1 : next[0] + 1] for one, next in zip(self.words, self.words[1:])]
        return [at for at, text in enumerate(between) if re.fullmatch(pattern, text)]

    def sentences(self):
        """Ranges in words."""
        ends = [at for at, word in enumerate(self.words) if re.search(r"[.!?][\"'”’)]*$", self.text[: word[1]])]
        ends = [at for at in ends if at + 1 < len(self.words)] + [len(self.words) - 1]
        return list(zip([0] + [end + 1 for end in ends], ends))


def damage(fault, take, others, rng):
    """Samples with one fault, and where it is in milliseconds; none if the take has no room for it."""
    rate, samples = read(take.path)

    def at(ms):
        return ms * rate // 1000

    if fault == "tail cut":
        end = max(at for at, sample in enumerate(samples) if abs(sample) > 300) * 1000 // rate
        start = max(end - rng.randint(200, 600), 100)
        return rate, samples[: at(start)], start, start
    if fault == "other text":
        _, other = read(rng.choice(others).path)
        return rate, other, 0, len(other) * 1000 // rate
    if not take.words:
        return None
    if fault == "sentence cut":
        sentences = take.sentences()
        if len(sentences) < 2:
            return None
        first, last = rng.choice(sentences)
        start = take.words[first][2]
        end = take.words[last + 1][2] if last + 1 < len(take.words) else len(samples) * 1000 // rate
        return rate, samples[: at(start)] + samples[at(end) :], start, start
    if fault in ("static", "silence"):
        choice = take.gaps(r"\w \w")
        if not choice:
            return None
        start = take.words[rng.choice(choice)][3]
        noise = (int(rng.gauss(0, 2500)) for _ in range(at(500)))
        put = array.array("h", noise if fault == "static" else bytes(2 * at(500)))
        return rate, samples[: at(start)] + put + samples[at(start) :], start, start + 500
    choice = take.content_words()
    if not choice:
        return None
    word = rng.choice(choice)
    _, _, start, end = take.words[word]
    if fault == "word cut":
        return rate, samples[: at(start)] + samples[at(end) :], start, start
    said = take.said(word)
    pool = [
        (other, index)
        for other in others
        for index in other.content_words()
        if other.said(index)[:2] != said[:2] and abs(len(other.said(index)) - len(said)) <= 1
    ]
    if not pool:
        return None
    other, index = rng.choice(pool)
    _, donor = read(other.path)
    put = donor[at(other.words[index][2]) : at(other.words[index][3])]
    return rate, samples[: at(start)] + put + samples[at(end) :], start, start + len(put) * 1000 // rate


def is_placed(verdict, start, end, fault):
    """Whether a complaint lies within a second of the fault."""
    return fault == "other text" or any(
        complaint["start_ms"] - 1000 <= end and start <= complaint["end_ms"] + 1000
        for complaint in verdict.get("complaints", [])
    )


def good_takes(bench, jobs, count):
    """(path, text) of takes from all over the jobs, decoded."""
    takes, rng = [], random.Random(11)
    for job in jobs:
        with open(os.path.join(job, "script.jsonl"), encoding="utf-8") as file:
            segments = list({line["key"]: line["text"] for line in map(json.loads, file) if "text" in line}.items())
        rng.shuffle(segments)
        chosen = segments[: count // len(jobs)]
        takes += [(os.path.join(job, "takes", key[:2], key + ".flac"), text) for key, text in chosen]
    made = []
    for at, (flac, text) in enumerate(takes):
        path = os.path.join(bench.folder, f"good-{at:04}.wav")
        if not os.path.exists(path):
            ffmpeg = [f"{bench.root}/.deps/bin/ffmpeg", "-v", "error", "-y", "-i", flac]
            subprocess.run([*ffmpeg, "-c:a", "pcm_s16le", path], check=True)
            with open(path[:-4] + ".txt", "w", encoding="utf-8") as file:
                file.write(text)
        made.append((path, text))
    return made


def told(verdict):
    return "; ".join(
        f"{it['fault']} {it.get('written', '')!r} {it.get('heard', '')!r} {it.get('finding', {}).get('kind', '')}"
        for it in verdict.get("complaints", [])
    )


def false_alarms(bench, takes):
    answers, doubted, searched = bench.verdicts("good", takes)
    alarms = [at for at, verdict in enumerate(answers) if verdict["decision"] != "accept"]
    print(f"{len(takes)} good takes: {doubted} second opinions, {searched} searches, {len(alarms)} false alarms")
    for at in alarms:
        print(f"    {takes[at][1]!r}: {told(answers[at])}")


def damaged(bench, good, count):
    spoken = [os.path.join(bench.tools, "examples", "spoken_words"), f"{bench.root}/.deps/models/starter-en"]
    good = random.Random(17).sample(good, min(4 * count, len(good)))
    times = lines_of(spoken, [text for _, text in good])
    takes = [Take(path, text, of) for (path, text), of in zip(good, times)]
    rng, plan = random.Random(17), []
    for fault in FAULTS:
        left = count
        for number, take in enumerate(takes):
            made = damage(fault, take, [it for it in takes if it is not take], rng) if left > 0 else None
            if made is not None:
                rate, samples, start, end = made
                path = os.path.join(bench.folder, f"{fault.replace(' ', '-')}-{number:04}.wav")
                write(path, rate, samples, take.text)
                plan.append((fault, path, take.text, start, end))
                left -= 1
    answers, doubted, searched = bench.verdicts("damaged", [(path, text) for _, path, text, _, _ in plan])
    print(f"\n{len(plan)} damaged takes, {doubted} second opinions, {searched} searches\n")
    print("| fault in a take | made | found | placed |\n|---|---|---|---|")
    for fault in FAULTS:
        own = [(entry, verdict) for entry, verdict in zip(plan, answers) if entry[0] == fault]
        found = [(entry, verdict) for entry, verdict in own if verdict["decision"] == "retry"]
        placed = [it for it in found if is_placed(it[1], it[0][3], it[0][4], fault)]
        print(f"| {fault} | {len(own)} | {len(found)} | {len(placed)} |")
        for entry, verdict in own:
            if verdict["decision"] != "retry" or not is_placed(verdict, entry[3], entry[4], fault):
                why = "missed" if verdict["decision"] != "retry" else f"misplaced ({told(verdict)})"
                print(f"{why}: {fault} at {entry[3]} ms: {entry[2]!r}, {entry[1]}", file=sys.stderr)


def main():
    tools, root, folder, good, count, *jobs = sys.argv[1:]
    bench = Bench(tools, root, folder)
    takes = good_takes(bench, jobs, int(good))
    false_alarms(bench, takes)
    damaged(bench, takes, int(count))


if __name__ == "__main__":
    main()
