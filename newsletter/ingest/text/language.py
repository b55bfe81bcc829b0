"""Detect the language of a text (BCP 47 primary subtag) by its script and its most common words. Pure."""

from __future__ import annotations

import re

_SAMPLE = 20_000
_WORD = re.compile(r"[^\W\d_]+")

# The scripts, each with a pattern that matches one of its characters.
_SCRIPTS = (
    ("latin", re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")),
    ("cyrillic", re.compile(r"[\u0400-\u052f]")),
    ("kana", re.compile(r"[\u3041-\u30fa]")),
    ("han", re.compile(r"[\u4e00-\u9fff]")),
    ("ko", re.compile(r"[\uac00-\ud7a3]")),
    ("arabic", re.compile(r"[\u0620-\u06d3]")),
    ("he", re.compile(r"[\u05d0-\u05ea]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("th", re.compile(r"[\u0e01-\u0e4e]")),
    ("hi", re.compile(r"[\u0904-\u0939]")),
    ("ka", re.compile(r"[\u10d0-\u10ff]")),
    ("hy", re.compile(r"[\u0531-\u0587]")),
    ("bn", re.compile(r"[\u0985-\u09b9]")),
    ("ta", re.compile(r"[\u0b85-\u0bb9]")),
)
# For each language, characters that no other language with the same script uses.
_LETTERS = {
    "cyrillic": (("uk", "іїєґ"), ("be", "ў"), ("sr", "ђћџљњј"), ("mk", "ѓќѕ"), ("kk", "әғқңөұүһ")),
    "arabic": (("ur", "ٹڈڑےں"), ("fa", "پچژگکی")),
}
_STOP_WORDS = {
    "latin": {
        "en": (
            "the of and to in that for with on is was by as from at it its has have will be are this an "
            "not which said"
        ),
        "de": (
            "der die das und ist von den mit im für auf nicht ein eine des dem sich auch wird zu bei "
            "als nach wurde haben"
        ),
        "fr": (
            "le la les des et est une du dans que pour sur par au avec qui pas ce aux plus ont été son "
            "leur cette"
        ),
        "es": (
            "el la los las del que en un una por con para es se su al como más ha fue sus entre este sobre y"
        ),
        "it": (
            "il di che è la per con del della gli una nel alla sono dei delle anche ha più dal degli si "
            "le e non"
        ),
        "pt": (
            "o que da do em para com uma os no na por mais as dos foi ao das pela não são e sua também um"
        ),
        "nl": (
            "de het een van en in is dat op te voor met zijn niet aan door er ook bij naar worden wordt "
            "heeft om"
        ),
        "pl": (
            "w i na z się do że nie jest oraz przez dla o od po to za jak są które ale został będzie "
            "przy roku"
        ),
        "lt": (
            "ir į kad su yra iš bei tai buvo kaip už per jo apie dėl šalies taip ne bus pat kurie nuo "
            "tik dar pasak"
        ),
        "lv": "un ir ar no kas par uz lai arī tiek gada tika bija kā pēc latvijas vai tās to līdz gan viņš",
        "et": "ja on ei et see kui mis ning oma või ka aastal eesti poolt kes ta nii oli selle kuid aga",
        "fi": "ja on että oli se ei hän mutta myös kun ovat joka sen tai mukaan jo kuin sekä suomen vuoden",
        "sv": (
            "och att det som en på är av för med den till inte ett har om de från vid var kan eller "
            "under sig också"
        ),
        "da": (
            "og at det er en af på til der som for med de den har ikke et fra vil blev ved kan også om "
            "været efter"
        ),
        "no": (
            "og at det er en av på til som for med de den har ikke et fra vil ble ved kan også om vært "
            "etter seg"
        ),
        "cs": (
            "a se na v je že s z do o i k ve pro jako by který si jsou podle po také ze byl ale jeho roce od"
        ),
        "sk": (
            "a sa na v je že s z do o aj k vo pre ako by ktorý si sú podľa po tiež zo bol ale jeho roku od"
        ),
        "hu": (
            "a az és hogy nem egy is meg ez volt csak már de mint után szerint még vagy el lesz között ki"
        ),
        "ro": (
            "și în de la a cu pe că din pentru este o mai un care au fost sau prin nu se al ale acest sunt"
        ),
        "tr": (
            "ve bir bu için ile da de olarak olan daha çok en gibi sonra kadar ise tarafından var göre yeni"
        ),
        "hr": "i u je na se da za su od s o koji će bi kao iz sa ali ili te biti koja prema nakon između",
        "sl": "in je v na za se da so z ki s bo pri tudi po kot od iz ne pa bi ter ali med bil leta",
        "id": (
            "yang dan di dengan untuk ini dari dalam pada tidak akan itu oleh juga kepada adalah telah "
            "ke para"
        ),
        "vi": "của và các là những trong được có cho với không một đã người này về tại đến khi năm",
        "sq": "dhe të në për me një që nga është e i si u do ka më janë se nuk tij ishte",
        "af": "die en van in is het dat nie te wat met op vir 'n sal aan deur om ook word was hulle",
        "eu": "eta da ez du dira bat ere egin izan dute hau baina zen dela",
        "ca": "el la els les i de del que en un una per amb és al ha més dels aquest també són no han",
        "is": "og að í er á sem við um til en með var það ekki hefur af verið fyrir",
    },
    "cyrillic": {
        "ru": (
            "и в на с что не по для как это из от был его также до к за о но при году они или который все"
        ),
        "uk": "і в на з що не до та для як це від був його також за про але при році вони або який у й із",
        "be": "і ў на з што не да для як гэта ад быў яго таксама за пра але пры годзе яны ці які у",
        "bg": "и в на с че не за се от да като по е са до това при към ще или които беше след няма бе",
        "sr": "и у на је се да за су од са о који ће би као из али или бити према није након",
        "mk": "и во на се да за со од е дека ќе не што како кои беше според по ги овој",
        "kk": "және мен бұл үшін де да болып бойынша туралы деп бар жылы еді",
    },
    "arabic": {
        "ar": "في من على إلى أن التي عن مع هذا ما الذي كما لا بين هذه بعد كان وقد قال",
        "fa": "در از به که را این با است برای آن های می یک خود تا بر شد کرد و ایران",
        "ur": "کے میں کی ہے اور سے کا کو نے پر یہ ہیں کہ بھی ایک کر",
    },
}
_SETS = {
    script: {language: frozenset(words.split()) for language, words in lists.items()}
    for script, lists in _STOP_WORDS.items()
}


def detect_language(text: str) -> str:
    """Return the BCP 47 primary subtag of the language of `text`, or "und" if it is not clear."""
    sample = text[:_SAMPLE]
    counts = {name: len(pattern.findall(sample)) for name, pattern in _SCRIPTS}
    # One ideograph counts as several characters of an alphabet.
    counts["kana"] *= 3
    counts["han"] *= 3
    counts["ko"] *= 2
    script = max(counts, key=lambda name: counts[name])
    if counts[script] < 4:
        return "und"
    if script in ("kana", "han"):
        return "ja" if counts["kana"] * 12 > counts["han"] else "zh"
    if script not in _SETS:
        return script
    return _by_words(script, sample.casefold())


def _by_words(script: str, sample: str) -> str:
    words = _WORD.findall(sample)
    scores = {
        language: float(sum(word in known for word in words)) for language, known in _SETS[script].items()
    }
    for language, letters in _LETTERS.get(script, ()):
        scores[language] = scores.get(language, 0) + 0.5 * sum(sample.count(letter) for letter in letters)
    best = max(scores, key=lambda language: scores[language])
    # In a long text, two or three words may match by chance. A short title may have only one match.
    if scores[best] < max(1.0, len(words) / 25):
        return "und"
    return best
