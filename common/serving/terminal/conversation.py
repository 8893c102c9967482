"""A conversation: name what you like, look at the list, like or dislike, and the list changes at once."""

import contextlib
import sys

from common.data.artist_names import loose_key
from common.serving.name_search import UnclearError, shown
from common.serving.service import Answer, RecommendationService
from common.serving.terminal.answers import heading, in_full, table
from common.serving.user_profile import UserProfile, with_feedback
from common.utils.errors import UserError
from common.utils.terminal import columns, lines, plain, show

HELP = (
    ("NAME", "like it, +NAME too"),
    ("-NAME", "dislike it"),
    ("+3, -3", "like, dislike number 3 of the list"),
    ("why 3", "why number 3 stands there"),
    ("why", "why, for the whole list"),
    ("likes", "what counts, and the list"),
    ("undo", "take the last word back"),
    ("forget", "forget all that was said"),
    ("q", "quit, as Ctrl-D does"),
)

MOST_DIGITS = 9
"""Digits that a number of a list may have."""


class Conversation:
    """One listener, one model, one list. Feedback is in the store before the list is shown again."""

    def __init__(self, service: RecommendationService, model: str, user_id: str, listener: str, k: int) -> None:
        self.service, self.model, self.user_id, self.listener, self.k = service, model, user_id, listener, k
        self.choices: tuple[list[int], bool] = ([], True)
        self.last: list[tuple[int, bool | None]] = []
        self.profile: UserProfile = service.profile(user_id, listener, [])
        self.answer: Answer | None = None
        self.basis = ""

    def run(self) -> None:
        """Talk until q or the end of the input."""
        data = f"{self.service.model_store.dataset} / {self.service.protocol}"
        say(f"{data}, model {self.model}; likes are kept for {self.listener!r}")
        say(f"Name an {self.service.names.kind} that you like; help tells the rest, q quits.")
        show()
        prompt = "> " if sys.stdin and sys.stdin.isatty() else ""
        if prompt:
            edit_lines()
        if self.profile.liked or self.profile.disliked or self.user_id:
            self._answer("likes")
        while True:
            try:
                line = plain(input(prompt))
            except (EOFError, KeyboardInterrupt, RuntimeError):  # the last where there is no input at all
                show()
                return
            if line.casefold() in ("q", "quit", "exit"):
                return
            if line:
                self._answer(line)

    def _answer(self, line: str) -> None:
        """Answer a line; Ctrl-C stops a slow answer, and earlier feedback is kept."""
        try:
            self.respond(line)
        except KeyboardInterrupt:
            show()
            say("stopped; likes shows the list again, q quits", "  ")

    def respond(self, line: str) -> None:
        """Do what a line says; a mistake is answered and changes nothing."""
        word = line.casefold()
        try:
            if word in ("help", "?"):
                for words, meaning in HELP:
                    say(f"{words}: {meaning}", "  ") if columns() < 50 else show(f"  {words:8}{meaning}")
            elif word in ("likes", "list"):
                self.show()
            elif word == "undo":
                self._undo()
            elif word == "forget":
                self._forget()
            elif word == "why":
                self._why_all()
            elif word.startswith("why ") and word[4:].strip().isdecimal():
                self._why(self._numbered(word[4:].strip()))
            elif line.isdecimal() and len(line) <= MOST_DIGITS and self.choices[0]:
                self._choose(int(line))
            else:
                self._rate(line)
        except UnclearError as doubt:
            self._ask(doubt, line)
        except UserError as mistake:
            say(str(mistake), "  ")

    def _rate(self, line: str) -> None:
        """A like or dislike, by number or by name."""
        liked, name = not line.startswith("-"), line
        if line[0] in "+-" and len(line) > 1:
            name = line[1:].strip()
            if name.isdecimal():
                self.keep(self._numbered(name), liked)
                return
        item = self.service.names.find(name)
        if loose_key(name) not in loose_key(self.service.catalogue.label(item)) and not name.startswith("id:"):
            say(f"took {shown(name)} for {plain(self.service.catalogue.label(item))}", "  ")
        self.keep(item, liked)

    def _numbered(self, number: str) -> int:
        items = self.answer.items if self.answer else []
        if len(number) > MOST_DIGITS or not 1 <= int(number) <= len(items):
            raise UserError(f"there is no number {number[:MOST_DIGITS]}; the list has {len(items)}")
        return items[int(number) - 1]

    def _ask(self, doubt: UnclearError, line: str) -> None:
        """What a name may have meant, to choose from by number; a bare number may have meant one of the list."""
        say(str(doubt).split(";")[0] if doubt.items else str(doubt), "  ")
        if line.isdecimal() and len(line) <= MOST_DIGITS and self.answer and 1 <= int(line) <= len(self.answer.items):
            say(f"to like number {line} of the list type +{line}", "  ")
            return
        self.choices = (doubt.items[:9], not line.startswith("-"))
        catalogue = self.service.catalogue
        if doubt.items:
            say("Which one? Type its number.", "  ")
        for place, item in enumerate(self.choices[0]):
            say(f"{place + 1}  {plain(catalogue.label(item))} (id:{catalogue.item_ids[item]})", "  ")

    def _choose(self, number: int) -> None:
        items, liked = self.choices
        if not 1 <= number <= len(items):
            raise UserError(f"choose 1 to {len(items)}, or type another name")
        self.keep(items[number - 1], liked)

    def keep(self, item: int, liked: bool) -> None:
        """Store a like or dislike, then show the list that follows from it."""
        was = True if item in self.profile.liked else False if item in self.profile.disliked else None
        self.service.store.feedback.add(self.listener, self.service.catalogue.item_ids[item], liked)
        self.last.append((item, was))
        self.profile, self.choices = with_feedback(self.profile, item, liked), ([], True)
        self.show()

    def _undo(self) -> None:
        if not self.last:
            raise UserError("there is nothing to take back")
        item, was = self.last.pop()
        item_id = self.service.catalogue.item_ids[item]
        if was is None:
            self.service.store.feedback.remove(self.listener, item_id)
        else:
            self.service.store.feedback.add(self.listener, item_id, was)
        self._refresh()

    def _forget(self) -> None:
        gone, self.last = self.service.store.feedback.remove(self.listener), []
        say(f"{gone} likes and dislikes of {self.listener!r} forgotten", "  ")
        self._refresh()

    def _refresh(self) -> None:
        self.profile = self.service.profile(self.user_id, self.listener, [])
        if self.profile.liked or self.profile.disliked or self.user_id:
            self.show()
        else:
            self.answer = None

    def _why_all(self) -> None:
        """The explanations of the whole list that is shown."""
        if self.answer is None:
            raise UserError("there is no list yet; name something that you like")
        found = self.service.recommend(self.model, self.profile, self.k, why=True)
        show(table(found, self.service.catalogue, at_length=True) + "\n")

    def _why(self, item: int) -> None:
        found = self.service.recommend(self.model, self.profile, self.k, why=True)
        explained, catalogue = found.explanations, self.service.catalogue
        assert explained is not None  # as `why` is set
        own = explained.each[found.items.index(item)]
        why = in_full(own, catalogue, explained)
        shared = ", ".join(f"{plain(catalogue.label(i))} {by:.0%}" for i, by in explained.shared.items)
        say(f"{plain(catalogue.label(item))}: {why or shared or 'nothing in particular'}", "  ")
        for name, _ in own.parts:
            if name in explained.terms:
                say(f"{name}: {explained.terms[name]}", "  ")
        say(f"why: {explained.basis}", "  ")

    def show(self) -> None:
        """The list as it is now; what its numbers are is printed once."""
        self.answer = self.service.recommend(self.model, self.profile, self.k)
        say(heading(self.profile, self.service.catalogue, self.user_id))
        basis = self.answer.explanations.basis if self.answer.explanations else ""
        show(table(self.answer, self.service.catalogue, basis=basis != self.basis) + "\n")
        self.basis = basis


def say(text: str, indent: str = "") -> None:
    """Print a text in the terminal's width."""
    show("\n".join(lines(text, columns(), indent)))


def edit_lines() -> None:
    """Arrow keys and the lines before, where the terminal's library for it is at hand."""
    with contextlib.suppress(ImportError):
        import readline

        for setting in ("enable-bracketed-paste off", "input-meta on", "output-meta on", "convert-meta off"):
            readline.parse_and_bind(f"set {setting}")
