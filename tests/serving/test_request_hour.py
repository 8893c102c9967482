"""The time that a list is asked for: how it is written, and what it changes."""

import json
from datetime import UTC, datetime

import pytest

from common.models.baselines import Popularity
from common.models.two_stage.forest import Forest
from common.serving.http.schemas import RecommendRequest
from common.serving.http.service import HttpService
from common.serving.model_store import ModelStore
from common.serving.request_hour import hour_at, hour_of
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.data.worlds import rhythmic
from tests.stages import complaint, stage

SYNTHETIC = {"users": 40, "items": 60, "tracks-per-user": 30, "max-items-per-user": 15, "daily-rhythm": 1.0}
MORNING, EVENING = "2024-05-03T08:00", "2024-05-03T20:00"


def test_a_time_is_utc_unless_it_names_its_zone():
    assert hour_of(MORNING) == 4 * 24 + 8, "a Friday"
    assert hour_of("2024-05-03 08:00+09:00") == 3 * 24 + 23
    assert hour_of("2024-05-03T08:00Z") == hour_of(" 2024-05-03T08:59:59 ")
    assert hour_of("2024-05-03") == 4 * 24
    before, found, after = hour_at(datetime.now(UTC)), hour_of("NOW"), hour_at(datetime.now(UTC))
    assert found in (before, after)


@pytest.mark.parametrize("text", ["", "tonight", "2024-13-01", "20:00"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UserError, match=r"^--when .*: give now, or a time such as 2024-05-03T22:00"):
        hour_of(text)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Flags of data with a daily rhythm, its train view, and a forest that goes by the hour beside a popular list."""
    folder = tmp_path_factory.mktemp("rhythm")
    data = rhythmic(folder / "data", users=40, items=60)
    train = load_train_view(data, "next", "final")
    models = {"forest": Forest(context=True, trees=10, top=20), "popularity": Popularity()}
    for name, model in models.items():
        model.fit(train).save(folder / "out" / data.name / "next" / name / "context" / "seed0" / "model")
    flags = [f"--synthetic.{name}={value}" for name, value in SYNTHETIC.items()]
    flags += ["--dataset=synthetic", "--protocol=next", "--preset=context", f"--data-dir={folder / 'data'}"]
    store = ModelStore(folder / "out", data.name, "next", "context")
    return [*flags, f"--output-dir={folder / 'out'}"], train, store


@pytest.fixture
def ask(place, capsys):
    def asked(*more: str) -> list[str]:
        stage("recommend.py")([*place[0], "--json", *more])
        return [row["item_id"] for row in json.loads(capsys.readouterr().out)["answers"][0]["items"]]

    return asked


def test_the_list_depends_on_when_it_is_asked_for(place, ask):
    user = ("--user", place[1].users["user_id"].iloc[0], "--model", "forest")
    morning, evening, any_time = (ask(*user, *when) for when in (("--when", MORNING), ("--when", EVENING), ()))
    assert morning != evening
    assert any_time not in (morning, evening)
    assert ask(*user, "--when", "2024-05-03T10:00+02:00") == morning
    new = ("--like", f"id:{place[1].items['item_id'].iloc[3]}", "--model", "forest")
    assert ask(*new, "--when", MORNING) != ask(*new, "--when", EVENING)


def test_the_service_takes_the_time_as_well(place):
    service = HttpService(place[1], place[2])
    service.models.refresh()
    liked = place[1].items["item_id"].iloc[3]

    def items(when: str) -> list[int]:
        request = RecommendRequest.model_validate({"likes": [{"item": liked}], "when": when})
        return service.recommend("forest", service.profile(request)[0], 10).items

    assert items(f"{MORNING}Z") != items(f"{EVENING}Z")
    assert items(f"{MORNING}Z") == items(MORNING)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ("--user", "{user}", "--model", "popularity", "--when", "now"),
            "of preset 'context' knows no time",
        ),
        (("--user", "{user}", "--model", "forest", "--when", "later"), "--when 'later': give now"),
        (("--user", "{user}", "--model", "forest", "--when", "now", "--why"), "--when goes with --user or --like"),
        (("--when", "now"), "--when goes with --user or --like"),
    ],
)
def test_a_time_that_changes_nothing_is_refused(place, capsys, flags, said):
    user = place[1].users["user_id"].iloc[0]
    assert said in complaint(capsys, stage("recommend.py"), *place[0], *(flag.format(user=user) for flag in flags))
