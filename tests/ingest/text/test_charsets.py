"""Charsets older than Unicode are told by the characters of a language."""

# ruff: noqa: E501

from __future__ import annotations

import unicodedata

import pytest

from newsletter.ingest.text.decode import decode

TEXTS = {
    "ja": "南浜港湾株式会社は本日、灯台を点灯しました。新しい灯台は海の向こうの島まで光を届けます。工事は夏までに終わる予定です。",
    "ko": "남항공사는 오늘 새 등대를 켰다고 밝혔다. 새 등대는 바다 건너 섬까지 빛을 보낸다. 공사는 여름까지 끝날 예정이다.",
    "zh": "南港公司今天点亮了新的灯塔。新的灯塔可以照亮整个海湾,渔民说晚上的海更近了。公司负责人表示,旧的灯在施工期间照常工作。",
    "zh-Hant": "南港公司今天點亮了新的燈塔。新的燈塔可以照亮整個海灣,漁民說晚上的海更近了。公司負責人表示,為國家的人民服務。",
    "ru": "Порт сегодня открыл новый маяк. Он освещает весь залив, и рыбаки говорят, что море ночью стало ближе.",
    "uk": "Порт сьогодні відкрив новий маяк. Він освітлює всю затоку, і рибалки кажуть, що море вночі ближче.",
    "el": "Το λιμάνι άνοιξε σήμερα έναν νέο φάρο. Φωτίζει όλον τον κόλπο και οι ψαράδες λένε ότι η θάλασσα είναι κοντά.",
    "he": "הנמל פתח היום מגדלור חדש. הוא מאיר את כל המפרץ, והדייגים אומרים שהים בלילה קרוב יותר.",
    "ar": "افتتح الميناء اليوم منارة جديدة تضيء الخليج كله، ويقول الصيادون إن البحر في الليل صار أقرب.",
    "th": "วันนี้ท่าเรือเปิดประภาคารใหม่ซึ่งส่องสว่างทั้งอ่าว และชาวประมงบอกว่าทะเลในเวลากลางคืนอยู่ใกล้ขึ้น",
    "pl": "Port otworzył dziś nową latarnię morską. Oświetla ona całą zatokę, a rybacy mówią, że morze nocą jest bliżej.",
    "cs": "Přístav dnes otevřel nový maják. Osvětluje celý záliv a rybáři říkají, že moře je v noci blíže, jak uvedl ředitel.",
    "hu": "A kikötő ma új világítótornyot nyitott. Az egész öblöt megvilágítja, és a halászok szerint a tenger éjjel közelebb van.",
    "lt": "Uostas šiandien atidarė naują švyturį. Jis apšviečia visą įlanką, ir žvejai sako, kad jūra naktį tapo artimesnė.",
    "tr": "Liman bugün yeni bir deniz feneri açtı. Fener bütün körfezi aydınlatıyor ve balıkçılar için deniz artık daha yakın.",
    "de": "Der Hafen hat heute einen neuen Leuchtturm eröffnet. Er beleuchtet die ganze Bucht, und die Fischer sagen, dass es schön ist.",
    "fr": "Le port a ouvert un nouveau phare. Il éclaire toute la baie, et les pêcheurs disent que la mer est plus proche à la nuit.",
    "da": "Havnen åbnede i dag et nyt fyr. Det oplyser hele bugten, og fiskerne siger, at havet er tættere på om natten.",
}
CHARSETS = {
    "ja": ("shift_jis", "cp932", "euc_jp"),
    "ko": ("euc_kr", "cp949", "johab"),
    "zh": ("gb2312", "gbk", "gb18030"),
    "zh-Hant": ("big5", "cp950", "big5hkscs"),
    "ru": ("cp1251", "koi8-r", "iso8859-5", "cp866", "mac_cyrillic", "cp855"),
    "uk": ("cp1251", "koi8-u", "iso8859-5", "cp1125", "mac_cyrillic"),
    "el": ("cp1253", "iso8859-7", "cp737", "cp869", "mac_greek"),
    "he": ("cp1255", "iso8859-8", "cp862"),
    "ar": ("cp1256", "iso8859-6"),
    "th": ("cp874", "tis-620"),
    "pl": ("cp1250", "iso8859-2", "cp852", "mac_latin2", "iso8859-16"),
    "cs": ("cp1250", "iso8859-2", "cp852", "mac_latin2"),
    "hu": ("cp1250", "iso8859-2", "cp852", "mac_latin2"),
    "lt": ("cp1257", "iso8859-13", "cp775", "iso8859-4"),
    "tr": ("cp1254", "iso8859-9", "cp857", "mac_turkish"),
    "de": ("cp1252", "iso8859-1", "cp850", "cp437", "mac_roman"),
    "fr": ("cp1252", "iso8859-1", "cp850", "mac_roman"),
    "da": ("cp1252", "iso8859-1", "cp865", "mac_roman"),
}


@pytest.mark.parametrize(
    ("language", "codec"), [(each, codec) for each, codecs in CHARSETS.items() for codec in codecs]
)
def test_prose_in_a_charset_of_its_language_is_decoded(language: str, codec: str) -> None:
    text = TEXTS[language]

    assert decode(text.encode(codec), "a.txt") == text


def test_vietnamese_with_marks_behind_its_letters_is_decoded() -> None:
    text = "Cảng hôm nay đã mở một ngọn hải đăng mới. Nó chiếu sáng cả vịnh và ngư dân nói rằng biển vào ban đêm gần hơn."
    marks = "\u0300\u0301\u0303\u0309\u0323"
    apart = ""
    for char in text:
        pieces = unicodedata.normalize("NFD", char)
        letter = unicodedata.normalize("NFC", "".join(each for each in pieces if each not in marks))
        apart += letter + "".join(each for each in pieces if each in marks)

    assert decode(apart.encode("cp1258"), "a.txt") == text


def test_a_text_of_no_known_language_is_windows_1252() -> None:
    assert decode("Zzz \u2013 qqq\u00b0".encode("cp1252"), "a.txt") == "Zzz \u2013 qqq\u00b0"
