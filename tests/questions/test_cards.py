"""Cards: what is due, what a rating does to it, what is kept, and the deck for Anki."""

import json
import sqlite3
import time
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from halfbits import command
from halfbits.grading import store
from halfbits.questions import cards, load

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HALFBITS_HOME", str(tmp_path))


def test_new_cards_come_in_small_numbers_and_in_the_order_of_the_bank():
    assert cards.due(MONDAY) == load()[: cards.NEW_A_DAY]


def test_what_was_begun_today_counts():
    first = cards.due(MONDAY)[0]
    cards.rate(first, 4, MONDAY)
    assert cards.due(MONDAY) == load()[1 : cards.NEW_A_DAY]
    tomorrow = cards.due(MONDAY + timedelta(days=1))
    assert len([card for card in tomorrow if card != first]) == cards.NEW_A_DAY


@pytest.fixture
def eight_hours_behind(monkeypatch):
    """As in Los Angeles."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone cannot be set here")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "PST8")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("eight_hours_behind")
def test_the_day_is_the_learners_own():
    noon = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
    cards.rate(load()[0], 4, noon)
    afternoon, next_morning = noon + timedelta(hours=5), noon + timedelta(hours=19)
    assert cards.due(afternoon) == load()[1 : cards.NEW_A_DAY]
    assert cards.due(next_morning) == load()[1 : cards.NEW_A_DAY + 1]


def test_a_better_rating_means_a_later_day():
    days = [cards.rate(card, rating, MONDAY) for rating, card in enumerate(load()[:4], 1)]
    assert days == sorted(days)
    assert days[0] < MONDAY + timedelta(hours=1)
    assert days[3] > MONDAY + timedelta(days=3)


def test_the_longest_overdue_comes_first_and_the_interval_grows():
    one, two = load()[:2]
    cards.rate(two, 4, MONDAY)
    cards.rate(one, 4, MONDAY + timedelta(hours=1))
    later = MONDAY + timedelta(days=60)
    assert cards.due(later)[:2] == [two, one]
    assert cards.rate(two, 3, later) - later > timedelta(days=30)
    assert cards.due(later)[0] == one


def test_it_is_kept_with_the_progress_of_the_exercises():
    store.update("decode", lambda entry: entry.update(attempts=1))
    cards.rate(load()[0], 3, MONDAY)
    data = json.loads(store.path().read_text())
    assert data["exercises"] == {"decode": {"attempts": 1}}
    assert list(data["cards"]) == [load()[0].id]


def test_there_is_no_fifth_rating():
    with pytest.raises(ValueError, match="5"):
        cards.rate(load()[0], 5, MONDAY)
    assert store.read("cards") == {}


def test_a_sitting(monkeypatch):
    session = cards._Session(load()[:2])
    assert [button.description for button in session.buttons.children] == ["Show the answer"]
    session.turn.click()
    assert [button.description for button in session.buttons.children] == list(cards.RATINGS)
    assert cards.back(load()[0]) in session.text.value
    session.ratings[0].click()  # again
    assert cards.front(load()[1]) in session.text.value
    session.turn.click()
    session.ratings[3].click()
    assert cards.front(load()[0]) in session.text.value, "what was not known comes again in the same sitting"
    session.turn.click()
    session.ratings[3].click()
    assert "Nothing is due" in session.text.value
    assert set(store.read("cards")) == {card.id for card in load()[:2]}


@pytest.mark.parametrize("question", load(), ids=[question.id for question in load()])
def test_the_back_of_a_card_holds_the_answer(question):
    assert cards.front(question).startswith("<p>")
    assert question.proof[:3] in cards.back(question)
    assert "**" not in cards.front(question) + cards.back(question), "Markdown that was not rendered"


def test_the_deck_opens_and_has_all_cards(tmp_path, capsys):
    path = tmp_path / "deck.apkg"
    assert command.main(["cards", "export", str(path)]) == 0
    assert str(len(load())) in capsys.readouterr().out
    with zipfile.ZipFile(path) as archive:
        archive.extract("collection.anki2", tmp_path)
    with sqlite3.connect(tmp_path / "collection.anki2") as database:
        notes = database.execute("select guid, flds, tags from notes").fetchall()
        assert database.execute("select count(*) from cards").fetchone() == (len(load()),)
    assert len({guid for guid, *_ in notes}) == len(load())
    assert all(len(fields.split("\x1f")) == 2 and tags.split() for _, fields, tags in notes)


def test_where_one_stands():
    assert cards.standing().startswith(f"Cards: {cards.NEW_A_DAY} to look at today, 0 of {len(load())} begun")
    cards.rate(load()[0], 4)
    assert cards.standing().startswith(f"Cards: {cards.NEW_A_DAY - 1} to look at today, 1 of")
