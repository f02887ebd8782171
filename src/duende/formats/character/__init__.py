"""Characters of the user's own: a humanoid rig is read, the dance is carried over to it, and it is written animated."""

from duende.formats.character.rig import Character, read_character
from duende.formats.character.writing import write_character

__all__ = ["Character", "read_character", "write_character"]
