"""Matching the words of a rule: whole words in every script, and the beginnings of words with `*`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.releases.fold import fold
from newsletter.releases.rules.match_words import find, find_formerly


def found(words: str, text: str) -> bool:
    return find(words, fold(text))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        # Whole words, in any script and case.
        ("été", "L'été arrive"),
        ("ÉTÉ", "en été."),
        ("газ", "Газ дорожает"),
        ("ενέργεια", "η ενέργεια, και"),
        ("हिन्दी", "यह हिन्दी है"),
        ("énergie solaire", "L'énergie\n solaire avance"),
        ("c++", "Written in C++."),
        ("naïve", "nai\u0308ve"),  # written with a combining mark
        # A beginning of a word.
        ("газ*", "Газопровод"),
        ("газ*", "газ"),
        ("heat* pump*", "Heating pumps"),
        ("port*", "ports"),
        # Scripts without spaces between words, or with particles joined to the word.
        ("風力", "北浜沖の洋上風力発電所"),
        ("데이터", "데이터센터를"),
        ("พลังงาน", "กระทรวงพลังงานประกาศ"),
        ("ພະລັງງານ", "ກະຊວງພະລັງງານແລະ"),
        ("ថាមពល", "ក្រសួងថាមពលបាន"),
        ("စွမ်းအင်", "လျှပ်စစ်စွမ်းအင်ဝန်ကြီး"),
        ("カー", "スポーツカーの"),
        ("AI", "最新AI技術"),
        ("AI", "AI가"),
        ("5G", "5G通信"),
        ("AI技術", "最新AI技術者"),
        # Prefixes that are joined to the word.
        ("طاقة", "الطاقة"),
        ("طاقة", "وبالطاقة"),
        ("الطاقة", "للطاقة"),
        ("الطاقة", "والطاقة"),
        ("وزارة الطاقة", "لوزارة الطاقة"),
        ("طاقة متجددة", "الطاقة المتجددة"),
        ("אנרגיה", "האנרגיה"),
        ("אנרגיה", "ושבאנרגיה"),
        ("אנרגיה", "במשרד לאנרגיה"),
    ],
)
def test_these_words_are_found(words, text):
    assert found(words, text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("été", "Les sociétés"),
        ("газ", "магазин"),
        ("газ", "газопровод"),
        ("газ*", "магазин"),
        ("heat* pump", "heat pumps"),
        ("हिन्द", "हिन्दी"),  # what follows is a vowel sign of the same word
        ("کتاب", "کتابخانه"),
        ("port", "ports"),
        ("port", "2port"),
        ("AI", "AIDS薬"),
        ("AI技術", "OpenAI技術"),
        ("طاقة", "بطاقةية"),
        ("طاقة", "سابطاقة"),
        ("אנרגיה", "ביואנרגיה"),
        ("énergie solaire", "énergie, solaire"),
    ],
)
def test_these_words_are_not_found(words, text):
    assert not found(words, text)


# Characters of scripts with spaces, and combining marks.
LETTERS = st.sampled_from("aebZéßñłгазщЯοίςհայქარहनद")
WORD = st.builds(
    lambda first, rest: first + rest,
    LETTERS,
    st.text(st.one_of(LETTERS, st.sampled_from("\u0301ि्")), max_size=4),
)


@given(WORD, st.lists(WORD, max_size=6), st.sampled_from(" \n,.-’'«(/"))
def test_a_word_is_found_only_as_a_whole_word(word, text, gap):
    whole = {fold(each) for each in text}
    joined = gap.join(text)

    assert found(word, joined) is (fold(word) in whole)
    assert found(f"{word}*", joined) is any(each.startswith(fold(word)) for each in whole)


@given(
    st.text(st.sampled_from("風力発電カーวันဖြစ်데이터"), min_size=1, max_size=4),
    st.text(max_size=5),
    st.text(max_size=5),
)
def test_a_word_of_a_script_without_spaces_is_found_between_anything(word, before, after):
    assert find(word, f"{fold(before)}{fold(word)}{fold(after)}")


def test_find_formerly_matches_as_rules_did_before():
    assert find_formerly("été", fold("Les sociétés"))
    assert find_formerly("газ*", fold("магазин"))
    assert not find_formerly("port", fold("ports"))
    assert find_formerly("port", fold("the port"))
