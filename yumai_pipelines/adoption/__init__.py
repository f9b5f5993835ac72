"""Takes over an older YUMAI database where it is, while its application goes on writing.

Replaces the migration guide of section 8.2 of the database document.
"""

from yumai_pipelines.adoption.cases import Case
from yumai_pipelines.adoption.errors import (
    AdoptionError,
    AdoptionIncompleteError,
    NotToBeAdoptedError,
    UserRefusedError,
)
from yumai_pipelines.adoption.finish import FinishReport
from yumai_pipelines.adoption.inventory import ADOPTED, Inventory
from yumai_pipelines.adoption.kinds import Action
from yumai_pipelines.adoption.run import AdoptionReport, adopt, finish, inspect

__all__ = [
    "ADOPTED",
    "Action",
    "AdoptionError",
    "AdoptionIncompleteError",
    "AdoptionReport",
    "Case",
    "FinishReport",
    "Inventory",
    "NotToBeAdoptedError",
    "UserRefusedError",
    "adopt",
    "finish",
    "inspect",
]
