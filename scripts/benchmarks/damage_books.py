"""Damages a good audiobook on purpose, and counts what `narratord verify` finds of it.

  damage_books.py TOOLS ROOT FOLDER COUNT JOB [SEED [FAULT…]]

TOOLS is the folder of the built programs, ROOT that of the repository, JOB the job folder of a plain-text book that
the starter voice spoke. From stretches of the book, each a few segments in a row, damaged ones are made: COUNT for
each fault, one fault in each, and no stretch twice. They are put together to audiobooks, their text to books, and
each pair is verified as a person would. Words and sentences are cut where the voice itself says that they are, so
what is cut is gone. A fault is found when a sure difference is told of its stretch, and placed when one is told
within a word or a second of it. Faults that a voice makes are in the take before they are in the book: these takes
go through the gate too, and what neither of the two finds is what a listener would find. Static and silence are not
here: they take no word away, and are the gate's matter. Prints a table by fault, and on standard error what was
missed and what was held against good speech. Everything is chosen by the seed, 5 unless given, and all faults are
made unless some are named. FOLDER keeps what was made: a second run with it only verifies again.
"""

import array
import json
import os
import random
import re
import subprocess
import sys
import wave

from damage_takes import Bench, lines_of, write

FAULTS = [
    "segment dropped",
    "segment doubled",
    "segments swapped",
    "heading missing",
    "sentence cut",
    "word cut",
    "word replaced",
    "tail cut",
    "other text",
    "none",
]
# Those that the gate hears, in the one take that has them.
OF_A_TAKE = ["sentence cut", "word cut", "word replaced", "tail cut", "other text"]
SLIGHT = set(
    "about been before could does ever every from have hers here into just more most much must only other over "
    "said shall should some such than that their them then there these they this those upon very were what when "
    "where which while whom will with would your".split()
)
# Segments of a stretch: the fault is in the middle one, and good speech is on both sides of it.
LENGTH = 5
STRETCHES_OF_A_BOOK = 30


def letters(text):
    return re.sub(r"[^a-z]", "", text.lower())


class Take:
    """A segment's sound, its words, and when the voice says them."""

    def __init__(self, segment, source, samples, rate, spoken):
        self.pause_ms, self.samples, self.rate = segment["pause_after_ms"], samples, rate
        self.text, self.heading = segment["text"], segment["kind"] == "heading"
        self.start = segment["span"]["start"]
        # The words as they stand in the book, when they pair up with those that the voice says.
        book = source[segment["span"]["start"] : segment["span"]["end"]].decode()
        words = [(it.start(), it.end()) for it in re.finditer(r"[^\s—–-]+", book) if letters(it.group())]
        paired = len(words) == len(spoken)
        self.book = book
        self.words = [(*span, *times[1:]) for span, times in zip(words, spoken)] if paired else []

    def said(self, at):
        return letters(self.book[self.words[at][0] : self.words[at][1]])

    def place(self, first, last):
        """Of words: bytes of the book's file."""
        before = lambda at: self.start + len(self.book[:at].encode())
        return before(self.words[first][0]), before(self.words[last][1])

    def content_words(self):
        said = [self.said(at) for at in range(len(self.words))]
        return [at for at, word in enumerate(said) if len(word) >= 4 and word not in SLIGHT and said.count(word) == 1]

    def sentences(self):
        ends = [at for at, word in enumerate(self.words) if re.search(r"[.!?][\"'”’)_]*$", self.book[: word[1]])]
        ends = [at for at in ends if at + 1 < len(self.words)] + [len(self.words) - 1]
        return list(zip([0] + [end + 1 for end in ends], ends))

    def sample(self, ms):
        return ms * self.rate // 1000

    def without(self, start_ms, end_ms, put=None):
        put = put if put is not None else array.array("h")
        return self.samples[: self.sample(start_ms)] + put + self.samples[self.sample(end_ms) :]

    def length_ms(self):
        return len(self.samples) * 1000 // self.rate


def whole(take):
    return take.start, take.start + len(take.book.encode())


def damage(fault, takes, others, rng):
    """A stretch with a fault: what is played, as (samples, pause), the bytes of the book that it touches, and which
    of what is played begins where the fault is, with milliseconds into it; none if it has no room for the fault."""
    played = [(take.samples, take.pause_ms) for take in takes]
    middle = LENGTH // 2
    if fault == "heading missing":
        middle = next((at for at, take in enumerate(takes) if take.heading), None)
    if middle is None:
        return None
    take = takes[middle]
    place, at_ms = whole(take), 0
    if fault == "none":
        return played, None, None, 0
    if fault in ("segment dropped", "heading missing"):
        if fault == "segment dropped" and take.heading:
            return None
        del played[middle]
    elif fault == "segment doubled":
        played.insert(middle, played[middle])
    elif fault == "segments swapped":
        other = takes[middle + 1]
        if letters(other.text) == letters(take.text):
            return None
        played[middle], played[middle + 1] = played[middle + 1], played[middle]
        place = (place[0], whole(other)[1])
    elif fault == "other text":
        other = rng.choice(others)
        if len(take.text) < 25 or not 0.5 < len(other.text) / len(take.text) < 2:
            return None
        played[middle] = (other.samples, take.pause_ms)
    elif not take.words:
        return None
    elif fault == "sentence cut":
        sentences = take.sentences()
        if len(sentences) < 2:
            return None
        first, last = rng.choice(sentences)
        start = take.words[first][2]
        end = take.words[last + 1][2] if last + 1 < len(take.words) else take.length_ms()
        played[middle] = (take.without(start, end), take.pause_ms)
        place, at_ms = take.place(first, last), start
    elif fault == "tail cut":
        end = max(at for at, sample in enumerate(take.samples) if abs(sample) > 300) * 1000 // take.rate
        at_ms = max(end - rng.randint(200, 600), 100)
        played[middle] = (take.without(at_ms, take.length_ms()), take.pause_ms)
        last = len(take.words) - 1
        place = take.place(next((at for at, word in enumerate(take.words) if word[3] > at_ms), last), last)
    else:
        choice = take.content_words()
        if not choice:
            return None
        word = rng.choice(choice)
        _, _, start, end = take.words[word]
        put = None
        if fault == "word replaced":
            said = take.said(word)
            pool = [
                (other, at)
                for other in rng.sample(others, 40)
                for at in other.content_words()
                if other.said(at)[:2] != said[:2] and abs(len(other.said(at)) - len(said)) <= 1
            ]
            if not pool:
                return None
            other, at = rng.choice(pool)
            put = other.samples[other.sample(other.words[at][2]) : other.sample(other.words[at][3])]
        played[middle] = (take.without(start, end, put), take.pause_ms)
        place, at_ms = take.place(word, word), start
    return played, place, middle, at_ms


def load(tools, root, job):
    """Every segment's text and place, and a function that fetches its take."""
    with open(os.path.join(job, "script.jsonl"), encoding="utf-8") as file:
        segments = [line for line in map(json.loads, file) if "text" in line]
    with open(os.path.join(job, "job.toml"), encoding="utf-8") as file:
        source = re.search(r'^source = "(.*)"$', file.read(), re.M).group(1)
    with open(source, "rb") as file:
        source = file.read()
    command = [os.path.join(tools, "examples", "spoken_words"), f"{root}/.deps/models/starter-en"]
    spoken = lines_of(command, [segment["text"] for segment in segments])
    ffmpeg = f"{root}/.deps/bin/ffmpeg"

    def takes(numbers):
        made = []
        for segment, of in ((segments[at], spoken[at]) for at in numbers):
            flac = os.path.join(job, "takes", segment["key"][:2], segment["key"] + ".flac")
            raw = [ffmpeg, "-v", "error", "-i", flac, "-f", "s16le", "-ar", "24000", "-ac", "1", "-"]
            samples = array.array("h", subprocess.run(raw, check=True, stdout=subprocess.PIPE).stdout)
            made.append(Take(segment, source, samples, 24000, of["words"]))
        return made

    return segments, source, takes


def make(tools, root, job, count, seed, faults):
    """Damaged stretches: fault, what is played with its place and time, the text, where that begins, and the text of the
    take that has the fault."""
    segments, source, fetch = load(tools, root, job)
    rng = random.Random(seed)
    starts = list(range(0, len(segments) - LENGTH, LENGTH))
    rng.shuffle(starts)
    others = [take for take in fetch(rng.sample(range(len(segments)), 150)) if not take.heading]
    left, stretches = dict.fromkeys(faults, count), []
    # A heading stands where it stands; all other faults take what comes.
    with_heading = [at for at in starts if any(it["kind"] == "heading" for it in segments[at + 1 : at + LENGTH - 1])]
    for fault in sorted(faults, key=lambda fault: fault != "heading missing"):
        choice = with_heading if fault == "heading missing" else starts
        while left[fault] > 0 and choice:
            begin = choice.pop()
            if choice is with_heading:
                starts.remove(begin)
            takes = fetch(range(begin, begin + LENGTH))
            made = damage(fault, takes, others, rng)
            if made is None:
                continue
            left[fault] -= 1
            first, last = segments[begin]["span"], segments[begin + LENGTH - 1]["span"]
            spoken = takes[LENGTH // 2].text
            stretches.append((fault, made, source[first["start"] : last["end"]], first["start"], spoken))
    rng.shuffle(stretches)
    return stretches


def assemble(root, folder, number, stretches):
    """One audiobook and its book; of each stretch where it is in both, where its fault is, and the take that has it."""
    book, samples, truth = b"", array.array("h"), []
    for index, (fault, (played, place, middle, at_ms), text, offset, spoken) in enumerate(stretches):
        begin, moment = len(samples) * 1000 // 24000, None
        for at, (sound, pause_ms) in enumerate(played):
            if at == middle:
                moment = len(samples) * 1000 // 24000 + at_ms
            samples += sound
            samples += array.array("h", bytes(2 * 24 * max(pause_ms, 100)))
        if middle is not None and moment is None:
            moment = len(samples) * 1000 // 24000
        shift = len(book) - offset
        bytes_at = (len(book), len(book) + len(text))
        at = (place[0] + shift, place[1] + shift) if place else None
        take = None
        if fault in OF_A_TAKE:
            take = (os.path.join(folder, f"take-{number}-{index:02}.wav"), spoken)
            write(take[0], 24000, played[middle][0], spoken)
        truth.append((fault, bytes_at, at, (begin, len(samples) * 1000 // 24000), moment, take))
        book += text + b"\n\n"
        samples += array.array("h", bytes(2 * 24 * 900))
    base = os.path.join(folder, f"damaged-{number}")
    with open(base + ".txt", "wb") as file:
        file.write(book)
    with wave.open(base + ".wav", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        file.writeframes(samples.tobytes())
    encode = [f"{root}/.deps/bin/ffmpeg", "-v", "error", "-y", "-i", base + ".wav"]
    subprocess.run([*encode, "-c:a", "aac", "-b:a", "64k", base + ".m4b"], check=True)
    os.remove(base + ".wav")
    return base, truth


def verify(tools, base):
    command = [os.path.join(tools, "narratord"), "verify", "--plain", "--json"]
    command += ["--book", base + ".txt", "--audio", base + ".m4b"]
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if out.returncode not in (0, 3):
        sys.exit(f"damage_books: narratord verify ended with {out.returncode} over {base}")
    with open(base + ".json", "w", encoding="utf-8") as file:
        file.write(out.stdout)
    return json.loads(out.stdout)


def told(it):
    opinions = [(round(one["to_heard"], 1), round(one["to_nothing"], 1)) for one in it.get("opinions", [])]
    return f"{it['kind']} {it['written']!r} as {it['heard']!r} {opinions}"


def main():
    tools, root, folder, count, job, *more = sys.argv[1:]
    seed, faults = int(more[0]) if more else 5, more[1:] or FAULTS
    plan = os.path.join(folder, "truth.json")
    if not os.path.exists(plan):
        stretches = make(tools, root, job, int(count), seed, faults)
        books = [
            assemble(root, folder, at // STRETCHES_OF_A_BOOK, stretches[at : at + STRETCHES_OF_A_BOOK])
            for at in range(0, len(stretches), STRETCHES_OF_A_BOOK)
        ]
        with open(plan, "w", encoding="utf-8") as file:
            json.dump(books, file)
    with open(plan, encoding="utf-8") as file:
        books = json.load(file)
    takes = [take for _, truth in books for *_, take in truth if take]
    verdicts, _, _ = Bench(tools, root, folder).verdicts("takes", takes)
    refused = {path for (path, _), verdict in zip(takes, verdicts) if verdict["decision"] != "accept"}
    rows, alarms, words, audio_s = {}, [], 0, 0.0
    for base, truth in books:
        found = verify(tools, base)
        words, audio_s = words + found["words_in_book"], audio_s + found["audio_s"]
        for fault, of, place, _, moment, take in truth:
            mine = [it for it in found["differences"] if of[0] <= it["span"]["start"] < of[1]]
            near = [
                it
                for it in mine
                if place
                and (
                    (it["span"]["start"] <= place[1] + 1 and it["span"]["end"] >= place[0] - 1)
                    or (it["start_ms"] - 1000 <= moment <= it["end_ms"] + 1000)
                )
            ]
            alarms += [it for it in mine if it not in near]
            gate = take is not None and take[0] in refused
            row = (1, bool(mine), bool(near), gate, gate or bool(near))
            rows[fault] = tuple(map(sum, zip(rows.get(fault, (0,) * len(row)), row)))
            if place and not near:
                doubts = found["unsure"] + found.get("cleared_places", [])
                unsure = [it for it in doubts if of[0] <= it["span"]["start"] < of[1]]
                with open(base + ".txt", "rb") as file:
                    text = file.read()[place[0] : place[1]].decode()
                doubted = "; ".join(told(it) for it in unsure)
                by = "the audit" if gate else "both"
                print(f"missed by {by}: {fault}: {text!r} at {moment} ms of {base}; doubted: {doubted}", file=sys.stderr)
    print(f"{sum(row[0] for row in rows.values())} stretches, {words} words, {audio_s / 60:.0f} minutes\n")
    print("| fault in a book | made | found by the audit | and placed | found by the gate | by either |")
    print("|---|---|---|---|---|---|")
    for fault in (fault for fault in FAULTS if fault in rows and fault != "none"):
        made, hit, placed, gate, either = rows[fault]
        gate = gate if fault in OF_A_TAKE else "–"
        print(f"| {fault} | {made} | {hit} | {placed} | {gate} | {either} |")
    print(f"\n{len(alarms)} differences where nothing was done, {sum(it['lost'] for it in alarms)} words lost by them")
    for it in alarms:
        print(f"alarm: {told(it)}", file=sys.stderr)


main()
