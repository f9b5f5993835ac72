"""An older YUMAI database is taken over in place, while its application goes on writing. Section 8.2, done right."""

from yumai_pipelines.adoption.finish import FinishReport
from yumai_pipelines.adoption.inventory import ADOPTED, Case, Inventory
from yumai_pipelines.adoption.run import (
    AdoptionError,
    AdoptionIncompleteError,
    AdoptionReport,
    NotToBeAdoptedError,
    adopt,
    finish,
    inspect,
)

__all__ = [
    "ADOPTED",
    "AdoptionError",
    "AdoptionIncompleteError",
    "AdoptionReport",
    "Case",
    "FinishReport",
    "Inventory",
    "NotToBeAdoptedError",
    "adopt",
    "finish",
    "inspect",
]
