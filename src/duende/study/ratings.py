"""Ratings in SQLite: each answer is on the disk before the participant goes on, and counts once."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from duende.errors import DuendeError
from duende.study.definition import QUESTIONS, RATINGS_FILE

PATIENCE = 30.0
"""Seconds that a writer waits for another."""

_COLUMNS = ", ".join(question.key for question in QUESTIONS)
_PLACES = ", ".join("?" for _ in QUESTIONS)
_SCHEMA = f"""
CREATE TABLE participants (id TEXT PRIMARY KEY, joined TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE ratings (
    participant TEXT NOT NULL REFERENCES participants (id),
    trial TEXT NOT NULL,
    {", ".join(f"{question.key} INTEGER NOT NULL" for question in QUESTIONS)},
    rated TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (participant, trial)
);
"""


@dataclass(frozen=True)
class Rating:
    """One participant's answers to the questions of one trial; of a pair in the trial's order, not as it was shown."""

    participant: str
    trial: str
    answers: dict[str, int]


class Ratings:
    """The ratings of one study. Threads and processes may read and write at once."""

    def __init__(self, folder: Path) -> None:
        """Open the ratings in a study's folder.

        Raises:
            DuendeError: they are missing or damaged.
        """
        self._path = folder / RATINGS_FILE
        if not self._path.is_file():
            raise DuendeError(f"{self._path} is missing; take it from a copy, or make the study again")
        try:
            self.participants()
        except sqlite3.Error as error:
            raise DuendeError(f"{self._path} holds no ratings ({error}); take it from a copy") from error

    @classmethod
    def create(cls, folder: Path) -> Ratings:
        """Make an empty file of ratings."""
        with contextlib.closing(sqlite3.connect(folder / RATINGS_FILE)) as connection:
            # Readers do not wait for writers; the file remembers this.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
        return cls(folder)

    def add_participant(self, participant: str) -> None:
        """Store a new participant."""
        with self._transaction() as connection:
            connection.execute("INSERT INTO participants (id) VALUES (?)", (participant,))

    def participants(self) -> list[str]:
        """Return all who have joined, first come first."""
        return [row[0] for row in self._read("SELECT id FROM participants ORDER BY rowid")]

    def has_participant(self, participant: str) -> bool:
        """Tell whether somebody has joined under this id."""
        return bool(self._read("SELECT 1 FROM participants WHERE id = ?", participant))

    def add(self, rating: Rating) -> bool:
        """Store a rating, unless the participant has rated the trial: the first stands. Tell whether it was stored."""
        with self._transaction() as connection:
            return bool(
                connection.execute(
                    f"INSERT INTO ratings (participant, trial, {_COLUMNS}) VALUES (?, ?, {_PLACES}) "
                    "ON CONFLICT (participant, trial) DO NOTHING",
                    (rating.participant, rating.trial, *(rating.answers[question.key] for question in QUESTIONS)),
                ).rowcount
            )

    def change_last(self, rating: Rating) -> bool:
        """Change the participant's last rating; tell whether it was of this trial, otherwise nothing changes."""
        with self._transaction() as connection:
            return bool(
                connection.execute(
                    f"UPDATE ratings SET ({_COLUMNS}) = ({_PLACES}), rated = CURRENT_TIMESTAMP WHERE trial = ? "
                    "AND rowid = (SELECT MAX(rowid) FROM ratings WHERE participant = ?)",
                    (*(rating.answers[question.key] for question in QUESTIONS), rating.trial, rating.participant),
                ).rowcount
            )

    def of(self, participant: str) -> list[Rating]:
        """Return a participant's ratings, oldest first."""
        return self._ratings("WHERE participant = ? ORDER BY rowid", participant)

    def all(self) -> list[Rating]:
        """Return all ratings, oldest first."""
        return self._ratings("ORDER BY rowid")

    def count(self) -> int:
        """Count all ratings."""
        return int(self._read("SELECT COUNT(*) FROM ratings")[0][0])

    def _ratings(self, condition: str, *values: str) -> list[Rating]:
        rows = self._read(f"SELECT participant, trial, {_COLUMNS} FROM ratings {condition}", *values)
        keys = [question.key for question in QUESTIONS]
        return [Rating(row[0], row[1], dict(zip(keys, row[2:], strict=True))) for row in rows]

    def _read(self, query: str, *values: str) -> list[tuple]:
        with contextlib.closing(self._connect()) as connection:
            return connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(self._connect()) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def _connect(self) -> sqlite3.Connection:
        # A connection belongs to one thread, and every request has its own.
        connection = sqlite3.connect(self._path, timeout=PATIENCE)
        connection.execute("PRAGMA foreign_keys = ON")
        return connection
