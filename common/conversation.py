"""Asking in turns: name what you like, look at the list, like or dislike, and the list changes at once."""

import sys

from common.answers import heading, in_full, table
from common.asking import Answer, Asking, Taste, as_liked
from common.data.names import loose_key
from common.errors import UserError
from common.find_names import AmbiguousError, shown
from common.terminal import columns, lines, plain

HELP = """\
  NAME      like it             -NAME     dislike it
  +3        like number 3       -3        dislike number 3
  why 3     why number 3 stands there
  likes     show what counts, and the list
  undo      take the last word back        forget    forget all that was said
  help      this list                      q         quit (or Ctrl-D)"""


class Conversation:
    """One listener, one model, one list. What is said is in the library before the list is shown again."""

    def __init__(self, asking: Asking, model: str, user_id: str, listener: str, k: int) -> None:
        self.asking, self.model, self.user_id, self.listener, self.k = asking, model, user_id, listener, k
        self.choices: tuple[list[int], bool] = ([], True)
        self.last: list[tuple[int, bool | None]] = []
        self.taste: Taste = asking.taste(user_id, listener, [])
        self.answer: Answer | None = None

    def run(self) -> None:
        """Talk until q or the end of the input."""
        data = f"{self.asking.shelf.dataset} / {self.asking.protocol}"
        print(f"{data}, model {self.model}; likes are kept for {self.listener!r}")
        print(f"Name an {self.asking.names.kind} that you like; help tells the rest, q quits.\n")
        if self.taste.liked or self.taste.disliked or self.user_id:
            self.show()
        prompt = "> " if sys.stdin.isatty() else ""
        while True:
            try:
                said = input(prompt).strip()
            except (EOFError, KeyboardInterrupt):
                print()
                return
            if said.casefold() in ("q", "quit", "exit"):
                return
            if said:
                self.hear(said)

    def hear(self, said: str) -> None:
        """Do what a line says; a mistake is answered and changes nothing."""
        word = said.casefold()
        try:
            if word in ("help", "?"):
                print(HELP)
            elif word in ("likes", "list"):
                self.show()
            elif word == "undo":
                self._undo()
            elif word == "forget":
                self._forget()
            elif word.startswith("why ") and word[4:].strip().isdecimal():
                self._why(self._numbered(word[4:].strip()))
            elif said.isdecimal() and self.choices[0]:
                self._choose(int(said))
            else:
                self._judge(said)
        except AmbiguousError as doubt:
            self._ask(doubt, liked=not said.startswith("-"))
        except UserError as mistake:
            print("\n".join(lines(str(mistake), columns(), "  ")))

    def _judge(self, said: str) -> None:
        """A like or dislike, by number or by name."""
        liked, name = not said.startswith("-"), said
        if said[0] in "+-" and len(said) > 1:
            name = said[1:].strip()
            if name.isdecimal():
                self.keep(self._numbered(name), liked)
                return
        item = self.asking.names.find(name)
        if loose_key(name) not in loose_key(self.asking.catalogue.label(item)) and not name.startswith("id:"):
            print(f"  took {shown(name)} for {plain(self.asking.catalogue.label(item))}")
        self.keep(item, liked)

    def _numbered(self, number: str) -> int:
        items = self.answer.items if self.answer else []
        if not 1 <= int(number) <= len(items):
            raise UserError(f"there is no number {int(number)}; the list has {len(items)}")
        return items[int(number) - 1]

    def _ask(self, doubt: AmbiguousError, liked: bool) -> None:
        self.choices = (doubt.items[:9], liked)
        catalogue = self.asking.catalogue
        print("  Which one? Type its number.")
        for place, item in enumerate(self.choices[0]):
            print(f"  {place + 1}  {plain(catalogue.label(item))}  (id:{catalogue.item_ids[item]})")

    def _choose(self, number: int) -> None:
        items, liked = self.choices
        if not 1 <= number <= len(items):
            raise UserError(f"choose 1 to {len(items)}, or type another name")
        self.keep(items[number - 1], liked)

    def keep(self, item: int, liked: bool) -> None:
        """Store a word on an item, then show the list that follows from it."""
        was = True if item in self.taste.liked else False if item in self.taste.disliked else None
        self.asking.library.say(self.listener, self.asking.catalogue.item_ids[item], liked)
        self.last.append((item, was))
        self.taste, self.choices = as_liked(self.taste, item, liked), ([], True)
        self.show()

    def _undo(self) -> None:
        if not self.last:
            raise UserError("there is nothing to take back")
        item, was = self.last.pop()
        item_id = self.asking.catalogue.item_ids[item]
        if was is None:
            self.asking.library.unsay(self.listener, item_id)
        else:
            self.asking.library.say(self.listener, item_id, was)
        self._anew()

    def _forget(self) -> None:
        gone, self.last = self.asking.library.unsay(self.listener), []
        print(f"  {gone} likes and dislikes of {self.listener!r} forgotten")
        self._anew()

    def _anew(self) -> None:
        self.taste = self.asking.taste(self.user_id, self.listener, [])
        if self.taste.liked or self.taste.disliked or self.user_id:
            self.show()
        else:
            self.answer = None

    def _why(self, item: int) -> None:
        assert self.answer is not None
        found = self.asking.recommend(self.model, self.taste, self.k, why=True)
        why = found.reasons.each[found.items.index(item)] if found.reasons else None
        catalogue = self.asking.catalogue
        told = in_full(why, catalogue, found.reasons) if why else ""
        shared = found.reasons.shared.items if found.reasons else []
        told = told or ", ".join(f"{plain(catalogue.label(i))} {by:.0%}" for i, by in shared) or "nothing in particular"
        print("\n".join(lines(f"{plain(catalogue.label(item))}: {told}", columns(), "  ")))
        if found.reasons:
            print("\n".join(lines(f"why: {found.reasons.basis}", columns(), "  ")))

    def show(self) -> None:
        """The list as it is now."""
        self.answer = self.asking.recommend(self.model, self.taste, self.k)
        print(heading(self.taste, self.asking, self.user_id, self.listener))
        print(table(self.answer, self.asking.catalogue, basis=False) + "\n")
