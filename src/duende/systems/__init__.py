"""What dances: networks, feature set and pose representation in one folder on disk."""

from duende.systems.expressive_bailando import ExpressiveBailando
from duende.systems.storage import from_pretrained

__all__ = ["ExpressiveBailando", "from_pretrained"]
