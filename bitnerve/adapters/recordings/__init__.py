"""Recorded markets: Parquet files in, a `Recording` out, and back."""

from bitnerve.adapters.recordings.compare import find_difference
from bitnerve.adapters.recordings.load import load_recording
from bitnerve.adapters.recordings.write import RecordingFiles, write_recording

__all__ = ["RecordingFiles", "find_difference", "load_recording", "write_recording"]
