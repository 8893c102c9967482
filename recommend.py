"""Ask it: what to listen to next, from the models that the stages have trained.

python recommend.py                                   type what you like, and a list follows
python recommend.py --like Radiohead --like Björk     for somebody new
python recommend.py --user 12 --model als --why       for a user of the data, with reasons
python recommend.py --similar "Daft Punk"             what is like it
python recommend.py --song "Creep"                    what sounds like a song
"""

import logging
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from common.data.dataset import load_dataset
from common.data.sources.registry import choose_dataset, resolve_name
from common.data.synthetic.generator import SyntheticSettings
from common.experiments.flags import command, parse_flags
from common.reranking.rerank import Reranking, item_facts, rerank
from common.serving.model_store import ModelStore
from common.serving.name_search import shown
from common.serving.service import Answer, RecommendationService
from common.serving.similar_songs import Songs
from common.serving.store.library import open_store
from common.serving.terminal import answers
from common.serving.terminal.conversation import Conversation
from common.serving.user_profile import UserProfile, default_listener
from common.splits.store import parse_folder_name
from common.splits.train_view import load_train_view
from common.utils.environment import use_one_thread
from common.utils.errors import UserError
from common.utils.io import ROOT
from common.utils.terminal import columns, forgive_encodings, lines, plain

Text = Annotated[str | None, tyro.conf.arg(constructor=str, metavar="TEXT", help_behavior_hint="(optional)")]
MOST = 1000
"""Longest list that can be asked for."""
log = logging.getLogger(__name__)


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
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 10
    """Length of the list."""
    why: bool = False
    """Say for every item why, in numbers, and what they are based on."""
    json: bool = False
    """Print JSON instead of a table."""
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
    """Folder of trained models; the library is kept there, too."""
    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)
    """Size and seed of the generated data set."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        if not 1 <= self.k <= MOST:
            raise UserError(f"-k {self.k}: ask for 1 to {MOST:,} items")
        if self.user == "":
            raise UserError("--user '': an empty id is nobody's; give one of the data, or leave --user out")
        if not self.models:
            raise UserError(f"--model {shown(self.model)} names no model; give one, several joined by commas, or all")
        questions = (self.user is not None or bool(self.like) or self.chat, self.similar is not None)
        if sum((*questions, self.song is not None)) > 1:
            raise UserError("--user and --like, --similar, and --song are three questions; ask one at a time")
        if self.talks and (self.json or self.why or self.models != [self.model] or self.model == "all"):
            raise UserError("--json, --why and several models need a question: add --user, --like, --similar or --song")
        parse_folder_name(self.protocol)

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
    settings = parse_flags(Settings, given, Settings())
    settings.check()
    if settings.json:  # nothing but JSON on standard output
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    if settings.dataset == "auto":  # decided once, for the notice that goes with it
        settings = replace(settings, dataset=choose_dataset("auto", settings.data_dir))
    try:
        respond(settings)
    except KeyboardInterrupt:
        print("\nstopped; likes and dislikes that were given are kept", file=sys.stderr)
        raise SystemExit(130) from None


def respond(settings: Settings) -> None:
    """What was asked: songs, a list, or a conversation."""
    if settings.song is not None:
        ask_song(settings)
        return
    where = (settings.dataset, settings.protocol, settings.data_dir, settings.output_dir, settings.synthetic)
    with open_store(*where) as library:
        service = RecommendationService(library, model_store(settings), reranker(settings))
        listener = settings.listener or default_listener(settings.user or "")
        if settings.talks:
            service.model(settings.model)  # an untrained one is refused before anything is typed
            Conversation(service, settings.model, settings.user or "", listener, settings.k).run()
        else:
            ask(settings, service, listener)


def ask(settings: Settings, service: RecommendationService, listener: str) -> None:
    """One question to one or several models."""
    if settings.similar is not None:
        item = service.names.find(settings.similar)
        about: dict[str, Any] = {"similar": answers.named(service.catalogue, item)}
        title = f"like {plain(service.catalogue.label(item))}"
        question: Callable[[str], Answer] = lambda name: service.similar(name, item, settings.k)  # noqa: E731
    else:
        user, liked = settings.user or "", [service.names.find(name) for name in settings.like]
        taste = service.taste(user, listener, liked)
        about = answers.about_taste(taste, service.catalogue, user, listener)
        title = f"for {'' if user else 'somebody who '}{answers.heading(taste, service.catalogue, user)}"
        title += kept_words(service, taste, listener)
        question = lambda name: service.recommend(name, taste, settings.k, settings.why)  # noqa: E731
    models = list(dict.fromkeys(one for name in settings.models for one in trained(service, name)))
    found = []
    for name in models:
        found.append(question(name))
        if len(models) > 1:
            service.forget(name)
    tell(settings, service, title, about, found)


def trained(service: RecommendationService, name: str) -> list[str]:
    """The models that a name means: itself, or all that are there; where none is, what trains one is said."""
    there = service.model_store.trained() if name == "all" else [name]
    if not there:
        raise UserError(service.model_store.untrained("als"))
    return there


def kept_words(service: RecommendationService, taste: UserProfile, listener: str) -> str:
    """How much of a taste was said before."""
    said = {service.codes.get(item_id) for ids in service.library.said(listener) for item_id in ids}
    kept = len(said & {*taste.liked, *taste.disliked})
    return f" ({kept} of it kept for {plain(listener)!r})" if kept else ""


def tell(
    settings: Settings, service: RecommendationService, title: str, about: dict[str, Any], found: Sequence[Answer]
) -> None:
    """Print the answers."""
    if settings.json:
        lists = [answers.as_json(answer, service.catalogue) for answer in found]
        where = {"dataset": service.model_store.dataset, "protocol": service.protocol}
        print(answers.as_json_text({**where, "question": about, "answers": lists}))
        return
    print("\n".join(lines(f"{service.model_store.dataset} / {service.protocol}, {title}", columns())) + "\n")
    if len(found) > 1 and not settings.why:
        print(answers.side_by_side(found, service.catalogue))
        return
    for n, answer in enumerate(found):
        print("\n" * (n > 0) + answer.model)
        print(answers.table(answer, service.catalogue, settings.why))
    if len(found) > 1:
        print("\n" + answers.overlaps(found))


def ask_song(settings: Settings) -> None:
    """Songs that sound like one."""
    data = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
    songs = Songs.of(data)
    song = songs.find(settings.song or "")
    near = songs.nearest(song, settings.k)
    print(songs.as_json(song, near) if settings.json else songs.as_text(song, near))


def model_store(settings: Settings) -> ModelStore:
    """Where the models lie, and the flags that would train one there."""
    name = resolve_name(settings.dataset, settings.data_dir, settings.synthetic)
    default, made = Settings(), SyntheticSettings()
    protocol, seed = parse_folder_name(settings.protocol)
    flags = [f"--dataset {shlex.quote(settings.dataset)} --protocol {protocol}"]
    flags += [f"--split-seed {seed}"] * (seed > 0)
    flags += [
        f"--synthetic.{field} {getattr(settings.synthetic, field)}"
        for field in made.__dataclass_fields__
        if getattr(settings.synthetic, field) != getattr(made, field)
    ]
    for flag in ("data_dir", "output_dir"):
        if getattr(settings, flag) != getattr(default, flag):
            flags.append(f"--{flag.replace('_', '-')} {shlex.quote(str(getattr(settings, flag)))}")
    return ModelStore(settings.output_dir, name, settings.protocol, settings.preset, " ".join(flags))


def reranker(settings: Settings) -> Any:
    """What puts candidates into another order; None where nothing is asked for."""
    if settings.rerank == Reranking():
        return None
    data = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
    facts = item_facts(load_train_view(data, settings.protocol, "final"))
    settings.rerank.check(facts)

    def chosen(items: Any, shares: Any, history: Any, k: int) -> list[int]:
        place = {int(item): n for n, item in enumerate(items)}
        best, _ = rerank(items, shares, history, facts, settings.rerank, k)
        return [place[int(item)] for item in best if item >= 0]

    return chosen


if __name__ == "__main__":
    use_one_thread()
    main()
