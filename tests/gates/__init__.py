"""The gates of files: each is seen red."""
