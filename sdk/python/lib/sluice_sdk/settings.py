"""A plugin's settings: one dataclass, checked at load and read at each call."""

from __future__ import annotations

import dataclasses
import json
import re
import types
from dataclasses import dataclass
from typing import Any, Callable, Literal, Union, get_args, get_origin, get_type_hints

from .fault import Unable
from .pointer import equal, push, show

_MISSING = dataclasses.MISSING


@dataclass(frozen=True)
class Issue:
    """One complaint: where (JSON pointer, empty for the whole document), what is wrong, and what to
    write instead."""

    pointer: str
    message: str
    hint: str | None = None


def setting(default: Any = _MISSING, description: str = "", **words: Any) -> Any:
    """A field of the settings with a description, and with limits in the words of JSON Schema:
    `minimum`, `maximum`, `minLength`, `maxLength`, `pattern`, `enum`, `minItems`, `maxItems`; for
    the items of a list `items={"minimum": 0}`."""
    metadata = {**({"description": description} if description else {}), **words}
    if isinstance(default, (list, dict)):
        copy = json.dumps(default)
        return dataclasses.field(default_factory=lambda: json.loads(copy), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def schema(settings: type) -> dict[str, Any]:
    """The JSON Schema of a dataclass, for `settings.schema.json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_of_class(settings)}


_SCALARS: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
# Once, when the module is loaded: the snapshot keeps it.
_CLASSES: dict[type, dict[str, Any]] = {}


def _of_class(settings: type) -> dict[str, Any]:
    if settings not in _CLASSES:
        hints = get_type_hints(settings)
        properties, required = {}, []
        for field in dataclasses.fields(settings):
            name = spelled(field.name)
            properties[name] = _of_type(hints[field.name], dict(field.metadata))
            if field.default is _MISSING and field.default_factory is _MISSING:
                required.append(name)
            else:
                default = _default(field)
                properties[name] |= {} if default is None else {"default": default}
        needs = {"required": required} if required else {}
        made = {"type": "object", "properties": properties, **needs, "additionalProperties": False}
        _CLASSES[settings] = made
    return _CLASSES[settings]


def _of_type(hint: Any, words: dict[str, Any]) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _of_type(next(one for one in inner if one is not type(None)), words)
    if origin is Literal:
        return {"type": "string", "enum": list(inner), **words}
    if hint in _SCALARS:
        return {"type": _SCALARS[hint], **words}
    if hint is list or origin is list:
        items = _of_type(inner[0], words.pop("items", {})) if inner else {}
        return {"type": "array", **words, **({"items": items} if items else {})}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return {**_of_class(hint), **words}
    if hint is dict or origin is dict:
        return {"type": "object", **words}
    raise TypeError(f"settings cannot have a {hint}: str, bool, int, float, list, dict, Literal")


def _default(field: dataclasses.Field[Any]) -> Any:
    made = field.default if field.default_factory is _MISSING else field.default_factory()
    return json.loads(json.dumps(made, default=dataclasses.asdict))


def spelled(name: str) -> str:
    """`max_ms` in Python is `maxMs` in a pipeline."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def read(settings: type, text: str) -> tuple[Any, list[Issue]]:
    """Reads settings. Nothing at all, or `null`, is the same as `{}`: a pipeline may leave them
    out. The value counts without issues."""
    given = text.strip()
    try:
        document = {} if given in ("", "null") else json.loads(given)
    except ValueError as error:
        return None, [Issue("", f"not one JSON document: {error}")]
    issues: list[Issue] = []
    value = _fit(_of_class(settings), document, "", issues)
    return (None if issues else _made(settings, value)), issues


def check(settings: type, own: Callable[[Any], list[Issue]] | None, text: str) -> list[Issue]:
    """All complaints about a document: the fields', and if there are none, the plugin's own."""
    value, issues = read(settings, text)
    return issues if issues or own is None else own(value)


def of_call(settings: type, text: str) -> Any:
    """The settings of a call. Raises `Unable` (invalid-config) at the first complaint."""
    value, issues = read(settings, text)
    if not issues:
        return value
    place = f"settings {issues[0].pointer}" if issues[0].pointer else "settings"
    raise Unable.invalid_config(f"{place}: {issues[0].message}")


def _made(settings: type, value: dict[str, Any]) -> Any:
    """The dataclass of a document that fits."""
    hints = get_type_hints(settings)
    given = {}
    for field in dataclasses.fields(settings):
        name = spelled(field.name)
        if name in value:
            given[field.name] = _typed(hints[field.name], value[name])
    return settings(**given)


def _typed(hint: Any, value: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _typed(next(one for one in inner if one is not type(None)), value)
    if origin is list:
        return [_typed(inner[0], item) for item in value]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _made(hint, value)
    return float(value) if hint is float else value


_EXPECTED = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "array": "a sequence",
    "object": "a map",
}


def _found(value: Any) -> str:
    """What a value is, with the value where it is short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{show(value)}`"
    if isinstance(value, str):
        return f"string {show(value)}"
    if isinstance(value, (int, float)):
        return f"{'integer' if isinstance(value, int) else 'floating point'} `{value}`"
    return "sequence" if isinstance(value, list) else "map"


def _is_of_type(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    python = {"string": str, "integer": int, "number": (int, float), "array": list, "object": dict}
    return kind in python and isinstance(value, python[kind])


def _fit(field: dict[str, Any], value: Any, pointer: str, issues: list[Issue]) -> Any:
    if not _is_of_type(field["type"], value):
        message = f"invalid type: {_found(value)}, expected {_EXPECTED[field['type']]}"
        issues.append(Issue(pointer, message))
        return None
    issues.extend(Issue(pointer, message, hint) for message, hint in _beyond(field, value))
    if "items" in field:
        return [_fit(field["items"], one, push(pointer, at), issues) for at, one in enumerate(value)]
    if "properties" in field:
        return _fit_object(field["properties"], field.get("required", []), value, pointer, issues)
    return value


def _fit_object(
    properties: dict[str, Any],
    required: list[str],
    value: dict[str, Any],
    pointer: str,
    issues: list[Issue],
) -> dict[str, Any]:
    for key in value.keys() - properties.keys():
        message = f"unknown field `{key}`, {_one_of(list(properties))}"
        issues.append(Issue(push(pointer, key), message, f"remove `{key}`, or correct its spelling"))
    for name in required:
        if name not in value:
            issues.append(Issue(pointer, f"missing field `{name}`", f"add `{name}`"))
    return {
        name: _fit(field, value[name], push(pointer, name), issues)
        for name, field in properties.items()
        if name in value
    }


def _one_of(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    if not quoted:
        return "there are no fields"
    return f"expected {' or '.join(quoted)}" if len(quoted) < 3 else f"expected one of {', '.join(quoted)}"


def _beyond(field: dict[str, Any], value: Any) -> list[tuple[str, str]]:
    """What is wrong with a value of the right type, and what to write instead."""
    found = []
    choices = field.get("enum")
    if choices is not None and not any(equal(one, value) for one in choices):
        shown = ", ".join(map(show, choices))
        found.append((f"{show(value)} is not among the choices", f"one of {shown}"))
    if "minimum" in field and value < field["minimum"]:
        found.append((f"{show(value)} is too small", f"at least {field['minimum']}"))
    if "maximum" in field and value > field["maximum"]:
        found.append((f"{show(value)} is too large", f"at most {field['maximum']}"))
    if "minLength" in field and len(value) < field["minLength"]:
        found.append(("too short", f"at least {field['minLength']} characters"))
    if "maxLength" in field and len(value) > field["maxLength"]:
        found.append(("too long", f"at most {field['maxLength']} characters"))
    if "pattern" in field and re.search(field["pattern"], value) is None:
        found.append((f"{show(value)} does not have the form", f"a text that fits {field['pattern']}"))
    if "minItems" in field and len(value) < field["minItems"]:
        found.append(("too few", f"at least {field['minItems']}"))
    if "maxItems" in field and len(value) > field["maxItems"]:
        found.append(("too many", f"at most {field['maxItems']}"))
    return found
