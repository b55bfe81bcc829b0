"""Detect the language of a text."""

from __future__ import annotations

import pytest

from newsletter.ingest.text.language import detect_language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The minister said that the bridge will be open by the end of the year."),
        (
            "de",
            "Der Minister sagte, dass die Brücke noch in diesem Jahr eröffnet wird und nicht mehr schließt.",
        ),
        ("fr", "Le ministre a déclaré que le pont sera ouvert à la fin de l'année pour tous les habitants."),
        ("es", "El ministro dijo que el puente se abrirá antes del fin de año para todos los vecinos."),
        ("it", "Il ministro ha detto che il ponte sarà aperto alla fine dell'anno per tutti gli abitanti."),
        ("pt", "O ministro disse que a ponte não será aberta antes do fim do ano para os moradores."),
        ("nl", "De minister zei dat de brug aan het einde van het jaar wordt geopend voor het verkeer."),
        ("pl", "Minister powiedział, że most będzie gotowy do końca roku i nie jest jeszcze otwarty."),
        ("lt", "Ministras sakė, kad tiltas bus baigtas iki metų pabaigos ir yra labai svarbus šaliai."),
        ("lv", "Ministrs sacīja, ka tilts tiks pabeigts līdz gada beigām un ir ļoti svarīgs valstij."),
        ("et", "Minister ütles, et sild on valmis aasta lõpuks ja see ei ole enam suletud, kuid ka oodatud."),
        ("fi", "Ministeri sanoi, että silta on valmis vuoden loppuun mennessä, mutta se ei ole vielä auki."),
        ("sv", "Ministern sade att bron ska vara klar till slutet av året och att den inte är stängd."),
        (
            "cs",
            "Ministr řekl, že most bude hotový do konce roku a že se na něm nepracuje, ale podle plánu.",
        ),
        ("ru", "Министр сказал, что мост будет готов до конца года и что он уже не закрыт."),
        ("uk", "Міністр сказав, що міст буде готовий до кінця року і що він вже не закритий."),
        ("ja", "大臣は橋が年内に完成すると述べました。"),
        ("zh", "部长表示，大桥将于年底完工。"),
        ("ko", "장관은 다리가 연말까지 완공될 것이라고 밝혔다."),
        ("ar", "قال الوزير إن الجسر سيكون جاهزا في نهاية العام."),
        ("fa", "وزیر گفت که این پل تا پایان سال آماده می‌شود و برای همه باز است."),
        ("el", "Ο υπουργός είπε ότι η γέφυρα θα είναι έτοιμη."),
        ("he", "השר אמר כי הגשר יהיה מוכן עד סוף השנה."),
        ("und", "1234 5678 !!"),
        ("und", "Xqzt brfl klmp wrtz dvgh snbt kplw fghr mnbv qwrt zxcv plkj hgfd"),
        ("pa", "ਬੰਦਰਗਾਹ ਨੇ ਮੰਗਲਵਾਰ ਨੂੰ ਉੱਤਰੀ ਘਾਟ ਖੋਲ੍ਹਿਆ।"),
        ("gu", "બંદરે મંગળવારે ઉત્તર ઘાટ ખોલ્યો."),
        ("te", "ఓడరేవు మంగళవారం ఉత్తర రేవును తెరిచింది."),
        ("kn", "ಬಂದರು ಮಂಗಳವಾರ ಉತ್ತರ ಧಕ್ಕೆಯನ್ನು ತೆರೆಯಿತು."),
        ("ml", "തുറമുഖം ചൊവ്വാഴ്ച വടക്കൻ കടവ് തുറന്നു."),
    ],
)
def test_the_language_of_a_text_is_detected(language: str, text: str) -> None:
    assert detect_language(text) == language
