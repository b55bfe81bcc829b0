"""Cleaning and checking the HTML of templates. Attacks are in newsletters/templates/test_check.py."""

from __future__ import annotations

from newsletter.messages.templates.markup import (
    check_markup,
    check_visible,
    clean_markup,
    count_marks,
    images_in,
)

MARK = "\ue000reason\ue002"


def test_usual_markup_is_kept_and_has_no_fault():
    page = '<table class="a" width="100%"><tbody><tr><td align="left"><a href="https://a.example/">b</a></td></tr></tbody></table>'

    assert check_markup(page) == []
    assert clean_markup(page) == page


def test_cleaning_removes_what_the_check_names():
    page = '<p onclick="x()">a<script>b</script><video src="a"></video><a href="javascript:c">d</a></p>'

    assert len(check_markup(page)) == 4
    assert clean_markup(page) == "<p>a<a>d</a></p>"


def test_marks_count_where_they_are_text():
    page = clean_markup(
        f'<div><a href="https://a.example/{MARK}" title="{MARK}">{MARK}</a></div>{MARK}<!--{MARK}-->'
    )

    assert count_marks(page) == {"reason": [("div", "a"), ()]}


def test_text_is_judged_by_the_colour_and_the_size_that_it_inherits():
    page = (
        '<body style="color:#000"><div class="preheader" style="font-size:1px">unseen</div>'
        '<div style="background:#000">dark <p style="color:#fff">light</p></div>'
        '<p style="font-size:20px"><span style="font-size:40%">small</span></p>after</body>'
    )

    found = [each.words for each in check_visible(page)]

    assert len(found) == 2
    assert found[0].startswith("“dark” has the colour #000000 on #000000")
    assert found[1].startswith("“small” has a size of 8 px")


def test_only_the_image_of_the_release_is_allowed():
    ours = "https://news.example.org/images/a.jpg"
    good = f'<img src="{ours}" width="536" height="357" alt="A mast">'

    assert check_markup(good, ours) == []
    assert images_in(clean_markup(good)) == {ours}
    for page in (good, '<img src="https://evil.example/">', "<img>", f'<img alt="{ours}">'):
        assert check_markup(page)
    assert len(check_markup('<img src="https://evil.example/">', ours)) == 1
    # Two parsers of HTML may see different things, so the cleaned HTML is looked at too.
    odd = '<!--><img src="https://evil.example/"><!-- -->'
    assert images_in(clean_markup(odd)) <= {"https://evil.example/"}
