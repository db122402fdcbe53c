"""The files of a finished season: seven Parquet tables, season.json and leaderboard.json.

`from bitnerve.adapters.exports import check_target, read_books, write_books`
"""

from bitnerve.adapters.exports.read import UnreadableExport, read_books
from bitnerve.adapters.exports.write import FolderNotEmpty, NotWritable, check_target, write_books

__all__ = ["FolderNotEmpty", "NotWritable", "UnreadableExport", "check_target", "read_books", "write_books"]
