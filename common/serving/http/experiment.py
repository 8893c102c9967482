"""An experiment online: lists of two or more models drawn into one, and clicks on it kept as votes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.models.registry import MODELS
from common.serving.http.schemas import FeedbackRequest
from common.serving.interleaving.team_draft import Pick, draft_rng, team_draft
from common.serving.store.store import Store
from common.utils.errors import UserError, check_known

NOT_KEPT = "clicks on this list count for no model"


@dataclass(frozen=True)
class Experiment:
    """The models whose lists are interleaved (Radlinski et al. 2008) for requests that name none."""

    models: tuple[str, ...]
    seed: int = 0

    @staticmethod
    def parse(text: str) -> "Experiment | None":
        """The experiment of a flag such as `als,hybrid_listnet`, None of an empty one; a UserError for only one."""
        names = [name.strip().casefold() for name in text.split(",") if name.strip()]
        check_known("model", MODELS, *names)
        if names and (len(names) < 2 or len(set(names)) < len(names)):
            raise UserError(f"--experiment {text}: give two models or more, each once, as in als,ease")
        return Experiment(tuple(names)) if names else None

    def interleave(self, lists: Sequence[dict[str, Any]], k: int, request_id: str) -> tuple[dict[str, Any], list[Pick]]:
        """One list of those of the models, and the team of each item, which the list does not tell.

        The draw depends on the request alone, so that it can be drawn again.
        """
        rows = {one["model"]: {row["item_id"]: row for row in one["items"]} for one in lists}
        ranked = {model: list(of_model) for model, of_model in rows.items()}
        picks: list[Pick] = team_draft(ranked, k, draft_rng(self.seed, request_id))
        items = [_row(rows, pick) | {"rank": place + 1} for place, pick in enumerate(picks)]
        bases = dict.fromkeys(f"{one['model']}: {one['basis']}" for one in lists if one.get("basis"))
        terms = {name: meaning for one in lists for name, meaning in one.get("terms", {}).items()}
        found = {"model": ",".join(ranked), "items": items, "basis": "; ".join(bases) or None, "terms": terms}
        return found | {"note": None}, picks

    def keep(self, store: Store, request_id: str, protocol: str, session: str | None, picks: Sequence[Pick]) -> None:
        """Keep a list, so that clicks on it can be counted."""
        store.impressions.add_impression(request_id, protocol, self.models, picks, session=session or "")


def _row(rows: dict[str, dict[str, dict[str, Any]]], pick: Pick) -> dict[str, Any]:
    """The row of the list that gave an item, of any list that has it where it counts for none."""
    return next(
        of_model[pick.item] for model, of_model in rows.items() if pick.team in (model, "") and pick.item in of_model
    )


def keep_feedback(store: Store, feedback: FeedbackRequest) -> bool | None:
    """Keep feedback; returns whether the list of its request is known and has the items, None where none is named.

    Of what is withdrawn it returns whether there was anything to take back.
    """
    if feedback.kind == "withdraw":
        return _withdraw(store, feedback)
    if feedback.kind in ("like", "dislike"):
        for item in feedback.item_ids:
            store.feedback.add(feedback.user or feedback.session, item, feedback.kind == "like")
        if feedback.request_id is None:
            return None
    values = (feedback.item_ids, feedback.kind, feedback.request_id or "", feedback.session)
    known = store.impressions.add_clicks(*values)
    return known if feedback.request_id else None


def _withdraw(store: Store, feedback: FeedbackRequest) -> bool:
    """Take likes and dislikes back, and the votes that they were."""
    who, session = feedback.user or feedback.session, feedback.session
    taken = [store.feedback.remove(who, item) + store.impressions.withdraw(item, session) for item in feedback.item_ids]
    return any(taken)
