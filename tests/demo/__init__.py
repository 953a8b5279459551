"""`make demo`: from a bare machine to a chat with a served model, then a failure on purpose, explained and mended."""
