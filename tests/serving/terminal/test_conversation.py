"""Conversations: numbers, suggestions, explanations, and an answer that is interrupted."""

from common.serving.service import Answer, RecommendationService


def test_an_interrupted_answer_does_not_end_a_conversation(talk, monkeypatch):
    whole, calls = RecommendationService.recommend, []

    def first_interrupted(self: RecommendationService, *more: object, **told: object) -> Answer:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return whole(self, *more, **told)  # type: ignore[arg-type]

    monkeypatch.setattr(RecommendationService, "recommend", first_interrupted)
    text = talk("muse", "likes")
    assert "stopped; likes shows the list again" in text
    assert "likes Muse\n 1  " in text, "what was said is kept"


def test_a_bare_why_explains_the_list_and_likes_nobody(talk):
    text = talk("why", "muse", "why")
    assert "there is no list yet" in text
    assert text.count("     Muse +") == 5
    assert "1 likes and dislikes" in text


def test_suggestions_are_chosen_by_number(talk):
    text = talk("sigur", "1", "-daft", "1")
    assert "Which one? Type its number." in text
    assert "likes Sigur Rós; dislikes Daft Punk" in text


def test_a_bare_number_is_told_how_the_list_is_meant(talk):
    assert "to like number 2 of the list type +2" in talk("muse", "2")


def test_the_basis_of_the_reasons_is_told_once(talk):
    assert talk("muse", "+1", "+1").count("why: ") == 1
