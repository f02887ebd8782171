"""The paper's tables as commands: train or load each row's system, dance, score, and write the table."""
