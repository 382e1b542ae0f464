"""Two thousand varied lines for the tokenizer's goldens, the same on every machine.

Ten languages, digits, quotes, contractions, scripts without spaces, combining marks, emoji, odd white space
and odd punctuation; none begins or ends with white space, as narratord trims a text before it is encoded.
"""
import random

PHRASES = {
    "en": "The old lighthouse keeper hadn't slept|It's nearly nine o'clock, isn't it|we'll follow them home|"
          "She'd said they're late|I'M SURE YOU'VE HEARD|A storm was coming from the west|"
          "Mr. Harding's twenty-third letter|the well-known naïve façade|Chapter One|half a mile away",
    "de": "Der alte Mann saß am Fenster|Übermorgen fährt die Straßenbahn nicht|Ärger über Öl|"
          "Fünfzehn große Füße|die Geschwindigkeitsbegrenzung|Grüß Gott, sagte er leise",
    "fr": "L'été dernier, j'étais à Besançon|Qu'est-ce que c'est|Où êtes-vous allés|"
          "le cœur de l'œuvre|une garçonnière déjà fermée|« Bien sûr », dit-elle",
    "es": "¿Dónde está el niño|¡Qué lástima! No llegó mañana|El pingüino comió jalapeños|"
          "La canción más antigua del año|según él, todavía no",
    "it": "Perché non è più così|L'albero dell'isola è caduto|La città dormiva già|un po' d'acqua",
    "pt": "Não há ninguém à janela|A manhã começou com neblina|Três irmãos e uma avó|pôr-do-sol",
    "ru": "Старый дом стоял у самой реки|Что же ты молчишь|Ёжик в тумане|Она вышла, не попрощавшись",
    "zh": "天色渐渐暗了下来|他说：“明天再来吧。”|一千零一夜的故事|请问，图书馆在哪里|风从山那边吹过来",
    "ja": "むかしむかし、あるところに|おじいさんは山へ芝刈りに|東京タワーは高い|カタカナとひらがな|ありがとうございます",
    "ko": "옛날 옛적에 한 마을이 있었다|그는 조용히 문을 닫았다|내일은 비가 올까요|서울에서 부산까지",
}
ODD = [
    "12,345.67", "1984", "3rd", "№ 7", "50%", "£20", "€1.000,00", "7:45", "A4", "H2O", "x²+y²", "½ cup",
    "don't", "DON'T", "rock'n'roll", "'Tis", "o’clock", "“quoted”", "‘single’", "«guillemets»", "„German“",
    "—dash—", "–", "…", "...", "?!", "!!!", "(aside)", "[note]", "{brace}", "a/b", "C:\\path", "e-mail@host",
    "#tag", "*star*", "_under_", "~", "^", "|", "<b>", "</b>", "&amp;", "👍", "👩‍👩‍👧", "🇩🇪", "é", "e\u0301",
    "ﬁ", "Ⅳ", "①", "\u200b", "ไทย", "हिन्दी", "שלום", "مرحبا", "ελληνικά", "\u00a0", "\u3000", "\t",
    "  ", "   ", "\n", "\n\n", "\r\n", " \n ", "œ", "ß", "İ", "ı", "𝔘𝔫𝔦", "🎧", "Å", "ñ", "\u0301",
]
JOINTS = [" ", " ", " ", ", ", ". ", "; ", ": ", " – ", "—", "", "\n", "? ", "! ", "’ ", "\" "]


def lines(count=2000):
    rng = random.Random(20261123)
    languages = sorted(PHRASES)
    out = []
    while len(out) < count:
        parts = []
        for _ in range(rng.randint(1, 3)):
            language = languages[rng.randrange(len(languages))]
            phrases = PHRASES[language].split("|")
            parts.append(phrases[rng.randrange(len(phrases))])
            if rng.random() < 0.6:
                parts.append(ODD[rng.randrange(len(ODD))])
        text = parts[0]
        for part in parts[1:]:
            text += JOINTS[rng.randrange(len(JOINTS))] + part
        text = text.strip()
        if text:
            out.append(text)
    return out
