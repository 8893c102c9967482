"""What to listen to next, by the models that the scripts have trained.

python recommend.py                                   type what you like, and a list follows
python recommend.py --like Radiohead --like Björk     for somebody new
python recommend.py --user 12 --model als --why       for a user of the data, with reasons
python recommend.py --similar "Daft Punk"             what is like it
python recommend.py --song "Creep"                    what sounds like a song
"""

import gc

if __name__ == "__main__":
    gc.disable()  # nothing that is imported goes again

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from common.data.dataset import load_dataset
from common.data.sources.registry import choose_dataset
from common.data.synthetic.settings import SyntheticSettings
from common.experiments.flags import command, parse_flags
from common.reranking.rerank import Reranking
from common.serving.name_search import shown
from common.serving.request_hour import hour_of
from common.serving.service import open_service
from common.serving.store.store import place_of
from common.serving.terminal import questions
from common.serving.terminal.conversation import Conversation
from common.serving.user_profile import default_listener
from common.splits.store import parse_folder_name
from common.training.interrupts import exit_code
from common.utils.environment import use_one_thread
from common.utils.errors import UserError
from common.utils.io import ROOT
from common.utils.logs import log_to
from common.utils.settings import Range, check_ranges
from common.utils.terminal import forgive_encodings, show

Text = Annotated[str | None, tyro.conf.arg(constructor=str, metavar="TEXT", help_behavior_hint="(optional)")]


@dataclass(frozen=True)
class Settings:
    """Ask the trained models for music: for a user of the data, for somebody new, or for what is like an item.

    Without --user, --like, --similar and --song it is a conversation.
    """

    user: Text = None
    """Id of a user of the data."""
    like: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Something that you like, by name or id:ID; may be given several times."""
    similar: Text = None
    """An item, by name or id:ID, whose like is asked for."""
    song: Text = None
    """A song, by title or "Title - Artist", whose sound is asked for."""
    model: str = "ensemble"
    """A model that was trained, several joined by commas, or all: side by side, with what they have in common."""
    k: Annotated[int, tyro.conf.arg(aliases=["-k"]), Range(1, 1000)] = 10
    """Length of the list."""
    why: bool = False
    """Say for every item why, in numbers, and what they are based on."""
    json: bool = False
    """Print JSON instead of a table."""
    when: Text = None
    """When the list is asked for, for models trained with --preset context: now, or a time such as 2024-05-03T22:00, of
    which hour of day and weekday count; UTC, as the data's times are, unless it names its zone (+02:00)."""
    listener: Annotated[str, tyro.conf.arg(name="as")] = ""
    """Whose likes and dislikes count and are kept; by default those kept for --user, else for this account."""
    chat: bool = False
    """Go on as a conversation, with --user as the one who talks."""
    rerank: Reranking = field(default_factory=Reranking)
    """What a list is to be besides relevant."""
    dataset: str = "auto"
    """lastfm-2k, synthetic, the path of a folder of your own, or auto."""
    protocol: str = "listen"
    """Folder of the protocol that the models were trained on, such as listen, next or listen-s2."""
    preset: str = "tuned"
    """Preset that the models were trained with."""
    data_dir: Path = ROOT / "data"
    """Folder of prepared data."""
    output_dir: Path = ROOT / "outputs"
    """Folder of trained models; likes and dislikes are kept there, too."""
    store: str = ""
    """postgresql+psycopg://user@host/database instead of a file in --output-dir, for likes and what belongs to them."""
    verify: bool = False
    """Check stored files of 64 MB and more by their hash, too, not by size and time alone."""
    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)
    """Size and seed of the generated data set."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        check_ranges("", self)
        if self.user == "":
            raise UserError("--user '': an empty id is nobody's; give one of the data, or leave --user out")
        if not self.models:
            raise UserError(f"--model {shown(self.model)} names no model; give one, several joined by commas, or all")
        of_somebody = self.user is not None or bool(self.like) or self.chat
        if sum((of_somebody, self.similar is not None, self.song is not None)) > 1:
            raise UserError("--user and --like, --similar, and --song are three questions; ask one at a time")
        if self.talks and (self.json or self.why or self.models != [self.model] or self.model == "all"):
            raise UserError("--json, --why and several models need a question: add --user, --like, --similar or --song")
        if self.when is not None and (self.talks or not of_somebody or self.why):
            raise UserError("--when goes with --user or --like, without --chat and --why; leave one of them out")
        parse_folder_name(self.protocol)
        place_of(self.store, self.output_dir, "")

    @property
    def talks(self) -> bool:
        """Whether it is a conversation."""
        return self.chat or not (self.user or self.like or self.similar is not None or self.song is not None)

    @property
    def models(self) -> list[str]:
        """Names of the models that are asked, each once."""
        return list(dict.fromkeys(name.strip().casefold() for name in self.model.split(",") if name.strip()))


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Answer one question, or talk."""
    forgive_encodings()
    warnings.filterwarnings("ignore", module="sklearn")  # of no use to who asks for music
    given = list(sys.argv[1:] if argv is None else argv)
    for word in given:
        if not word.isprintable() and any("\ud800" <= character <= "\udfff" for character in word):
            raise UserError(f"{word!a} has bytes that are no letters in this terminal's encoding; type it anew")
    settings = parse_flags(Settings, given)
    settings.check()
    if settings.json:  # nothing but JSON on standard output
        log_to(sys.stderr)
    if settings.dataset == "auto":  # decided once, for the notice that goes with it
        settings = replace(settings, dataset=choose_dataset("auto", settings.data_dir))
    try:
        respond(settings)
    except KeyboardInterrupt as stop:
        show("\nstopped; likes and dislikes that were given are kept", sys.stderr)
        raise SystemExit(exit_code(stop)) from None


def respond(settings: Settings) -> None:
    """Answer a question about a song, a user, a newcomer or an item, or hold a conversation."""
    hour = None if settings.when is None else hour_of(settings.when)
    request = questions.Request(settings.models, settings.k, settings.why, settings.json, hour)
    if settings.song is not None:
        place = (settings.dataset, settings.data_dir, settings.synthetic)
        questions.answer_song(load_dataset(*place), settings.song, request)
        return
    names = ("dataset", "protocol", "preset", "data_dir", "output_dir", "synthetic", "rerank", "store")
    user, listener = settings.user or "", settings.listener or default_listener(settings.user or "")
    with open_service(*(getattr(settings, name) for name in names)) as service:
        if settings.talks:
            service.model(settings.model)  # an untrained one is refused before anything is typed
            Conversation(service, settings.model, user, listener, settings.k).run()
        elif settings.similar is not None:
            questions.answer_similar(service, settings.similar, request)
        else:
            questions.answer_recommendations(service, user, settings.like, listener, request)


if __name__ == "__main__":
    gc.freeze()  # no collection need look at what was imported
    gc.enable()
    use_one_thread()
    main()
