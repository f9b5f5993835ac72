"""Why a database is not adopted, or not to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yumai_pipelines.postgres.errors import DatabaseError

if TYPE_CHECKING:
    import psycopg

    from yumai_pipelines.adoption.inventory import Inventory
    from yumai_pipelines.schema.snapshot import Difference


class AdoptionError(DatabaseError):
    """The database cannot be adopted as it is."""


class NotToBeAdoptedError(AdoptionError):
    """The database is not a YUMAI database, or somebody must decide something first. Nothing was changed."""

    def __init__(self, inventory: Inventory) -> None:
        """List the refusals of the inventory."""
        self.inventory = inventory
        reasons = "\n".join(f"  - {reason}" for reason in inventory.refusals)
        super().__init__(f"The database cannot be adopted as it is; nothing was changed:\n{reasons}")


class AdoptionIncompleteError(AdoptionError):
    """Somebody has changed what the adoption had made, and it could not make it again."""

    def __init__(self, left: tuple[Difference, ...]) -> None:
        """List the differences that are left."""
        self.left = left
        lines = "\n".join(f"  - {each}" for each in left)
        super().__init__(
            f"What could be adopted is adopted, and the application goes on writing. Left are:\n{lines}\nSomebody has "
            "changed them meanwhile: put them right, and run again."
        )


class UserRefusedError(AdoptionError):
    """Something of theirs refuses a user that rows refer to, which were written after the adoption had begun."""

    def __init__(self, error: psycopg.Error) -> None:
        """Tell what refused it."""
        self.constraint = error.diag.constraint_name
        by = f"its constraint {self.constraint}" if self.constraint else (error.diag.message_primary or str(error))
        super().__init__(
            f"Rows that were written meanwhile refer to a user that is not there, and chatbot.users refuses to have it "
            f"made: {by}. {error.diag.message_detail or ''} Let such rows name another user or none, or ALTER TABLE "
            "chatbot.users DROP CONSTRAINT until the adoption has ended. Then run it again: what is done stays done."
        )
