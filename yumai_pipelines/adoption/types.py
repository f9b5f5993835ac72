"""How a type of an older database compares with ours, and how its values become values of ours."""

from __future__ import annotations

import re

from psycopg import sql

from yumai_pipelines.adoption.target import AWARE, NAIVE

_TEXT = re.compile(r"(?:character varying(?:\((\d+)\))?|text)(\[\])?")
_NUMERIC = re.compile(r"numeric(?:\((\d+),(-?\d+)\))?")
_CHARACTER = re.compile(r"character\(\d+\)|\"char\"|name")
_INTEGERS = ("smallint", "integer", "bigint")
_UNORDERED = {"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"}
_TIMES = {AWARE, NAIVE, "date"}

_UNLIMITED = "character varying"
_SHORT = {"boolean": 5, "date": 13, "uuid": 36, **dict.fromkeys(_INTEGERS, 20)}
"""The longest texts of types whose values all have a short one."""


def family(name: str) -> str:
    """Types of one family hold the same kind of values, and are read by the same SQL."""
    if (text := _TEXT.fullmatch(name)) is not None:
        return "text" + (text[2] or "")
    if name.removesuffix("[]") in _INTEGERS:
        return "integer" + ("[]" if name.endswith("[]") else "")
    if _CHARACTER.fullmatch(name):
        return "character"
    return "numeric" if _NUMERIC.fullmatch(name) else name


def readable(ours: str, theirs: str) -> bool:
    """Whether everything that reads a column of our type can read theirs, and wider values too."""
    return family(ours) == family(theirs)


def comparable(ours: str, theirs: str) -> bool:
    """Whether our conditions can be asked of their type."""
    numbers = {"integer", "numeric", "double precision", "real"}
    pair = {family(ours), family(theirs)}
    return len(pair) == 1 or pair <= numbers or pair <= _TIMES


def assignable(ours: str, theirs: str) -> bool:
    """Whether a column of ours takes a value that is sent as one of their type, as by a cast or by some drivers."""
    return comparable(ours, theirs) or family(ours) == "text" or {ours, theirs} == {"json", "jsonb"}


def ordered(name: str) -> bool:
    """Whether an ordinary index can be built on a column of the type."""
    return name not in _UNORDERED


def widens(ours: str, theirs: str) -> bool:
    """Whether a column of their type gets ours, which is wider, by a change of the catalogue alone."""
    mine, yours = _TEXT.fullmatch(ours), _TEXT.fullmatch(theirs)
    if mine and yours and mine[2] == yours[2]:
        return yours[1] is not None and (mine[1] is None or int(mine[1]) > int(yours[1]))
    digits, theirs_digits = _NUMERIC.fullmatch(ours), _NUMERIC.fullmatch(theirs)
    if digits and theirs_digits and theirs_digits[1] is not None:
        return digits[1] is None or (digits[2] == theirs_digits[2] and int(digits[1]) > int(theirs_digits[1]))
    return False


def becomes(ours: str, theirs: str) -> str:
    """The type that a column of theirs is converted to: ours, or any length of text where theirs may be longer."""
    text = _TEXT.fullmatch(ours)
    if text is None or text[1] is None or text[2] is not None:
        return ours
    characters = re.fullmatch(r"character\((\d+)\)", theirs)
    longest = int(characters[1]) if characters else _SHORT.get(theirs)
    return ours if longest is not None and longest <= int(text[1]) else _UNLIMITED


def is_exact(ours: str, theirs: str) -> bool:
    """Whether no value loses anything when it is converted, whatever it is: theirs need not be kept then."""
    if family(ours) == "text":
        return True
    return (family(ours), theirs) in {
        (AWARE, NAIVE),
        (AWARE, "date"),
        ("json", "jsonb"),
    }


def converted(ours: str, theirs: str, value: sql.Composable, zone: str) -> sql.Composed:
    """SQL of a value of theirs as one of ours; NULL where it cannot be one.

    Times without a zone are read in the business's. What is no JSON becomes a string of JSON, and what is no UUID the
    one that its text always gives, so that rows of one session stay together.
    """
    text = sql.SQL("{}::text").format(value)
    parts = {"value": value, "text": text, "ours": sql.SQL(ours), "zone": sql.Literal(zone), "name": sql.Literal(ours)}
    return sql.SQL(_EXPRESSIONS.get((ours, theirs)) or _BY_OURS.get(ours) or _otherwise(ours, theirs)).format(**parts)


_EXPRESSIONS = {
    (AWARE, NAIVE): "{value} AT TIME ZONE {zone}",
    (AWARE, "date"): "{value}::timestamp AT TIME ZONE {zone}",
    ("json", "jsonb"): "{text}::json",
}

_IS_JSON = "length({text}) - length(translate({text}, '[{{', '')) <= 1000 AND pg_input_is_valid({text}, 'jsonb')"
"""What is nested deeper than the stack allows is an error that pg_input_is_valid does not catch."""

_BY_OURS = {
    "jsonb": f"CASE WHEN {_IS_JSON} THEN {{text}}::jsonb ELSE to_jsonb({{text}}) END",
    "json": f"CASE WHEN {_IS_JSON} THEN {{text}}::json ELSE to_json({{text}}) END",
    "uuid": "CASE WHEN pg_input_is_valid({text}, 'uuid') THEN {text}::uuid ELSE md5({text})::uuid END",
    "integer[]": "CASE WHEN pg_input_is_valid(translate({text}, '[]', '{{}}'), {name}) "
    "THEN translate({text}, '[]', '{{}}')::integer[] END",
    AWARE: "CASE WHEN {text} ~ '\\d:\\d\\d.*([+-]\\d\\d(:?\\d\\d)?|Z)$' AND pg_input_is_valid({text}, {name}) "
    "THEN {text}::timestamptz WHEN pg_input_is_valid({text}, 'timestamp') "
    "THEN {text}::timestamp AT TIME ZONE {zone} END",
}


def _otherwise(ours: str, theirs: str) -> str:
    if family(ours) == "text":
        return "{text}::{ours}"
    if family(ours) == "integer" and family(theirs) in {"numeric", "double precision", "real"}:
        return (
            "CASE WHEN pg_input_is_valid(round({value}::numeric)::text, {name}) AND {value} = round({value}::numeric) "
            "THEN round({value}::numeric)::{ours} END"
        )
    return "CASE WHEN pg_input_is_valid({text}, {name}) THEN {text}::{ours} END"
