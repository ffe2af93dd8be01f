"""Words for the index: any script is found, and what does not match does not."""

import pytest

from plugins.message_search.words import index_text, query_tokens, score, words_of


def found_by_index(query, text):
    tokens = index_text(text).split()
    return all(
        any(one.startswith(token) if is_begun else one == token for one in tokens)
        for token, is_begun in query_tokens(words_of(query))
    )


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("hello", "Hello, world!"),
        ("wor", "Hello, world!"),
        ("STRASSE", "Straße"),
        ("ｆｕｌｌ", "full width"),
        ("привет", "Ну, ПРИВЕТ"),
        ("приве", "привет"),
        ("北京", "我爱北京天安门"),
        ("京", "北京"),
        ("北", "北京"),
        ("天安门", "我爱北京天安门"),
        ("テスト", "これはテストです"),
        ("안녕", "안녕하세요"),
        ("สวัสดี", "สวัสดีครับ"),
        ("v2 北京", "北京 v2 release"),
        ("the", "the who"),
    ],
)
def test_what_is_said_is_found(query, text):
    assert found_by_index(query, text)
    assert score(words_of(query), text) > 0


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("world", "hello"),
        ("ab", "abc"),
        ("orld", "world"),
        ("京北", "北京"),
        ("北门", "我爱北京天安门"),
        ("hello moon", "hello"),
    ],
)
def test_what_is_not_said_is_not_found(query, text):
    assert score(words_of(query), text) == 0
    assert not found_by_index(query, text)


def test_tokens_are_ascii_and_short_enough_for_any_engine():
    text = f"{'long' * 50} {'длинный' * 30} 北京 _x_"
    for token in index_text(text).split():
        assert token.isascii()
        assert token.isalnum()
        assert 3 <= len(token) <= 84


def test_a_text_that_says_little_else_is_closer():
    assert score(["cheese"], "cheese") > score(["cheese"], "cheese is one of many things")
    assert score(["cheese"], "cheese here") > score(["cheese"], "cheeses here")
