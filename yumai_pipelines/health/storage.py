"""Examinations of where rows and files are: the ledger of the archives, their store, the disks, whom alerts reach."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from yumai_pipelines.archives.agreement import disagreements
from yumai_pipelines.archives.store import Store, explained
from yumai_pipelines.health.examination import Complaint, Examination, Outcome, Patient, advice, in_words
from yumai_pipelines.partitions import archived

if TYPE_CHECKING:
    from pathlib import Path


def _ledger(patient: Patient) -> Outcome:
    complaints = [
        Complaint(f"{each.month}: {each.fault}.", each.remedy)
        for each in disagreements(patient.connection, patient.settings.zone)
    ]
    months = [each for each in archived.read(patient.connection).values() if each.state == "archived"]
    return Outcome(
        f"{len(months)} archived months",
        complaints,
        {"archived_months": len(months), "archived_bytes": sum(each.bytes or 0 for each in months)},
    )


def _archive(patient: Patient) -> Outcome:
    url = patient.settings.archive
    store = Store.at(url)
    with explained(url, "cannot be looked at", "Put YUMAI_ARCHIVE_URL, the network or the rights right."):
        there = store.filesystem.exists(store.root)
    needed = any(each.state == "archived" for each in archived.read(patient.connection).values())
    complaint = Complaint(
        f"{url} is not there, and the ledger names files of archived months.",
        "Mount it, or let YUMAI_ARCHIVE_URL name the directory or bucket in which the files are.",
    )
    return Outcome("there" if there else "not made yet", [complaint] if needed and not there else [])


def _disk(patient: Patient) -> Outcome:
    places = {"YUMAI_HOME": patient.settings.home}
    if patient.settings.database_url is None:
        places["the embedded server's data"] = patient.settings.home / "server"
    free, complaints = {}, []
    for name, place in places.items():
        usage = shutil.disk_usage(_existing(place.resolve()))
        free[name] = float(usage.free)
        what = f"{in_words(usage.free)} of {in_words(usage.total)} are free on the disk of {name}"
        remedy = (
            "Give it room: enlarge the disk, archive months (monthly_archive), let monthly_records shorten Dagster's "
            "history, or move YUMAI_HOME."
        )
        if usage.free < patient.limits.disk_free:
            complaints.append(Complaint(f"Only {what}.", remedy))
        elif usage.free < patient.limits.disk_free_share * usage.total:
            complaints.append(advice(f"{what}.", remedy))
    seen = ", ".join(f"{in_words(size)} free for {name}" for name, size in free.items())
    return Outcome(seen, complaints, {"disk_free_bytes": free})


def _targets(patient: Patient) -> Outcome:
    urls, ui_url = patient.settings.alert_urls or (), patient.settings.ui_url
    nobody = advice(
        "YUMAI_ALERT_URLS names nobody, so nobody hears of failed runs and checks.",
        "Name targets by URLs of Apprise, and try them by `yumai alert`: docs/operate.md has examples.",
    )
    no_link = advice("YUMAI_UI_URL is not set, so alerts have no link into Dagster's UI.", "Set it to the UI's URL.")
    complaints = [nobody] if not urls else [] if ui_url else [no_link]
    return Outcome(f"{len(urls)} targets", complaints, {"alert_targets": len(urls)})


def _existing(path: Path) -> Path:
    """The directory itself, or the nearest one above it that is there and may be looked at."""
    return next(each for each in (path, *path.parents) if each.exists())


STORAGE_EXAMINATIONS = (
    Examination("ledger", "archived months are where the ledger says", _ledger),
    Examination("archive", "the store of the archives answers", _archive),
    Examination("disk", "there is room on the disks of this machine", _disk),
    Examination("targets", "somebody is told", _targets),
)
