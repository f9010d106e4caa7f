"""The key `cron` of fazt.json: what triggers say, and errors that name the line."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fazt.errors import InvalidRules
from fazt.sites.cron_rules import CronRule, check_handlers, find_handler
from fazt.sites.manifest import Manifest, parse_manifest

TIDY = {"name": "tidy", "schedule": "every 1h"}


def rules(*triggers: Any) -> list[CronRule]:
    manifest = parse_manifest(json.dumps({"cron": list(triggers)}).encode())
    assert Manifest.from_json(orjson.loads(orjson.dumps(manifest.as_json()))) == manifest
    return [CronRule.from_json(rule) for rule in manifest.rest["cron"]]


def test_what_a_trigger_is_without_saying_so() -> None:
    assert rules(TIDY) == [
        CronRule("tidy", "every 1h", "api/_cron/tidy.js", None, 300, 0, "skip", "one", 0, "fazt.json:1")
    ]
    assert parse_manifest(b'{"cron": null}').rest == parse_manifest(b'{"cron": []}').rest == {"cron": []}
    assert parse_manifest(b"{}").rest == {}


def test_every_key() -> None:
    (rule,) = rules(
        {
            "name": "nightly-2",
            "schedule": "30 2 * * mon",
            "handler": "api/jobs/night.ts",
            "tz": "Europe/Berlin",
            "timeout": "10m",
            "retries": 3,
            "overlap": "queue",
            "catchup": "all",
            "jitter": 90,
        }
    )
    assert rule == CronRule(
        "nightly-2",
        "30 2 * * mon",
        "api/jobs/night.ts",
        "Europe/Berlin",
        600,
        3,
        "queue",
        "all",
        90,
        "fazt.json:1",
    )
    assert rule.times().zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('{"cron":\n{}}', 2, "cron must be a list"),
        ('{"cron": [\n"every 1h"]}', 2, "must be an object"),
        ('{"cron": [\n\n{"schedule": "every 1h"}]}', 3, "needs a name"),
        ('{"cron": [{\n"name": "Tidy", "schedule": "every 1h"}]}', 2, "needs a name of a-z"),
        ('{"cron": [{\n"name": "../x", "schedule": "every 1h"}]}', 2, "needs a name of a-z"),
        ('{"cron": [\n{"name": "tidy"}]}', 2, "needs a schedule"),
        ('{"cron": [{"name": "tidy",\n"schedule": 5}]}', 2, "needs a schedule"),
        ('{"cron": [{"name": "tidy",\n"schedule": "*/90 * * * *"}]}', 2, "larger than the minute goes"),
        ('{"cron": [{"name": "tidy",\n"schedule": "0 0 30 2 *"}]}', 2, "never happens"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"tz": "Mars"}]}', 2, "no time zone 'Mars'"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"tz": null}]}', 2, "tz must be"),
        ('{"cron": [{"name": "tidy", "schedule": "every 1h",\n"tz": "UTC"}]}', 2, "tz means nothing"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"zone": "UTC"}]}', 2, "'zone' is not known here"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"handler": "x.js"}]}', 2, "path of a module"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"handler": "api/../x.js"}]}', 2, "path of a module"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"handler": "api/x.py"}]}', 2, "path of a module"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"handler": 1}]}', 2, "path of a module"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"timeout": "2h"}]}', 2, "from 1 s to 3600 s"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"timeout": "soon"}]}', 2, "timeout: A length"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"timeout": true}]}', 2, "from 1 s"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"timeout": 1.5}]}', 2, "from 1 s"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"retries": 21}]}', 2, "from 0 to 20"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"retries": "3"}]}', 2, "from 0 to 20"),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"overlap": "both"}]}', 2, '"skip" or "queue"'),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"catchup": []}]}', 2, '"one", "all" or "none"'),
        ('{"cron": [{"name": "tidy", "schedule": "@daily",\n"jitter": -1}]}', 2, "from 0 s"),
        ('{"cron": [{"name": "tidy", "schedule": "every 1m",\n"jitter": "60s"}]}', 2, "shorter than the time between"),
        ('{"cron": [{"name": "tidy", "schedule": "0,5 * * * *",\n"jitter": "5m"}]}', 2, "shorter than"),
        (
            '{"cron": [{"name": "tidy", "schedule": "@daily"},\n{"name": "tidy", "schedule": "@daily"}]}',
            2,
            "'tidy' is there twice",
        ),
    ],
)
def test_what_is_refused(text: str, line: int, words: str) -> None:
    with pytest.raises(InvalidRules, match=words) as caught:
        parse_manifest(text.encode())
    assert caught.value.message.startswith(f"fazt.json:{line}: ")
    assert caught.value.message.endswith(".")
    assert caught.value.message.isprintable()


def test_a_site_has_a_bounded_number_of_triggers() -> None:
    assert len(rules(*({"name": f"t{n}", "schedule": "@daily"} for n in range(100)))) == 100
    with pytest.raises(InvalidRules, match="at most 100 triggers, not 101"):
        rules(*({"name": f"t{n}", "schedule": "@daily"} for n in range(101)))


def test_handlers_are_files() -> None:
    (rule,) = rules(TIDY)
    check_handlers([rule], {"api/_cron/tidy.js"})
    check_handlers([rule], {"api/_cron/tidy.ts"})
    assert find_handler("api/_cron/tidy.js", {"api/_cron/tidy.ts", "index.html"}) == "api/_cron/tidy.ts"
    with pytest.raises(InvalidRules, match="the trigger 'tidy' runs api/_cron/tidy"):
        check_handlers([rule], {"api/_cron/tidy", "api/tidy.js"})


anything = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
trigger = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["tidy", "a", "B"]) | anything,
        "schedule": st.sampled_from(["every 1h", "@daily", "*/5 * * * *", "0 0 31 2 *"]) | anything,
        "tz": st.sampled_from(["UTC", "Europe/Berlin"]) | anything,
        "handler": st.just("api/x.js") | anything,
        "jitter": st.sampled_from(["5s", "1h"]) | anything,
        "timeout": anything,
        "retries": anything,
        "overlap": st.just("queue") | anything,
        "catchup": st.just("none") | anything,
        "other": anything,
    },
)


@settings(deadline=None, max_examples=300)
@given(st.lists(trigger | anything, max_size=3) | anything)
def test_anything_is_refused_with_a_place_or_can_be_run(value: Any) -> None:
    try:
        manifest = parse_manifest(json.dumps({"cron": value}).encode())
    except InvalidRules:
        return
    for rule in manifest.rest["cron"]:
        assert CronRule.from_json(rule).times().after(0) is not None
