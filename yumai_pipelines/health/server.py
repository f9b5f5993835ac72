"""Examinations of the server and of what a database is made of: schema, extensions, roles, settings, clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from yumai_pipelines.health.examination import Complaint, Examination, Outcome, Patient, advice, in_words
from yumai_pipelines.postgres.clocks import server_ahead
from yumai_pipelines.postgres.connections import OWNER_ROLE, grant, schema_revision
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.differences import drift
from yumai_pipelines.schema.migrations import migration_files
from yumai_pipelines.schema.time_zone import refuse_other_zone
from yumai_pipelines.schema.upgrade import list_creators

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = ("yumai_pipeline", "yumai_app", "yumai_analyst")
EXTENSIONS = ("pg_trgm", "btree_gin", "pgcrypto")

_OF_THE_SERVER = {
    "fsync": ("on", "a crash of the machine destroys the database"),
    "full_page_writes": ("on", "a crash of the machine may leave torn pages"),
    "autovacuum": ("on", "dead rows stay, and the server stops taking writes before transaction numbers run out"),
    "track_counts": ("on", "autovacuum does not learn which tables need it"),
    "zero_damaged_pages": ("off", "damaged pages are silently read as empty"),
    "ignore_system_indexes": ("off", "every look into the catalogue reads all of it"),
}
"""Settings of the server whose other value does harm, with the value that does none."""


def _server(patient: Patient) -> Outcome:
    info = patient.connection.info
    seen = f"PostgreSQL {info.parameter_status('server_version')} on {info.host}:{info.port}, database {info.dbname}"
    standby = read_value(patient.connection, "SELECT pg_is_in_recovery()")
    complaints = [
        advice(
            "The server is a standby, which takes no writes.",
            "Extracts can be read here. Let YUMAI_DATABASE_URL name the primary for everything else.",
        )
    ]
    size = read_value(patient.connection, "SELECT pg_database_size(current_database())")
    return Outcome(
        f"{seen}, {in_words(size)}",
        complaints if standby else [],
        {"server_version": info.server_version, "database_bytes": size},
    )


def _schema(patient: Patient) -> Outcome:
    revision, newest = schema_revision(patient.connection), max(migration_files())
    if revision is None:
        return Outcome("not installed", [Complaint("The schema is not installed.", "Run `yumai up`.")])
    complaints = []
    if revision < newest:
        complaints.append(
            Complaint(
                f"The schema is at revision {revision}, and this version of yumai_pipelines brings {newest}.",
                "`yumai up --dry-run` says what is missing and which locks it takes; `yumai up` brings it.",
            )
        )
    if revision > newest:
        complaints.append(
            Complaint(
                f"The schema is at revision {revision}, and this version of yumai_pipelines knows {newest}.",
                "Install the version of yumai_pipelines that upgraded the database.",
            )
        )
    differences = [] if complaints else drift(patient.connection)
    if differences:
        complaints.append(
            advice(
                f"{len(differences)} objects differ from what the migrations make, such as: {differences[0]}.",
                "`yumai differences` lists them, and accepts those that may stay. `yumai up` puts functions right.",
            )
        )
    return Outcome(f"revision {revision}", complaints, {"schema_differences": len(differences)})


def _extensions(patient: Patient) -> Outcome:
    found = dict(patient.rows("SELECT extname, extversion FROM pg_extension"))
    available = dict(patient.rows("SELECT name, default_version FROM pg_available_extensions"))
    complaints = [
        Complaint(
            f"The extension {name} is missing.",
            f"Run `yumai up`, or as a superuser: CREATE EXTENSION {name} WITH SCHEMA public;",
        )
        for name in EXTENSIONS
        if name not in found
    ]
    complaints += [
        advice(
            f"The extension {name} is at {version}, and the server brings {available[name]}.",
            f'As its owner: ALTER EXTENSION "{name}" UPDATE;',
        )
        for name, version in sorted(found.items())
        if available.get(name, version) != version
    ]
    return Outcome(", ".join(f"{name} {version}" for name, version in sorted(found.items())), complaints)


def _roles(patient: Patient) -> Outcome:
    return Outcome(f"the login {patient.connection.info.user}", list(_complaints_of_roles(patient)))


def _complaints_of_roles(patient: Patient) -> Iterator[Complaint]:
    found = {name: (superuser, login) for name, superuser, login in patient.rows(_LIST_ROLES, {"names": list(ROLES)})}
    for name in ROLES:
        if name not in found:
            yield Complaint(f"The role {name} is missing.", "Run `yumai up`.")
            continue
        superuser, login = found[name]
        if superuser:
            yield Complaint(f"The role {name} is a superuser.", f"ALTER ROLE {name} NOSUPERUSER;")
        if login:
            yield advice(f"The role {name} may log in.", f"ALTER ROLE {name} NOLOGIN; grant it to logins of their own.")
    may = read_value(
        patient.connection,
        "SELECT bool_or(pg_has_role(session_user, oid, 'SET')) FROM pg_roles WHERE rolname = %s",
        (OWNER_ROLE,),
    )
    if OWNER_ROLE in found and not may:
        yield Complaint(
            f"{patient.connection.info.user} may not work as {OWNER_ROLE}.",
            f"As a superuser: {grant(OWNER_ROLE, patient.connection)};",
        )


_LIST_ROLES = "SELECT rolname, rolsuper, rolcanlogin FROM pg_roles WHERE rolname = ANY(%(names)s)"


def _creators(patient: Patient) -> Outcome:
    creators = list_creators(patient.connection)
    complaints = [
        advice(
            f"{each.role} may create objects in the schema {each.schema}, where clients find functions by name.",
            f"{each.revoke};",
        )
        for each in creators
    ]
    return Outcome("the pipeline alone" if not creators else f"{len(creators)} others", complaints)


class _Setting(NamedTuple):
    name: str
    value: str
    source: str


def _settings(patient: Patient) -> Outcome:
    found = {each.name: each for each in patient.read("list_settings.sql", _Setting)}
    complaints = [
        Complaint(
            f"{name} is {found[name].value} ({found[name].source}): {harm}.",
            f"ALTER SYSTEM SET {name} = {wanted}; SELECT pg_reload_conf();",
        )
        for name, (wanted, harm) in _OF_THE_SERVER.items()
        if name in found and found[name].value != wanted
    ]
    if _logs_parameters(found):
        complaints.append(
            Complaint(
                "Statements are logged with their parameters, and one of them is the secret of the user keys.",
                "ALTER SYSTEM SET log_parameter_max_length = 0; ALTER SYSTEM SET log_parameter_max_length_on_error = "
                "0; SELECT pg_reload_conf();",
            )
        )
    return Outcome(f"{len(found)} settings that may do harm", complaints)


def _logs_parameters(found: dict[str, _Setting]) -> bool:
    logs = found["log_statement"].value in {"mod", "all"} or found["log_min_duration_statement"].value != "-1"
    return (logs and found["log_parameter_max_length"].value != "0") or (
        found["log_parameter_max_length_on_error"].value != "0"
    )


def _clocks(patient: Patient) -> Outcome:
    ahead = server_ahead(patient.connection).total_seconds()
    complaint = Complaint(
        f"The server's clock differs from this machine's by {abs(ahead):.0f} seconds.",
        "Have both machines keep their time by NTP.",
    )
    wrong = abs(ahead) > patient.limits.clocks.total_seconds()
    return Outcome(f"{ahead:+.1f} s", [complaint] if wrong else [], {"server_clock_ahead_seconds": ahead})


def _time_zone(patient: Patient) -> Outcome:
    refuse_other_zone(patient.connection, patient.settings.timezone)
    zone = read_value(patient.connection, read_sql("health", "read_time_zone.sql"))
    complaint = advice(
        f"New connections to the database get the time zone {zone or 'of the server'}, not "
        f"{patient.settings.timezone}.",
        "Run `yumai up`: a copy or a restored dump of a database does not have its settings.",
    )
    return Outcome(patient.settings.timezone, [] if zone == patient.settings.timezone else [complaint])


SERVER_EXAMINATIONS = (
    Examination("server", "a PostgreSQL 16 or newer that takes writes", _server),
    Examination("schema", "the schema is the one of this version", _schema),
    Examination("extensions", "the extensions are there, in the server's versions", _extensions),
    Examination("roles", "the three roles are there, and have no more rights than they need", _roles),
    Examination("creators", "nobody else creates objects where functions find names", _creators),
    Examination("settings", "no setting of the server puts data at risk", _settings),
    Examination("clocks", "the server's clock is this machine's", _clocks),
    Examination("time_zone", "months begin in the business's time zone", _time_zone),
)
