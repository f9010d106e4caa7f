"""Whether what a call answers is what the description of the API says that it answers, and not a name more."""

import re
from typing import Any

import jsonschema_rs

DESCRIPTION = "/api/openapi.json"


class Shapes:
    """The shapes of answers, as descriptions of the API have told them."""

    def __init__(self) -> None:
        self._paths: dict[re.Pattern[str], tuple[str, dict[str, Any]]] = {}
        self._components: dict[str, Any] = {}
        self._validators: dict[tuple[str, str, int], Any] = {}

    def learn(self, described: dict[str, Any]) -> None:
        """Learn of the calls of a description: an API in a test may have some of them alone."""
        strict = _strict(described)
        self._components |= {"schemas": self._components.get("schemas", {}) | strict["components"]["schemas"]}
        for path, operations in strict["paths"].items():
            self._paths[_pattern(path)] = (path, operations)

    def knows(self, path: str) -> bool:
        """Tell whether a path was described."""
        return self._find(path) is not None

    def check(self, method: str, path: str, status: int, value: Any) -> None:
        """Assert that a JSON answer where all went well has the described shape."""
        found = self._find(path)
        assert found is not None, f"{path} is not described"
        template, operations = found
        responses = operations[method.lower()]["responses"]
        said = responses.get(str(status), {}).get("content", {}).get("application/json")
        assert said is not None, f"{method} {template} is not described to answer {status} with JSON"
        key = (method, template, status)
        if key not in self._validators:
            whole = {**said["schema"], "components": self._components}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        wrong = [f"{list(each.instance_path)}: {each.message}" for each in self._validators[key].iter_errors(value)]
        assert not wrong, f"{method} {template}: {wrong[:5]}"

    def _find(self, path: str) -> tuple[str, dict[str, Any]] | None:
        return next((found for pattern, found in self._paths.items() if pattern.fullmatch(path)), None)


def _strict(schema: Any) -> Any:
    """Return a schema by which an object has no names but those that are told."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _strict(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        made.setdefault("additionalProperties", False)
    return made


def _pattern(path: str) -> re.Pattern[str]:
    """Return what matches the paths of a template; files and keys have slashes in them."""
    parts = re.split(r"(\{[^}]+\})", path)
    long = ("{path}", "{key}")
    return re.compile(
        "".join(
            re.escape(part) if not part.startswith("{") else r"[\s\S]+" if part in long else "[^/]+" for part in parts
        )
    )
