"""What the routes take and give, as Pydantic models: the bounds, and the examples of the OpenAPI description."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from common.models.external_ids import MOST_PLAYS, checked_plays
from common.utils.errors import UserError, whole_number

MOST_LISTED = 1000
"""Likes, dislikes and items of an answer at most."""
MOST_MODELS = 50
MOST_LETTERS = 300
"""Characters of a name, an id or a query at most."""
MOST_SUGGESTED = 50


def _whole(name: str, most: int) -> BeforeValidator:
    """Turns a number, or the text of one in a query, into an int; the error is the command line's."""

    def checked(value: Any) -> int:
        digits = isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20
        return whole_number(name, int(value) if digits else value, 1, most)

    return BeforeValidator(checked)


def _checked_plays(value: Any) -> Any:
    return value if value is None else checked_plays("plays", value)


K = Annotated[int, Field(ge=1, le=MOST_LISTED), _whole("k", MOST_LISTED)]
Limit = Annotated[int, Field(ge=1, le=MOST_SUGGESTED), _whole("limit", MOST_SUGGESTED)]
Text = Annotated[str, Field(min_length=1, max_length=MOST_LETTERS)]
Plays = Annotated[
    float | None,
    Field(gt=0, le=MOST_PLAYS, description="How often it was played; without it, the median of the others counts."),
    BeforeValidator(_checked_plays),
]


class Body(BaseModel):
    """A body that has the fields it should and no others."""

    model_config = ConfigDict(extra="forbid")


class Reference(Body):
    """An item, by its id (`item`) or as one types its `name`; slips are forgiven where it is clear what is meant."""

    item: Annotated[Text | None, Field(description="Id of the item.")] = None
    name: Annotated[Text | None, Field(description="Name in any case, without accents; or id:ID.")] = None


class Like(Reference):
    """An item that is liked, and how often it was played."""

    plays: Plays = None


class Rerank(Body):
    """What a list is to be besides relevant; docs/reranking.md tells the formulas."""

    diversity: Annotated[float, Field(ge=0, le=1, description="Weight of dissimilarity to the items above.")] = 0.0
    novelty: Annotated[float, Field(ge=0, le=1e6, description="Weight of items that few listen to; 1 is strong.")] = 0.0
    unpopularity: Annotated[float, Field(ge=0, le=1e6, description="Penalty on popularity; 1 is strong.")] = 0.0
    calibration: Annotated[float, Field(ge=0, le=1, description="Weight of the likes' own mix of genres.")] = 0.0
    per_artist: Annotated[int, Field(ge=0, le=1000, description="Items of one artist at most; 0: no cap.")] = 0
    per_genre: Annotated[int, Field(ge=0, le=1000, description="Items of one genre at most; 0: no cap.")] = 0
    balance: Annotated[bool, Field(description="Places for genres in proportion to the likes.")] = False
    one_version: Annotated[bool, Field(description="Only the best of several versions of one work.")] = False


RECOMMEND: Any = {
    "likes": [{"name": "Radiohead", "plays": 120}, {"name": "bjork"}],
    "dislikes": [{"name": "Coldplay"}],
    "k": 5,
    "models": ["als", "popularity"],
    "rerank": {"diversity": 0.3},
}


class RecommendRequest(Body):
    """What somebody likes, and which models are asked."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [RECOMMEND]})
    likes: Annotated[list[Like], Field(max_length=MOST_LISTED)] = []
    dislikes: Annotated[list[Reference], Field(max_length=MOST_LISTED)] = []
    k: K = 10
    models: Annotated[list[Text] | None, Field(max_length=MOST_MODELS, description="null: every model.")] = None
    rerank: Rerank = Rerank()
    exclude_explicit: Annotated[bool, Field(description="Leave out items with the explicit flag.")] = False
    when: Annotated[
        datetime | None,
        Field(description="When the likes were played and the list is asked for, for models that know time."),
    ] = None
    why: Annotated[bool, Field(description="Reasons of models, too, for which they take long.")] = False
    session: Annotated[Text | None, Field(description="Who asks: lists of an experiment are kept under it.")] = None


class SimilarRequest(Body):
    """An item whose like is asked for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"item": "id:227", "k": 5}]})
    item: Annotated[Text, Field(description="Name, or id:ID.")]
    k: K = 10
    model: Annotated[Text | None, Field(description="null: the first model that knows similarity.")] = None


NEW_ITEM: Any = {"model": "two_tower", "tags": ["shoegaze", "indie"], "k": 5, "likes": [{"name": "radiohead"}]}


class NewItemRequest(Body):
    """What is known of an item that nobody has heard."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [NEW_ITEM]})
    model: Annotated[Text, Field(description="One that goes by content: two_tower, content_knn or tag_knn.")]
    name: Text | None = None
    tags: Annotated[
        list[Text] | dict[str, float] | None, Field(description="Tags, or how many people gave each.", max_length=1000)
    ] = None
    genres: Annotated[list[Text] | None, Field(max_length=1000)] = None
    audio: Annotated[dict[str, float] | None, Field(description="All audio features of the data, by name.")] = None
    release_year: int | None = None
    k: K = 10
    likes: Annotated[list[Like], Field(max_length=MOST_LISTED, description="For whom it is ranked.")] = []


FEEDBACK: Any = {"session": "s-17", "item": "227", "kind": "like"}
WITHDRAWAL: Any = FEEDBACK | {"kind": "withdraw"}
IMPRESSION: Any = {"session": "s-17", "items": ["227", "418"], "kind": "impression", "request_id": "8f3c"}


class FeedbackRequest(Body):
    """What somebody did with an item of a list, or which items were shown."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [FEEDBACK, WITHDRAWAL, IMPRESSION]})
    session: Annotated[Text, Field(description="Any text that stays the same for one visitor.")]
    item: Annotated[Text | None, Field(description="Id of the item.")] = None
    items: Annotated[
        list[Text] | None,
        Field(min_length=1, max_length=MOST_LISTED, description="In place of `item`: all that were shown at once."),
    ] = None
    kind: Annotated[
        Literal["like", "dislike", "withdraw", "impression", "click"],
        Field(description="withdraw: neither liked nor disliked any more."),
    ]
    user: Annotated[Text | None, Field(description="Under whom likes are kept; without it, the session.")] = None
    request_id: Annotated[Text | None, Field(description="Of the answer that had the item.")] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "FeedbackRequest":
        if (self.item is None) == (self.items is None):
            raise UserError("feedback is on `item`, an id, or on `items`, several that were shown; give one of the two")
        if self.items is not None and self.kind != "impression":
            raise UserError(f"a {self.kind} is on one item; give its id as `item`, and `items` with kind impression")
        return self

    @property
    def item_ids(self) -> list[str]:
        """What the feedback is on, each item once."""
        return list(dict.fromkeys(self.items or [self.item or ""]))


class Item(BaseModel):
    """An item of the catalogue."""

    item_id: str
    name: str
    artist: str | None = None


class Suggestion(Item):
    """An item that somebody may be typing the name of."""

    listeners: int


class Suggestions(BaseModel):
    """Best first."""

    items: list[Suggestion]


class ModelAbout(BaseModel):
    """A model of this service."""

    name: str
    label: str
    protocol: str
    run_id: Annotated[str | None, Field(description="Run, and the first digits of its model.json's hash.")]
    can_explain: Annotated[bool, Field(description="Whether reasons stand beside every list.")]
    knows_similarity: bool
    knows_time: Annotated[bool, Field(description="Whether `when` changes its lists.")]
    available: bool
    reason: Annotated[str | None, Field(description="Why it is not available.")] = None


class Models(BaseModel):
    """The models, and what the data have."""

    dataset: str
    protocol: str
    kind: Annotated[str, Field(description="What an item is called: artist or item.")]
    has_plays: bool
    has_time: bool
    has_explicit: bool
    has_features: Annotated[bool, Field(description="Whether lists can be re-ranked for diversity.")]
    experiment: Annotated[list[str] | None, Field(description="Models whose lists are interleaved.")] = None
    models: list[ModelAbout]


class Reason(BaseModel):
    """A liked item that speaks for the item of a list, or a part or feature of the model; `value` as the basis says."""

    kind: Literal["item", "part"]
    name: str
    value: float
    item_id: str | None = None


class Ranked(Item):
    """An item of a list."""

    rank: int
    score: float
    share: Annotated[float, Field(description="Score from 0 (200th candidate) to 1 (first), for bars.")]
    tags: list[str]
    listeners: int
    reasons: list[Reason]


class List(BaseModel):
    """The list of one model."""

    model: str
    items: list[Ranked]
    basis: Annotated[str | None, Field(description="What the values of the reasons are.")] = None
    shared_reasons: Annotated[list[Reason], Field(description="Reasons of the list as a whole.")] = []
    in_shares: Annotated[bool, Field(description="Whether values of parts are shares that sum to 1.")] = False
    terms: Annotated[dict[str, str], Field(description="What parts are, where their names do not say it.")] = {}
    note: Annotated[str | None, Field(description="Why the list is not what was asked for.")] = None


class Resolved(Item):
    """What was taken for an item that was given by name or id."""

    given: str
    as_: Annotated[Literal["like", "dislike"], Field(alias="as")]


class Recommendations(BaseModel):
    """A list for each model that was asked."""

    request_id: str
    lists: list[List]
    resolved: list[Resolved]
    notes: list[str]


class Similar(BaseModel):
    """Items like one."""

    item: Item
    model: str
    basis: str
    items: list[Ranked]


class SimilarToNew(BaseModel):
    """An item of the catalogue that is like the new one."""

    rank: int
    item_id: str
    name: str | None = None
    score: float


class Listener(BaseModel):
    """The place that the new item would have in the list of who likes the given items."""

    score: float
    rank: int
    of: int


class NewItem(BaseModel):
    """Where a new item stands."""

    model: str
    similar: list[SimilarToNew]
    listener: Listener | None = None


class Feedback(BaseModel):
    """What was kept. It is on disk when the answer comes."""

    kept: bool
    known: Annotated[
        bool | None,
        Field(description="Whether its list is known and has the items; of a withdrawal, whether any was kept."),
    ] = None


class ProblemBody(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    suggestions: list[Item] | None = None
    errors: list[str] | None = None
