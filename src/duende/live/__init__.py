"""A dance while the music plays: sound at its own pace in, frames at their moments out."""
