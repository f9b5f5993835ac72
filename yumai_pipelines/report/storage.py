"""Where the pages of the reports are kept, a directory or a URL, and how people open them there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from yumai_pipelines.archives.store import Store, exists, reading, remove

if TYPE_CHECKING:
    from yumai_pipelines.model.months import Month
    from yumai_pipelines.report.words import Words
    from yumai_pipelines.settings import Settings


@dataclass(frozen=True)
class ReportStore:
    """The place of all pages.

    Attributes:
        store: where the files are.
        ui_url: where people open Dagster's UI, whose webserver serves the pages; None where nobody has said so.
    """

    store: Store
    ui_url: str | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The place that the settings name. Nothing is created or looked up yet.

        Raises:
            ArchiveError: fsspec does not know such URLs, or lacks the package for them.
        """
        # Whoever names a place for the reports wants them to be read by others, such as a web server.
        store = Store.at(settings.reports, shared=settings.report_url is not None)
        return cls(store, settings.ui_url)

    def write(self, name: str, text: str) -> None:
        """Write a page. Readers see the old file or the new one, each complete.

        Raises:
            ArchiveError: the store cannot be written.
        """
        with self.store.writing(name) as file:
            file.write(text.encode())

    def remove(self, name: str) -> None:
        """Remove a page, if it is there."""
        if exists(uri := self.store.uri(name)):
            remove(uri)

    def names(self, suffix: str, month: str = "????-??") -> list[str]:
        """The names of the pages of a language, by its suffix, the oldest first: of one month, or of all of them.

        Raises:
            ArchiveError: the store cannot be listed.
        """
        return sorted(uri.rpartition("/")[2] for uri in self.store.files(f"{month}{suffix}.html"))

    def read(self, name: str) -> bytes:
        """The page of a name.

        Raises:
            ArchiveError: it is gone, or cannot be read.
        """
        with reading(self.store.uri(name)) as file:
            return file.read()

    def place(self, name: str) -> str:
        """The path of a page on this machine, or its URL in a store elsewhere."""
        uri = self.store.uri(name)
        return uri.removeprefix("file://") if self.store.local else uri

    def link(self, name: str) -> str | None:
        """The address of a page for a browser, or None where nobody has said where the UI is."""
        return self.ui_url and f"{self.ui_url.rstrip('/')}/report/{name}"


def name_of(month: Month, words: Words) -> str:
    """The name of the file of a month's page in one language."""
    return f"{month}{words.suffix}.html"
